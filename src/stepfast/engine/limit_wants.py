"""What a step wants of its limits: by which keys, and with which priority, it takes from each. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from stepfast.engine.limit_items import LimitId
from stepfast.errors import InvalidRequest, LimitKeyFailed
from stepfast.language.limits import LONGEST_LIMIT_KEY, LabelKey, Limit, is_priority
from stepfast.language.steps import Step
from stepfast.model import Execution, Record
from stepfast.records import dataclass
from stepfast.replay.commands import Command
from stepfast.shown import base_labels
from stepfast.stored_text import text_of
from stepfast.unguarded import unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class Want:
    """One limit as a step wants it."""

    limit: Limit[Any]
    id: LimitId
    turn: str
    priority: int


def wants_of(step: Step[..., Any], execution: Execution, command: Command, record: Record | None) -> Sequence[Want]:
    """What a step wants of its limits, in the order in which all take them. Raises LimitKeyFailed."""
    same = _same_for_all(step.limits)
    if same is not None:
        return same
    arguments = None
    wants = list[Want]()
    for limit in step.limits:
        if arguments is None and (callable(limit.key) or callable(limit.priority)):
            text = record.input if record is not None and record.input is not None else command.input
            try:
                arguments = step.arguments.decode(text_of(text) or "{}")
            except InvalidRequest:
                return ()  # The attempt fails by it.
        if isinstance(limit.key, LabelKey):
            key: object = base_labels(execution.labels, execution.shown, execution.run).get(limit.key.name, "")
        else:
            key = "" if limit.key is None else _called(limit, "key", limit.key, arguments)
        if not isinstance(key, str) or len(key) > LONGEST_LIMIT_KEY:
            shown = type(key).__name__ if not isinstance(key, str) else f"a text of {len(key)} characters"
            raise LimitKeyFailed(
                f"the key of limit {limit.name!r} is {shown}, and must be a text of at most {LONGEST_LIMIT_KEY} "
                "characters: fix the function and resume the execution"
            )
        priority = limit.priority
        if callable(priority):
            priority = _called(limit, "priority", priority, arguments)
        if not is_priority(priority):
            raise LimitKeyFailed(
                f"the priority of limit {limit.name!r} is {priority!r}, and must be a whole number from 0 to 999: "
                "fix the function and resume the execution"
            )
        shard = zlib.crc32(f"{execution.run_id}/{command.id}".encode()) % limit.shards
        id = LimitId(limit.name, "" if limit.shared else key, shard)
        wants.append(Want(limit, id, key if limit.shared else "", priority))
    return wants


@lru_cache(maxsize=1000)
def _same_for_all(limits: tuple[Limit[Any], ...]) -> Sequence[Want] | None:
    """What every execution wants of these limits, if that depends on neither the execution nor the arguments."""
    wants = list[Want]()
    for limit in limits:
        if limit.key is not None or callable(limit.priority) or limit.shards > 1:
            return None
        wants.append(Want(limit, LimitId(limit.name), "", limit.priority))
    return tuple(wants)


def _called(limit: Limit[Any], kind: str, function: Any, arguments: Any) -> Any:
    try:
        return function(*arguments.args, **arguments.kwargs)
    except Exception as error:
        raise LimitKeyFailed(
            f"the {kind} of limit {limit.name!r} raised {type(error).__name__}: {error}: "
            "fix the function and resume the execution"
        ) from error
