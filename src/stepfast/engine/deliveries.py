"""What becomes of a message that was delivered, by what is stored of its execution. Pure.

A message may come twice, late, or for an execution that has gone on (rules *message without payload*, *lasting fact*).
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from stepfast.engine.claims import busy_until, end_of_chain
from stepfast.engine.messages import Message
from stepfast.engine.ports import Delete, Delivery, Disposition, Later
from stepfast.engine.withdrawals import taken_back
from stepfast.errors import NonDeterministic
from stepfast.model import Chained, Execution, Record
from stepfast.records import dataclass
from stepfast.replay.replay import Command, Replay
from stepfast.unguarded import unguarded

LONGEST_WAIT = 300.0
"""Seconds at most until a message is looked at again whose command the code does not ask for."""


@dataclass(frozen=True, slots=True)
class Settle:
    """There is nothing to run: the message has this disposition."""

    disposition: Disposition


@dataclass(frozen=True, slots=True)
class Finish:
    """The replay has ended, or ends with this error: the end is to be written."""

    error: NonDeterministic | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """A deployment has moved the step to another pool: the message is sent there."""

    message: Message


@unguarded
@dataclass(frozen=True, slots=True)
class Claim:
    """The step is free. record: what is stored of it. chained: the claim of a chain whose worker has died."""

    command: Command
    record: Record | None
    chained: Chained | None = None


Decision = Settle | Finish | Forward | Claim


def pause_after(age: float) -> float:
    """Seconds until a message of this age is looked at again whose command nothing asks for: as long as it is old."""
    return min(max(age, 1.0), LONGEST_WAIT)


def superseded(execution: Execution, message: Message, now: float) -> Disposition | None:
    """The disposition of a message whose execution is not where it was sent from; None if the execution still is.

    The message of a PAUSED execution is deleted: what unpauses it has all that is outstanding sent anew (rule *pause*).
    """
    if execution.generation < message.generation:
        return Later(now + 1.0)  # The execution was read before the resume that sent the message was visible.
    match execution.status:
        case "RUNNING" if execution.generation == message.generation:
            return None
        case "RUNNING" | "PAUSED" | "SUCCEEDED" | "FAILED" | "CLOSED" | "CANCELLED":
            return Delete()  # The execution has ended or rests, or a newer generation sends all its messages again.
        case _:
            assert_never(execution.status)


def decide(replay: Replay, execution: Execution, delivery: Delivery, now: float) -> Decision:
    """What to do with a step's message, once the execution was replayed on all its records.

    Nothing may follow from choices of the replay that are not durable (Replay.acts).
    """
    if replay.finished:
        return Finish()
    message = delivery.message
    id, chained = end_of_chain(replay.records, execution.generation, message.command_id)
    record = replay.records.get(id)
    if record is not None and record.recorded:
        return Settle(Delete())
    command = replay.outstanding.get(id)
    if command is None or command.step is None:
        if taken_back(replay, id):
            return Settle(Delete())
        # Either the message was sent before the order that asks for its command was marked, or the code that is
        # deployed now does not ask for the command, and a later deployment may. The longer this lasts, the longer the
        # message waits.
        return Settle(Later(now + pause_after(now - delivery.sent_at)))
    if command.step.pool != message.pool:
        return Forward(replace(message, command_id=id, pool=command.step.pool, hint=None))
    busy = busy_until(record, chained)
    if busy > now:
        return Settle(Later(busy))
    if chained and (record is None or record.status == "OPEN") and chained.digest != command.digest:
        return Finish(
            NonDeterministic(
                f"{command.id!r} was begun with another input; the code now asks for it with {command.input}"
            )
        )
    return Claim(command, record, chained)
