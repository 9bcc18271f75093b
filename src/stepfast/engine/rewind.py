"""What a resume re-opens: the failure, what was decided after it, and nothing else (rule *rewind*). Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepfast.engine.history import failure_json, record_events
from stepfast.errors import InvalidRequest
from stepfast.language.workflows import Workflow
from stepfast.model import Event, Execution, OrderEntry, Record, Snapshot
from stepfast.records import dataclass
from stepfast.replay.patches import marks_in
from stepfast.replay.replay import Replay

NOTHING_FAILED = (
    "no failed step stood behind the failure: the code at hand runs again on what is recorded; "
    "to run a step again, name it"
)


@dataclass(frozen=True, slots=True)
class Rewind:
    """One transaction's worth of changes; `cut` is the entry that the order's log gets, None where nothing changes."""

    execution: Execution
    cut: OrderEntry | None
    records: tuple[Record, ...]
    history: tuple[Event, ...]

    @property
    def notice(self) -> str | None:
        """What to tell who resumed without naming a step, where no step is run again."""
        return NOTHING_FAILED if self.history and not self.reopened else None

    @property
    def reopened(self) -> list[str]:
        """Ids of the recorded commands that run again if the code asks for them."""
        return [record.id for record in self.records if record.status == "OPEN"]


def repaired(plan: Rewind, snapshot: Snapshot, command_id: str, change: Mapping[str, Any]) -> Rewind:
    """The plan, with one of the commands that it opens changed by an operator instead (rule *repair*)."""

    def repair(record: Record) -> Record:
        if record.id != command_id:
            return record
        if "output" not in change:
            return replace(record, input=change["input"], repair=change["repair"])
        return changed_by(change, snapshot.records[command_id], record.revision, record.generation)

    return replace(plan, records=tuple(map(repair, plan.records)))


def rewind(workflow: Workflow[..., Any], snapshot: Snapshot, now: float, steps: Sequence[str] | None = None) -> Rewind:
    """Plans the resume of a FAILED execution to just before its failure was applied.

    Re-opened are the commands behind the error, or those that the operator names in `steps` instead; siblings whose
    failure was not applied before it; and every command that was only asked for since (compensation). A timer that
    timed the workflow out waits its whole time again, and a step that waits for its next try is tried at once. An
    attempt that still runs goes on: its outcome belongs to the command. All other records stay, and their steps never
    run again. Records that broken code no longer reaches stay too, since the next resume may reach them.
    """
    execution, cursor = snapshot.execution, snapshot.cursor
    # An update that was answered stays answered, whatever runs again (rule *update*).
    records = {id: record for id, record in snapshot.records.items() if record.kind != "update"}
    behind = dict.fromkeys(id for id in (execution.causes if steps is None else steps) if id in records)
    reopen = dict(behind)
    first = min((cursor.applied.index(id) for id in reopen if id in cursor.applied), default=len(cursor.applied))
    held = {id: record for id, record in records.items() if id not in reopen}
    order = (*cursor.applied[:first], *marks_in(cursor.applied[first:]))  # as it is after the cut (rule *patch*)
    before, cut = _replayed(workflow, execution, held, order, [*records, *cursor.dispatched]), first
    if before.error is None:
        cut = min(first, before.position)
        siblings = [id for id, record in records.items() if _may_run_again(record) and id not in before.taken]
        reopen |= dict.fromkeys([*siblings, *(id for id in records if id not in before.issued)])
    generation = execution.generation + 1
    opened = tuple(
        Record(
            id,
            records[id].kind,
            records[id].name,
            "OPEN",
            generation,
            revision=records[id].revision + 1,
            due=_due_again(records[id], before, now) if id in behind else None,
            children=records[id].children,
        )
        for id in reopen
    )
    waiting = tuple(_tried_at_once(records, reopen, before, now))
    return Rewind(
        replace(
            execution, status="RUNNING", generation=generation, error=None, causes=(), ended_at=None, resumed_at=now
        ),
        OrderEntry(cursor.revision, generation, cut=cut),
        opened + waiting,
        tuple(_history(snapshot, [records[record.id] for record in opened], now)),
    )


def changed_by(change: Mapping[str, Any], record: Record, revision: int, generation: int) -> Record:
    """The record with a repair; with a result it is SUCCEEDED, and an attempt that still runs is refused."""
    repaired = replace(record, revision=revision, generation=generation, **change)
    if repaired.status == "SUCCEEDED":
        return replace(repaired, error=None, lease=None, due=None, token=None)
    return repaired


def check_steps(snapshot: Snapshot, steps: Sequence[str]) -> None:
    """InvalidRequest for a command of `steps` that is unknown, has no outcome, or is a signal wait."""
    execution_id = snapshot.execution.execution_id
    for index, id in enumerate(steps):
        record = snapshot.records.get(id)
        if record is None:
            alike = [other.id for other in snapshot.records.values() if other.name == id.rpartition("/")[2]]
            near = f"; of that name there are {', '.join(alike[:5])}" if alike else "; `stepfast show` lists them"
            wrong = f"execution {execution_id!r} has no command {id!r}{near}"
        elif record.kind == "update":
            wrong = f"{id!r} is an update, which was answered: name one of its steps"
        elif record.kind == "signal":
            wrong = f"{id!r} waits for a signal, and would take the same one again: name a step or a timer"
        elif record.kind == "child" and record.status == "SUCCEEDED":
            wrong = (
                f"{id!r} is a child that has SUCCEEDED, and would report the same result again: name another command"
            )
        elif not record.recorded:
            wrong = f"{id!r} has no outcome yet: a resume goes on with it as it is"
        else:
            continue
        raise InvalidRequest(wrong, ((f"steps[{index}]", wrong),))


def _may_run_again(record: Record) -> bool:
    """Whether an outcome that was not applied is opened again. A child may have been cancelled with its timeout."""
    return record.status == "FAILED" or (record.status == "CANCELLED" and record.kind == "child")


def _replayed(
    workflow: Workflow[..., Any], execution: Execution, records: Any, applied: Any, sent: Collection[str]
) -> Replay:
    replay = Replay(workflow, execution)
    replay.sent = sent
    try:
        replay.advance(records, applied)
    finally:
        replay.close()
    return replay


def _tried_at_once(
    records: Mapping[str, Record], reopen: Container[str], before: Replay, now: float
) -> Iterator[Record]:
    """A step that waits for its next try is due now: the operator has fixed it, and does not wait out the old delay.

    It keeps its attempts and its generation: this is no new beginning, and the next advance sends it as the
    resume's.
    """
    for record in records.values():
        waited = record.status == "RETRYING" and record.id not in reopen and (record.due or 0.0) > now
        if waited and (before.error is not None or record.id in before.outstanding):
            yield replace(record, due=now, revision=record.revision + 1)


def _due_again(record: Record, before: Replay, now: float) -> float | None:
    if record.kind != "timer":
        return None
    command = before.issued.get(record.id)
    return now + (command.delay or 0.0) if command else None


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
