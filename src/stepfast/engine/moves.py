"""What follows from the end of an attempt: decided here, and done by the chain (rule *chain*). Pure."""

from __future__ import annotations

from collections.abc import Callable

from stepfast.engine.attempt import OwnedStep
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.finish import succeeded
from stepfast.engine.ports import End
from stepfast.engine.update_answers import owes_answers
from stepfast.language.steps import Step
from stepfast.model import Chained, Record
from stepfast.records import dataclass
from stepfast.replay.replay import Command, Replay
from stepfast.unguarded import unguarded


@unguarded
@dataclass(frozen=True, slots=True)
class Room:
    """What this worker can still take on.

    seconds: how long its invocation may go on. takes: whether a step may run on this thread.
    """

    seconds: float
    takes: Callable[[Step[..., object]], bool]


@dataclass(frozen=True, slots=True)
class PutBack:
    """The attempt is to be tried again: its record is due at a time, and the step is free until somebody claims it."""

    record: Record
    due: float


@unguarded
@dataclass(frozen=True, slots=True)
class HandOver:
    """The outcome is recorded with a wake: an advance finds out what follows from it."""

    record: Record


@unguarded
@dataclass(frozen=True, slots=True)
class GoOn:
    """The outcome is recorded together with the claim of the next step (`record.then`), which runs right here."""

    record: Record
    next: Command
    claim: Chained


@unguarded
@dataclass(frozen=True, slots=True)
class EndRun:
    """The outcome is recorded, and the execution ends with it.

    succeeded: the end, written together with the record. None for a failure, which must be parked before it is written
    (rule *finish and park*), and for a run that continues as another (rule *runs*).
    """

    record: Record
    succeeded: End | None


Move = PutBack | HandOver | GoOn | EndRun


def takes_outcome(run: OwnedStep) -> Replay | None:
    """The replay, if it may take the outcome of the run's step; None where others decide what follows.

    With siblings outstanding, their outcomes have an order, and only the advancer extends the order.
    """
    replay = run.replay
    if replay is None or len(replay.outstanding) != 1 or run.command.id not in replay.outstanding:
        return None
    if owes_answers(replay):
        return None  # an advance writes them before the end
    return replay


def next_move(run: OwnedStep, record: Record, replay: Replay | None, room: Room, now: float) -> Move:
    """What to write, and what to do next. now: after the attempt has ended.

    record: how the attempt has ended. replay: has taken the record; None where it may not (see takes_outcome).
    """
    if record.status == "RETRYING":
        return PutBack(record, record.due or 0.0)
    if replay is None:
        return HandOver(record)
    if replay.finished and replay.cancelled:
        return HandOver(record)  # the end takes records of its own
    if not replay.decided:
        return HandOver(record)  # an answer of `patched`, which the advancer makes durable (rule *patch*)
    if replay.finished:
        if replay.continues is not None and replay.withdrawn.children:
            return HandOver(record)  # the advancer ends those children before the run is over
        if replay.error is not None or replay.continues is not None:
            return EndRun(record, None)
        return EndRun(record, succeeded(run.execution, replay, now))
    command = _next_command(run, replay, room)
    if command is None or command.step is None:
        return HandOver(record)
    lease = now + command.step.lease + LEASE_MARGIN
    claim = Chained(command.id, lease, run.execution.generation, command.digest, now)
    return GoOn(record.leading_to(claim), command, claim)


def _next_command(run: OwnedStep, replay: Replay, room: Room) -> Command | None:
    """The step that follows from the outcome alone, if this worker may run it and has the time."""
    if len(replay.outstanding) != 1:
        return None
    command = next(iter(replay.outstanding.values()))
    if command.step is None or command.step.pool != run.step.pool or not room.takes(command.step):
        return None
    stored = replay.records.get(command.id)
    if stored is not None and stored.repair is not None:
        return None  # Its input is the operator's, which a claim in a chain does not have.
    if room.seconds < command.step.timeout + LEASE_MARGIN:
        return None
    return command
