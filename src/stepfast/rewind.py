"""What a resume re-opens: the failure, what was decided after it, and nothing else (rule 11). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from stepfast.failure import failure_of
from stepfast.history import failure_json, record_events
from stepfast.model import Cursor, Event, Execution, Failure, Record, Snapshot
from stepfast.replay import Replay
from stepfast.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Rewind:
    """One transaction's worth of changes; `cursor` is None where no order was ever written."""

    execution: Execution
    cursor: Cursor | None
    records: tuple[Record, ...]
    history: tuple[Event, ...]


def rewind(workflow: Workflow[..., Any], snapshot: Snapshot, now: float) -> Rewind:
    """Plans the resume of a FAILED execution to just before its failure was applied.

    Re-opened are the commands behind the error, siblings that failed unapplied, and every command that
    is only asked for because of the failure (compensation). A timer that timed the workflow out waits
    its whole time again. Everything else stays recorded and never runs again; so does what code that is
    broken by now no longer gets to, for the next resume then finds it.
    """
    execution, cursor, records = snapshot.execution, snapshot.cursor, snapshot.records
    failed = _replayed(workflow, execution, records, cursor.applied)
    pending = [one.id for one in records.values() if one.status == "FAILED" and one.id not in failed.taken]
    if failed.error is not None and not _is(execution.error, failure_of(failed)):
        pending = []
    reopen = dict.fromkeys([*(id for id in execution.causes if id in records), *pending])
    first = min((cursor.applied.index(id) for id in reopen if id in cursor.applied), default=len(cursor.applied))
    applied = cursor.applied[:first]
    kept = {id: one for id, one in records.items() if id not in reopen}
    before = _replayed(workflow, execution, kept, applied)
    if before.error is None:
        applied = applied[: before.position]
        reopen |= dict.fromkeys(id for id in records if id not in before.issued)
    generation = execution.generation + 1
    opened = tuple(
        Record(
            id,
            records[id].kind,
            records[id].name,
            "OPEN",
            generation,
            revision=records[id].revision + 1,
            due=_due_again(records[id], failed, now),
        )
        for id in reopen
    )
    return Rewind(
        replace(execution, status="RUNNING", generation=generation, error=None, causes=(), ended_at=None),
        replace(cursor, applied=applied, revision=cursor.revision + 1) if cursor.revision else None,
        opened,
        tuple(_history(snapshot, [records[one.id] for one in opened], now)),
    )


def _replayed(workflow: Workflow[..., Any], execution: Execution, records: Any, applied: Any) -> Replay:
    replay = Replay(workflow, execution)
    try:
        replay.advance(records, applied)
    finally:
        replay.close()
    return replay


def _is(stored: Failure | None, found: Failure) -> bool:
    return stored is not None and (stored.type, stored.message) == (found.type, found.message)


def _due_again(record: Record, failed: Replay, now: float) -> float | None:
    if record.kind != "timer" or record.id not in failed.execution.causes:
        return None
    command = failed.issued.get(record.id)
    return now + (command.delay or 0.0 if command else 0.0)


def _history(snapshot: Snapshot, replaced: list[Record], now: float) -> Iterator[Event]:
    """What the new generation overwrites, as events: the records, and the failure itself."""
    execution = snapshot.execution
    for record in replaced:
        if record.status == "OPEN":
            continue
        yield from record_events(record)
        details: dict[str, object] = {"generation": execution.generation}
        yield Event(now, "command-reopened", record.id, details)
    yield Event(
        execution.ended_at or now,
        "execution-failed",
        None,
        {"generation": execution.generation, "error": failure_json(execution.error)},
    )
    yield Event(now, "execution-resumed", None, {"generation": execution.generation + 1})
