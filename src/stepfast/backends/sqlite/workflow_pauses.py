"""Paused workflows in the file, and the notes of what is held with them."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.transaction import Transaction
from stepfast.engine.workflow_pauses import HeldPage, HeldStart, WorkflowPause

_ALL = "SELECT workflow, at, caller, why FROM workflow_pauses ORDER BY workflow"
_ONE = "SELECT at, caller, why FROM workflow_pauses WHERE workflow = ?"
_HELD = (
    "SELECT workflow, execution_id, at FROM held_starts WHERE workflow = ? AND execution_id > ? "
    "ORDER BY execution_id LIMIT ?"
)


class SqliteWorkflowPauses:
    """The WorkflowPauseStore on the file. Each read sees every write that was answered."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._writes = 0
        self._kept: Mapping[str, WorkflowPause] | None = None

    async def all(self, *, settled: bool = False) -> Mapping[str, WorkflowPause]:
        # Each execution that begins asks. All writes of the file pass through its one owner, so what was read stands
        # until the next of them.
        kept = self._kept
        if kept is not None:
            return kept
        writes = self._writes
        read = {name: WorkflowPause(*rest) for name, *rest in self._file.all_rows(_ALL, ())}
        with self._lock:
            if writes == self._writes:
                self._kept = read
        return read

    def _forget(self) -> None:
        with self._lock:
            self._writes += 1
            self._kept = None

    async def pause(self, workflow: str, pause: WorkflowPause) -> WorkflowPause:
        def run(tx: Transaction) -> WorkflowPause:
            values = (workflow, pause.at, pause.by, pause.why)
            tx.after.append(self._forget)
            tx.execute("INSERT INTO workflow_pauses VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
            return WorkflowPause(*tx.execute(_ONE, (workflow,)).fetchone())

        return await self._file.write(run)

    async def unpause(self, workflow: str) -> bool:
        def run(tx: Transaction) -> bool:
            tx.after.append(self._forget)
            return tx.execute("DELETE FROM workflow_pauses WHERE workflow = ?", (workflow,)).rowcount == 1

        return await self._file.write(run)

    async def note_held(self, held: HeldStart) -> None:
        sql, values = "INSERT OR REPLACE INTO held_starts VALUES (?, ?, ?)", (held.workflow, held.execution_id, held.at)
        await self._file.write(lambda tx: tx.execute(sql, values))

    async def held(self, workflow: str, limit: int, cursor: str | None = None) -> HeldPage:
        with self._file.reading() as db:
            notes = [HeldStart(*row) for row in db.execute(_HELD, (workflow, cursor or "", limit))]
        return notes, notes[-1].execution_id if len(notes) == limit else None

    async def forget_held(self, held: HeldStart) -> None:
        sql = "DELETE FROM held_starts WHERE workflow = ? AND execution_id = ? AND at = ?"
        values = (held.workflow, held.execution_id, held.at)
        await self._file.write(lambda tx: tx.execute(sql, values))
