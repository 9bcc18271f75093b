"""What the SQLite backend reads for the Store port. store.py has the writes, and the other ports."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from stepfast.backends.sqlite import listing, metrics, rows, runs
from stepfast.backends.sqlite import signals as signal_rows
from stepfast.backends.sqlite.audit import SqliteAudit
from stepfast.backends.sqlite.changes import Changes
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.limits import SqliteLimits
from stepfast.backends.sqlite.links import SqliteLinks
from stepfast.backends.sqlite.record_reader import SqliteRecordReader
from stepfast.backends.sqlite.schedules import SqliteSchedules
from stepfast.backends.sqlite.starts import SqliteStarts
from stepfast.backends.sqlite.webhooks import SqliteWebhooks
from stepfast.backends.sqlite.workflow_pauses import SqliteWorkflowPauses
from stepfast.engine.audit_store import AuditStore
from stepfast.engine.deltas import Delta
from stepfast.engine.embedded import Stored as Stored
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.link_store import LinkStore
from stepfast.engine.metrics import Tallies
from stepfast.engine.order import cursor_of
from stepfast.engine.ports import Clock, Fault, Page, Query
from stepfast.engine.record_reader import RecordReader
from stepfast.engine.schedule_store import ScheduleStore
from stepfast.engine.start_store import StartStore
from stepfast.engine.webhooks import WebhookStore
from stepfast.engine.workflow_pauses import WorkflowPauseStore
from stepfast.model import (
    Event,
    Execution,
    OrderEntry,
    Record,
    Signal,
    Snapshot,
    run_of,
)

T = TypeVar("T")


class SqliteReads:
    """The reading half of SqliteBackend."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._opened_at = clock.now()
        self._changes = Changes()
        self._kept: tuple[int, dict[tuple[str, str, int], Any]] = (0, {})
        self.reader: RecordReader = SqliteRecordReader(file, self._opened_at)
        self.limits: LimitStore = SqliteLimits(file, clock)
        self.starts: StartStore = SqliteStarts(file)
        self.schedules: ScheduleStore = SqliteSchedules(file)
        self.audit: AuditStore = SqliteAudit(file)
        self.links: LinkStore = SqliteLinks(file)
        self.workflow_pauses: WorkflowPauseStore = SqliteWorkflowPauses(file)
        self.webhooks: WebhookStore = SqliteWebhooks(file)

    async def read(self, execution_id: str) -> Execution | None:
        return self._execution(execution_id, 0)

    async def read_many(self, execution_ids: Sequence[str]) -> list[Execution]:
        sql = f"{rows.SELECT_BRIEF} WHERE execution_id IN (SELECT value FROM json_each(?))"
        with self._file.reading() as db:
            return [rows.execution(row) for row in db.execute(sql, (json.dumps(execution_ids),))]

    async def load(self, execution_id: str, *, signals: bool = True) -> Snapshot | None:
        return self._snapshot(execution_id, None, signals)

    async def changes(self, execution_id: str, mark: int | None = None) -> Delta | None:
        # The mark is taken before the file is read: a write between the two then counts as a change after the mark.
        # Taken afterwards it would cover a write that the read has missed, which no later delta would have.
        now, changed = self._changes.since(execution_id, mark)
        snapshot = self._snapshot(execution_id, changed, signals=mark is None)
        if snapshot is not None and changed is None and not snapshot.records and snapshot.execution.status == "RUNNING":
            self._changes.note_empty(execution_id, now)
        return None if snapshot is None else Delta(snapshot, now)

    def _snapshot(self, execution_id: str, changed: Sequence[Record] | None, signals: bool) -> Snapshot | None:
        """The execution as one read of the file finds it; of its records only `changed`, where these are known."""
        row = self._file.row(rows.SELECT_HEAD, (execution_id,))
        if row is None:
            return None
        execution, cursor, has_records, has_signals = rows.head(row)
        if changed is not None and not (signals and has_signals):
            return Snapshot(execution, cursor, {record.id: record for record in changed}, (), signals)
        if not (has_records or cursor.revision or (signals and has_signals)):
            return Snapshot(execution, cursor, {}, (), signals)
        return self._whole_snapshot(execution_id, signals)

    def _whole_snapshot(self, execution_id: str, signals: bool) -> Snapshot | None:
        with self._file.reading() as db:
            row = db.execute(f"{rows.SELECT_EXECUTION} WHERE execution_id = ?", (execution_id,)).fetchone()
            if row is None:
                return None
            commands = db.execute(f"{rows.SELECT_RECORD} WHERE execution_id = ?", (execution_id,)).fetchall()
            cursor = cursor_of(_entries(db, execution_id))
            arrived = signal_rows.read(db, execution_id) if signals else []
        records = [rows.record(row, self._opened_at) for row in commands]
        return Snapshot(
            rows.execution(row),
            cursor,
            {record.id: record for record in records},
            tuple(arrived),
            signals,
        )

    async def signals(self, run_id: str, after: int = 0, *, payloads: bool = True) -> Sequence[Signal]:
        execution_id, _ = run_of(run_id)
        with self._file.reading() as db:
            return signal_rows.read(db, execution_id, after, payloads=payloads)

    async def signal(self, execution_id: str, signal_id: str) -> Signal | None:
        with self._file.reading() as db:
            return signal_rows.one(db, execution_id, signal_id)

    async def peek(self, run_id: str, command_id: str) -> tuple[Execution, Record | None] | None:
        execution_id, run = run_of(run_id)
        execution = self._unchanged("execution", execution_id, 0, self._execution)
        if execution is None:
            return None
        if execution.run != run or self._changes.lacks(execution_id, command_id):
            return execution, None
        row = self._file.row(ONE_RECORD, (execution_id, command_id))
        return execution, None if row is None else rows.record(row, self._opened_at)

    async def entries(self, run_id: str, since: int = 0, of: str | None = None) -> Sequence[OrderEntry]:
        return list(self._unchanged("order", run_of(run_id)[0], since, self._entries))

    def _execution(self, execution_id: str, _: int) -> Execution | None:
        row = self._file.row(f"{rows.SELECT_EXECUTION} WHERE execution_id = ?", (execution_id,))
        return rows.execution(row) if row else None

    def _entries(self, execution_id: str, since: int) -> Sequence[OrderEntry]:
        return tuple(rows.entry(row) for row in self._file.all_rows(ENTRIES, (execution_id, since)))

    def _unchanged(self, kind: str, execution_id: str, number: int, read: Callable[[str, int], T]) -> T:
        """What this read has found since the last commit to the file, or finds now.

        The steps of a wide gather are handled together, and look at the same execution and the same order. The count
        of commits is taken before the file is read: so what is kept under it is not older.
        """
        commits, kept = self._kept
        if commits != self._file.commits:
            commits, kept = self._kept = self._file.commits, {}
        key = (kind, execution_id, number)
        if key not in kept:
            kept[key] = read(execution_id, number)
        value: T = kept[key]
        return value

    async def history(self, run_id: str) -> list[Event]:
        with self._file.reading() as db:
            events = db.execute(
                "SELECT at, type, command, details FROM history WHERE execution_id = ? ORDER BY seq",
                (run_of(run_id)[0],),
            ).fetchall()
        return [Event(at, type, command, json.loads(details)) for at, type, command, details in events]

    # -- Store: earlier runs -----------------------------------------------------------------------------------

    async def runs(self, execution_id: str, limit: int, before: int | None = None) -> Sequence[Execution]:
        current = await self.read(execution_id)
        if current is None:
            return []
        with self._file.reading() as db:
            return runs.earlier(db, current, limit, before)

    async def load_run(self, execution_id: str, run: int) -> Snapshot | None:
        current, name = await self.read(execution_id), runs.archive_of(execution_id, run)
        if current is None:
            return None
        with self._file.reading() as db:
            execution = runs.one(db, current, run)
            if execution is None:
                return None
            commands = db.execute(f"{rows.SELECT_RECORD} WHERE execution_id = ?", (name,)).fetchall()
            cursor, taken = cursor_of(_entries(db, name)), signal_rows.read(db, name)
        records = [rows.record(row, self._opened_at) for row in commands]
        return Snapshot(execution, cursor, {record.id: record for record in records}, tuple(taken))

    async def run_history(self, execution_id: str, run: int) -> list[Event]:
        with self._file.reading() as db:
            return runs.history(db, execution_id, run)

    async def page(self, query: Query) -> Page:
        with self._file.reading() as db:
            return listing.page(db, query)

    async def faults(self, workflow: str | None, limit: int) -> tuple[Sequence[Fault], bool]:
        with self._file.reading() as db:
            return listing.faults(db, workflow, limit)

    async def figures(self, workflow: str, since: int, until: int) -> Mapping[int, Tallies]:
        with self._file.reading() as db:
            return metrics.read(db, workflow, since, until)

    async def idle(self, limit: int, after: str = "") -> tuple[Sequence[str], str]:
        with self._file.reading() as db:
            waiting = db.execute(
                "SELECT execution_id FROM executions AS e WHERE status = 'RUNNING' AND execution_id > ? "
                "AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.execution_id = e.execution_id AND dead = 0) "
                "AND NOT EXISTS (SELECT 1 FROM wakes AS w WHERE w.execution_id = e.execution_id) "
                "ORDER BY execution_id LIMIT ?",
                (after, limit),
            ).fetchall()
        ids = [id for (id,) in waiting]
        return ids, ids[-1] if len(ids) == limit else ""


ONE_RECORD = f"{rows.SELECT_RECORD} WHERE execution_id = ? AND id = ?"
ENTRIES = f"{rows.SELECT_ENTRY} WHERE execution_id = ? AND number >= ? ORDER BY number"


def _entries(db: sqlite3.Connection, execution_id: str, since: int = 0) -> list[OrderEntry]:
    return [rows.entry(row) for row in db.execute(ENTRIES, (execution_id, since))]
