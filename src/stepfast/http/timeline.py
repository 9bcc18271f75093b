"""The commands of an execution: those recorded, and those that its code only asks for so far. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stepfast.http import views
from stepfast.http.models import AttemptView, CommandView
from stepfast.model import Chained, CommandStatus, Record, Snapshot
from stepfast.registry import Registry
from stepfast.replay import Command, Replay
from stepfast.workflow import Step


def commands_of(snapshot: Snapshot, replay: Replay | None, registry: Registry) -> list[CommandView]:
    """Every command by the time it was first asked for or claimed, then as issued.

    Left out is what never began and is not waited for: the timer of a timeout that was not needed, a
    record that a resume re-opened and the code has not asked for again.
    """
    issued: Mapping[str, Command] = replay.issued if replay else {}
    generation = snapshot.execution.generation
    chained = {
        one.then.id: one.then
        for one in snapshot.records.values()
        if one.then is not None and one.then.generation == generation
    }
    workflow = registry.get(snapshot.execution.workflow)
    steps = {one.name: one for one in registry.steps_of(workflow)} if workflow else {}
    found = []
    for place, id in enumerate(dict.fromkeys([*issued, *snapshot.records])):
        record, command = snapshot.records.get(id), issued.get(id)
        claim = None if _begun(record) else chained.get(id)
        status = _status(record, claim, _awaited(id, snapshot, replay))
        if status is None:
            continue
        first = _first(record, command, claim)
        found.append((first or 0.0, place, _view(id, status, record, command, claim, steps, first, generation)))
    return [view for _, _, view in sorted(found, key=lambda one: one[:2])]


def _awaited(id: str, snapshot: Snapshot, replay: Replay | None) -> bool:
    """True for what the code waits for, or would go on waiting for after a resume.

    Without code to ask, and for what this code has not asked for so far, the records have the word.
    """
    if replay is None:
        return True
    if id not in replay.issued:
        record = snapshot.records[id]
        return _begun(record)
    return id in replay.outstanding and snapshot.execution.status != "SUCCEEDED"


def _status(record: Record | None, claim: Chained | None, awaited: bool) -> CommandStatus | None:
    """None for what is not to be shown; `claim` is the chain's, for a step that has no record of its own yet."""
    if record is not None and record.recorded:
        return record.status
    if not awaited:
        return "CANCELLED" if claim or _begun(record) else None
    if claim:
        return "RUNNING"
    return record.status if record is not None else "OPEN"


def _begun(record: Record | None) -> bool:
    return record is not None and record.status != "OPEN"


def _first(record: Record | None, command: Command | None, claim: Chained | None) -> float | None:
    if record is not None and record.first_at is not None:
        return record.first_at
    if claim is not None:
        return claim.started_at
    if command is not None:
        return command.issued_at
    return record.started_at or record.ended_at if record is not None else None


def _view(
    id: str,
    status: CommandStatus,
    record: Record | None,
    command: Command | None,
    claim: Chained | None,
    steps: Mapping[str, Step[..., Any]],
    first: float | None,
    generation: int,
) -> CommandView:
    name = record.name if record else command.name if command else id
    kind = record.kind if record else command.kind if command else "step"
    step = command.step if command and command.step else steps.get(name)
    input = record.input if record and record.input is not None else command.input if command else None
    due = record.due if record and record.due is not None else command.due if command else None
    return CommandView(
        id=id,
        kind=kind,
        name=name,
        status=status,
        attempt=1 if claim else record.attempt if record else 0,
        generation=record.generation if record and not claim else generation,
        pool=step.pool if step and kind == "step" else None,
        input=views.value(input),
        output=views.value(record.output) if record else None,
        error=views.error(record.error) if record else None,
        first_at=views.time_or_none(first),
        started_at=views.time_or_none(claim.started_at if claim else record.started_at if record else None),
        ended_at=views.time_or_none(record.ended_at) if record else None,
        due=views.time_or_none(due),
        signal_id=record.signal if record else None,
        attempts=list(_attempts(record, claim)),
    )


def _attempts(record: Record | None, claim: Chained | None) -> Iterator[AttemptView]:
    """Past attempts, then the running or succeeded one, which the record holds as its own."""
    if claim is not None:
        yield AttemptView(attempt=1, started_at=views.time(claim.started_at), ended_at=None, error=None, next_at=None)
    if record is None or record.kind != "step" or claim is not None:
        return
    for past in record.attempts:
        yield AttemptView(
            attempt=past.number,
            started_at=views.time(past.started_at),
            ended_at=views.time_or_none(past.ended_at),
            error=views.error(past.error),
            next_at=views.time_or_none(past.next_at),
        )
    last = record.attempts[-1].number if record.attempts else 0
    if record.attempt > last and record.started_at is not None:
        yield AttemptView(
            attempt=record.attempt,
            started_at=views.time(record.started_at),
            ended_at=views.time_or_none(record.ended_at),
            error=None,
            next_at=None,
        )
