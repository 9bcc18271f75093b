"""Paused workflows in the file."""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.backends.sqlite.file import SqliteFile, Transaction
from stepfast.engine.workflow_pauses import WorkflowPause

_ALL = "SELECT workflow, at, caller, why FROM workflow_pauses ORDER BY workflow"
_ONE = "SELECT at, caller, why FROM workflow_pauses WHERE workflow = ?"


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
