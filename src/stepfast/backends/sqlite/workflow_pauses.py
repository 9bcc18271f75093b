"""Paused workflows in the file, and the notes of what is held with them."""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.backends.sqlite.file import SqliteFile, Transaction
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

    async def all(self, *, settled: bool = False) -> Mapping[str, WorkflowPause]:
        with self._file.reading() as db:
            return {name: WorkflowPause(*rest) for name, *rest in db.execute(_ALL)}

    async def pause(self, workflow: str, pause: WorkflowPause) -> WorkflowPause:
        def run(tx: Transaction) -> WorkflowPause:
            values = (workflow, pause.at, pause.by, pause.why)
            tx.execute("INSERT INTO workflow_pauses VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
            return WorkflowPause(*tx.execute(_ONE, (workflow,)).fetchone())

        return await self._file.write(run)

    async def unpause(self, workflow: str) -> bool:
        sql = "DELETE FROM workflow_pauses WHERE workflow = ?"
        return await self._file.write(lambda tx: tx.execute(sql, (workflow,)).rowcount == 1)

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
