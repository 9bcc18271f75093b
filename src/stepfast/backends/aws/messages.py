"""A message as the body of a queue's: one line of JSON that names a command (rule *message without payload*)."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import Any, get_args

from stepfast.engine.limit_items import LimitId, Permit
from stepfast.engine.messages import Hint, Message, MessageKind
from stepfast.errors import StepfastError
from stepfast.records import dataclass

MESSAGE_VERSION = 1
MAX_INPUT = 16_384
"""Characters of an input that a message carries; a worker finds a longer one out by a replay."""


class ForeignMessage(StepfastError):
    """A body that this stepfast did not write, or that a newer one did; says which."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message as its body tells it; due: not to be handled before, None for at once. sent: when it was sent."""

    message: Message
    due: float | None
    sent: float


def body_of(message: Message, due: float | None, now: float) -> str:
    fields: dict[str, Any] = {
        "v": MESSAGE_VERSION,
        "kind": message.kind,
        "execution": message.execution_id,
        "command": message.command_id,
        "generation": message.generation,
        "pool": message.pool,
    }
    if (hint := message.hint) is not None and len(hint.input) <= MAX_INPUT:
        fields["ask"] = [hint.name, hint.input, hint.issued_at, hint.order, hint.seal]
    if message.run > 1:
        fields["run"] = message.run
    if message.permits:
        fields["permits"] = [_permit_list(permit) for permit in message.permits]
        fields["waited"] = [_waited_list(permit) for permit in message.permits]
    if due is not None:
        fields["due"] = due
    return json.dumps({**fields, "sent": now}, separators=(",", ":"))


def posted_in(body: str) -> Posted:
    """The message of a body; ForeignMessage for any other text, which is not told."""
    try:
        fields = json.loads(body)
        version = fields["v"]
        if not isinstance(version, int) or version > MESSAGE_VERSION:
            raise ForeignMessage(
                f"the message was sent by a newer stepfast (this one knows version {MESSAGE_VERSION}): "
                "deploy that version here, too"
            )
        message = Message(
            fields["kind"], fields["execution"], fields["command"], fields["generation"], fields.get("pool", "default")
        )
        run = fields.get("run", 1)
        due, sent, hint = fields.get("due"), fields.get("sent", 0.0), _hint_in(fields.get("ask"))
        permits = _permits_in(fields.get("permits", []), fields.get("waited", []))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ForeignMessage("stepfast did not send this message") from error
    texts = (message.execution_id, message.command_id, message.pool)
    if (
        message.kind not in get_args(MessageKind)
        or not all(isinstance(text, str) for text in texts)
        or type(message.generation) is not int
        or type(run) is not int
        or run < 1
        or not all(time is None or _is_time(time) for time in (due, sent))
    ):
        raise ForeignMessage("stepfast did not send this message")
    return Posted(replace(message, hint=hint, run=run, permits=permits), due, sent or 0.0)


def _permit_list(permit: Permit) -> list[Any]:
    id = permit.id
    held = [permit.revision, permit.since, permit.token, permit.lease, permit.reserved]
    return [id.name, id.key, id.shard, *held]


def _waited_list(permit: Permit) -> list[Any]:
    """What a permit says beside `_permit_list`. It stands apart: earlier functions refuse a longer permit."""
    return [permit.asked, permit.in_line, permit.turn, permit.put_off]


def _permits_in(permits: Any, waited: Any) -> tuple[Permit, ...]:
    if not isinstance(permits, list) or not isinstance(waited, list):
        raise ForeignMessage("stepfast did not send this message")
    return tuple(_permit_in(*each) for each in itertools.zip_longest(permits, waited[: len(permits)]))


def _permit_in(fields: Any, waited: Any) -> Permit:
    """A permit of a body; ForeignMessage for anything else.

    Functions of before sent no `waited`: they put its fields behind the others, or left them out. Further fields, which
    later functions may send, are ignored.
    """
    plain: list[Any] = [None, False, "", 0.0]
    if isinstance(fields, list):
        more = waited if isinstance(waited, list) else fields[8:]
        fields = [*fields[:8], *more[:4], *plain[len(more) :]]
    match fields:
        case [
            str(name),
            str(key),
            int(shard),
            int(revision),
            int() | float() as since,
            str(token),
            int() | float() as lease,
            bool(reserved),
            int() | float() | None as asked,
            bool(in_line),
            str(turn),
            int() | float() | None as put_off,
        ]:
            id = LimitId(name, key, shard)
            return Permit(id, revision, since, token, lease, reserved, asked, in_line, turn, put_off)
    raise ForeignMessage("stepfast did not send this message")


def _hint_in(ask: object) -> Hint | None:
    """The hint of a body; None for anything else, since a message needs none."""
    match ask:
        case [str(name), str(input), int() | float() as issued_at, int() | None as order, str(seal)]:
            return Hint(name, input, issued_at, order, seal)
    return None


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
