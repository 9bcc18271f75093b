"""What a fork takes over: the records before a command, and the order of their outcomes (rule *fork*). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepfast.errors import InvalidRequest
from stepfast.language.workflows import Workflow
from stepfast.model import Execution, Record, Snapshot, changed
from stepfast.records import dataclass
from stepfast.replay.cancelling import mark_of
from stepfast.replay.handlers import SIGNAL as UPDATE_SIGNAL
from stepfast.replay.replay import Replay

EVERY = 1 << 53
"""More outcomes than any execution has."""


@dataclass(frozen=True, slots=True)
class ForkPlan:
    """before: the ids of the commands that run anew. records: as the origin has them. applied: their order.

    taken: how many outcomes the code has taken at the fork. timers: the ids of those that wait anew, and seconds.
    """

    before: tuple[str, ...]
    records: tuple[Record, ...]
    applied: tuple[str, ...]
    taken: int
    timers: tuple[tuple[str, float], ...] = ()


def plan_fork(workflow: Workflow[..., Any], snapshot: Snapshot, before: str | None) -> ForkPlan:
    """Plans a fork just before the outcome of a command was applied, or at the failure.

    Taken over are the outcomes of all commands that the code had asked for by then. A command that had no outcome when
    the snapshot was read, or whose failure was not applied by then, runs anew, and so does all that follows. The code
    decides what it had asked for: it is run with the input of the origin. If it breaks off, every outcome is taken
    over. An update that the code had not taken by then stays with the origin: its sender has sent it to that one.
    Raises InvalidRequest for a command that the execution does not have, and where there is no failure to fork at.
    """
    execution, records = snapshot.execution, snapshot.records
    if before is None and execution.status not in ("FAILED", "CLOSED"):
        wrong = (
            f"execution {execution.execution_id!r} is {execution.status}, and has no failure to fork at: say before "
            "which command, by its id as `stepfast show` has it"
        )
        raise InvalidRequest(wrong, (("before", wrong),))
    anew = execution.causes if before is None else (before,)
    applied = _before(snapshot.cursor.applied, anew)
    replay = Replay(workflow, replace(execution, status="RUNNING", intervention=None))
    try:
        replay.advance({id: record for id, record in records.items() if id not in anew}, applied)
    finally:
        replay.close()
    if before is not None and before not in records and before not in replay.issued:
        raise InvalidRequest(*_unknown(snapshot, before))
    outcomes = [record for record in records.values() if record.recorded and record.id not in anew]
    if replay.error is not None:
        sure = tuple(record for record in outcomes if record.status != "CANCELLED")
        return ForkPlan(anew, sure, applied, len(replay.taken))
    applied = applied[: replay.position]
    kept = [
        record
        for record in outcomes
        if record.id in replay.taken
        or (record.id in replay.issued and record.status == "SUCCEEDED" and record.name != UPDATE_SIGNAL)
    ]
    has_outcome = {record.id for record in kept}
    timers = [
        (id, command.delay or 0.0)
        for id, command in replay.outstanding.items()
        if command.kind == "timer" and id not in has_outcome
    ]
    return ForkPlan(anew, tuple(kept), applied, len(replay.taken), tuple(timers))


def whole(snapshot: Snapshot) -> ForkPlan:
    """All that an execution has recorded, for a copy of one that has ended."""
    records = tuple(record for record in snapshot.records.values() if record.recorded)
    return ForkPlan((), records, _before(snapshot.cursor.applied, ()), EVERY)


def taken_over(record: Record, generation: int, children: Sequence[str] = ()) -> Record:
    """The record as a fork has it: without what belongs to the attempts of the origin's workers."""
    return changed(
        record, generation=generation, revision=1, token=None, lease=None, due=None, then=None, children=tuple(children)
    )


def opened_timer(id: str, due: float, generation: int) -> Record:
    """The record of a timer that waits its whole time again."""
    return Record(id, "timer", "timer", "OPEN", generation, due=due)


def seeds_of(origin: Execution, taken: int) -> tuple[tuple[str, int], ...]:
    """What the code of a fork draws chance from, up to so many outcomes: what the origin has drawn it from."""
    seeds: list[tuple[str, int]] = []
    for seed, last in origin.forked.seeds if origin.forked is not None and origin.run == 1 else ():
        if last >= taken:
            return (*seeds, (seed, taken))
        seeds.append((seed, last))
    return (*seeds, (origin.run_id, taken))


def _before(applied: Sequence[str], anew: Collection[str]) -> tuple[str, ...]:
    """The order up to the first of these commands, and up to a cancel."""
    for place, id in enumerate(applied):
        if id in anew or mark_of(id) is not None:
            return tuple(applied[:place])
    return tuple(applied)


def _unknown(snapshot: Snapshot, before: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    records: Mapping[str, Record] = snapshot.records
    alike = [record.id for record in records.values() if record.name == before.rpartition("/")[2]]
    near = f"; of that name there are {', '.join(alike[:5])}" if alike else "; `stepfast show` lists them"
    wrong = f"execution {snapshot.execution.execution_id!r} has no command {before!r}{near}"
    return wrong, (("before", wrong),)
