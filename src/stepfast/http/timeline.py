"""The commands of an execution: those with a record, and those that the code has issued without a record yet. Pure."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stepfast.engine.claims import idempotency_key
from stepfast.engine.holdovers import held_until
from stepfast.engine.limits_waited import waits_in
from stepfast.engine.resending import RESEND_AFTER_SECONDS, resend_after
from stepfast.http import values, views
from stepfast.http.models import AttemptView, CommandView
from stepfast.language import labels
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.model import UNDER_WAY, Chained, CommandKind, CommandStatus, Cursor, Execution, Record, Snapshot
from stepfast.records import dataclass
from stepfast.replay.replay import Command, Replay
from stepfast.stored_text import StoredText, Text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """All that is known of one command: its record, the issued command, and the claim of a chain on it."""

    id: str
    status: CommandStatus
    record: Record | None
    command: Command | None
    claim: Chained | None
    number: int = 0
    """Its place among commands that began at the same time: the order of issue."""

    @property
    def at(self) -> float:
        """The first sort key of the timeline."""
        return self.first or 0.0

    @property
    def kind(self) -> CommandKind:
        return self.record.kind if self.record else self.command.kind if self.command else "step"

    @property
    def name(self) -> str:
        return self.record.name if self.record else self.command.name if self.command else self.id

    @property
    def input(self) -> Text | None:
        asked = self.command.input if self.command else None
        if self.record and self.record.input is not None and self.record.input != asked:
            return self.record.input
        return asked

    @property
    def due(self) -> float | None:
        if self.record and self.record.due is not None:
            return self.record.due
        return self.command.due if self.command else None

    @property
    def overdue_at(self) -> float | None:
        """The time by which it should have progressed; None if it waits for a signal or has ended."""
        at = None
        if self.status == "RUNNING":
            at = self.claim.lease if self.claim else self.record.lease if self.record else None
        elif self.status == "RETRYING" or (self.kind == "timer" and self.status == "OPEN"):
            at = self.due
        waits = self.status == "RETRYING" and self.command is not None  # perhaps in the line of a limit
        after = resend_after(self.command) if waits and self.command else RESEND_AFTER_SECONDS
        return None if at is None else at + after

    @property
    def first(self) -> float | None:
        record = self.record
        if record is not None and record.first_at is not None:
            return record.first_at
        if self.claim is not None:
            return self.claim.started_at
        if self.command is not None:
            return self.command.issued_at
        return record.started_at or record.ended_at if record is not None else None


def ordered(snapshot: Snapshot, replay: Replay | None) -> list[TimelineEntry]:
    """Every command by the time it was first asked for or claimed, then as issued.

    Left out is what never began and is not waited for: the timer of a timeout that was not needed, a
    record that a resume re-opened and the code has not asked for again.
    """
    return sorted(_entries(snapshot, replay), key=lambda entry: (entry.at, entry.number))


def of_records(execution: Execution, records: Iterable[Record]) -> list[TimelineEntry]:
    """What these records alone tell of their commands, in their order; without those that never began."""
    snapshot = Snapshot(execution, Cursor(), {record.id: record for record in records})
    return list(_entries(snapshot, None))


def views_of(
    entries: Iterable[TimelineEntry], execution: Execution, registry: Registry, largest: int | None, now: float
) -> list[CommandView]:
    """largest: bytes of the largest values that are shown. now: by which commands are overdue."""
    workflow = registry.get(execution.workflow)
    steps = {step.name: step for step in registry.steps_of(workflow)} if workflow else {}
    return [_view(entry, execution, steps, largest, now) for entry in entries]


def overdue_in(snapshot: Snapshot, now: float) -> list[str]:
    """The ids of recorded commands that are overdue: they change an answer although nothing was written."""
    if snapshot.execution.status != "RUNNING":
        return []
    unrecorded = (
        TimelineEntry(record.id, record.status, record, None, None)
        for record in snapshot.records.values()
        if not record.recorded
    )
    return [entry.id for entry in unrecorded if entry.overdue_at is not None and entry.overdue_at < now]


def _entries(snapshot: Snapshot, replay: Replay | None) -> Iterator[TimelineEntry]:
    """The commands in order of issue, then those that only records know."""
    issued: Mapping[str, Command] = replay.issued if replay else {}
    chained = {
        record.then.id: record.then
        for record in snapshot.records.values()
        if record.then is not None and record.then.generation == snapshot.execution.generation
    }
    for number, id in enumerate(dict.fromkeys([*issued, *snapshot.records])):
        record = snapshot.records.get(id)
        claim = None if _begun(record) else chained.get(id)
        status = _status(record, claim, _awaited(id, snapshot, replay))
        if status is not None:
            yield TimelineEntry(id, status, record, issued.get(id), claim, number)


def _awaited(id: str, snapshot: Snapshot, replay: Replay | None) -> bool:
    """True for what the code waits for, or would go on waiting for after a resume.

    Without code to ask, and for what this code has not asked for so far, the records have the word.
    """
    if replay is None:
        return snapshot.execution.status != "SUCCEEDED"
    if id not in replay.issued:
        record = snapshot.records[id]
        return _begun(record)
    return id in replay.outstanding and snapshot.execution.status != "SUCCEEDED"


def _status(record: Record | None, claim: Chained | None, awaited: bool) -> CommandStatus | None:
    """None for a command that is hidden; `claim` is the chain's, for a step that has no record of its own yet."""
    if record is not None and record.recorded:
        return record.status
    if not awaited:
        return "CANCELLED" if claim or _begun(record) else None
    if claim or (record is not None and record.status == "OPEN" and record.children):
        return "RUNNING"  # a child has a record without an outcome from its start on
    return record.status if record is not None else "OPEN"


