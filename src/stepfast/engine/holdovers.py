"""What a resumed execution still waits for: attempts that started before it was resumed. Pure."""

from __future__ import annotations

from stepfast.model import Execution, Record, Snapshot
from stepfast.records import dataclass
from stepfast.replay.replay import Replay


@dataclass(frozen=True, slots=True)
class HeldStep:
    """A step that is not tried again yet, since an attempt from before the resume may still run.

    Its outcome counts. until: seconds since the epoch, when the attempt's lease is over: if nothing came of it by
    then, its process has died, and the step is tried again.
    """

    command_id: str
    attempt: int
    until: float


def held_until(execution: Execution, record: Record | None) -> float | None:
    """The end of a lease that was claimed before the last resume; None for what is not held up."""
    if record is None or record.status != "RUNNING" or execution.status != "RUNNING":
        return None
    older = (record.started_at or 0.0) < (execution.resumed_at or 0.0)
    return record.lease if older else None


def held_up(snapshot: Snapshot, replay: Replay | None) -> list[HeldStep]:
    """The commands that are held up, in the order in which the code asks for them."""
    asked = list(replay.outstanding) if replay is not None else list(snapshot.records)
    records = [snapshot.records[id] for id in asked if id in snapshot.records]
    holds = [(record, held_until(snapshot.execution, record)) for record in records]
    return [HeldStep(record.id, record.attempt, until) for record, until in holds if until is not None]