def _begun(record: Record | None) -> bool:
    return record is not None and (record.status != "OPEN" or bool(record.children))


def _view(
    entry: TimelineEntry, execution: Execution, steps: Mapping[str, Step[..., Any]], largest: int | None, now: float
) -> CommandView:
    record, claim, command = entry.record, entry.claim, entry.command
    overdue_at = entry.overdue_at if execution.status == "RUNNING" else None
    step = command.step if command and command.step else steps.get(entry.name)
    return CommandView(
        id=entry.id,
        kind=entry.kind,
        name=entry.name,
        label=_label(entry, step) if entry.kind == "step" else None,
        status=entry.status,
        attempt=1 if claim else record.attempt if record else 0,
        generation=record.generation if record and not claim else execution.generation,
        pool=step.pool if step and entry.kind == "step" else None,
        error=views.error(record.error) if record else None,
        first_at=views.time_or_none(entry.first),
        started_at=views.time_or_none(claim.started_at if claim else record.started_at if record else None),
        ended_at=views.time_or_none(record.ended_at) if record else None,
        due=views.time_or_none(_due(entry, execution)),
        held_until=views.time_or_none(held_until(execution, record) if entry.status == "RUNNING" else None),
        progress=json.loads(record.progress) if record and record.progress else None,
        signal_id=record.signal if record else None,
        attempts=list(_attempts(record, claim)),
        idempotency_key=_idempotency_key(entry, execution),
        payload_schema=_payload_schema(entry),
        overdue=overdue_at is not None and overdue_at < now,
        overdue_at=views.time_or_none(overdue_at),
        children=list(record.children) if record else [],
        waited=[views.with_times(wait) for wait in waits_in(record.waited)] if record else [],
        asked_at=views.time_or_none(command.issued_at if command and entry.kind == "step" else None),
        **values.shown(largest, input=entry.input, output=record.output if record else None),
    )


def _due(entry: TimelineEntry, execution: Execution) -> float | None:
    """None for a step that is not tried again: it was taken back, or waits for a resume, which tries it at once."""
    waits = entry.status != "CANCELLED" and execution.status in UNDER_WAY
    return entry.due if entry.kind != "step" or waits else None


def _idempotency_key(entry: TimelineEntry, execution: Execution) -> str | None:
    """None also for a step whose input nobody can tell: its record was re-opened and its code is gone."""
    if entry.kind != "step" or entry.input is None or isinstance(entry.input, StoredText):
        return None
    return idempotency_key(execution.run_id, entry.id, entry.input)


def _label(entry: TimelineEntry, step: Step[..., Any] | None) -> str | None:
    """Which item the step is about; a label that fails for these arguments is as none."""
    input = None if isinstance(entry.input, StoredText) else entry.input
    if step is None or step.label is None or input is None or len(input) > labels.LONGEST_INPUT:
        return labels.first_argument(input)
    try:
        bound = step.arguments.decode(input)
        bound.apply_defaults()
        if isinstance(step.label, str):
            return labels.cut(step.label.format(**bound.arguments))
        return labels.cut(str(step.arguments.call(step.label, bound)))
    except Exception as error:
        log.warning("the label of step %r failed: %s", step.name, type(error).__name__)
        return labels.first_argument(input)


def _payload_schema(entry: TimelineEntry) -> dict[str, Any] | None:
    waits = entry.kind == "signal" and entry.status == "OPEN"
    codec = entry.command.codec if entry.command and waits else None
    return None if codec is None else views.schema(codec)


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
