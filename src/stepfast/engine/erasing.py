"""Deletes executions that have ended, with all that is of them (rule *deleted*)."""

from __future__ import annotations

import logging

from stepfast.engine import caller
from stepfast.engine.ports import Store
from stepfast.engine.queries import existing
from stepfast.errors import WrongStatus
from stepfast.model import ENDED, Execution

log = logging.getLogger(__name__)


class Erasing:
    """Deletes executions by hand."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def delete(self, execution_id: str) -> None:
        """As Operations.delete."""
        while True:
            # Without its values: an execution whose data key is lost can be deleted, too.
            executions = await self._store.read_many([execution_id])
            execution = existing(executions[0] if executions else None, execution_id)
            if execution.status not in ENDED:
                raise WrongStatus(
                    f"execution {execution_id!r} is {execution.status}: cancel it first, then delete it",
                    execution.status,
                )
            await self._require_no_parent_runs(execution)
            if await self._store.erase(execution):
                by = caller.who() or "a caller without a name"
                log.info("execution %s, which was %s, is deleted by %s", execution_id, execution.status, by)
                return

    async def _require_no_parent_runs(self, child: Execution) -> None:
        if child.link is None or not child.is_child:
            return
        for parent in await self._store.read_many([child.link.parent]):
            if parent.status == "RUNNING":
                raise WrongStatus(
                    f"execution {child.execution_id!r} is a child of {parent.execution_id!r}, which is RUNNING: cancel "
                    "that one first, then delete it, which deletes its children too",
                    child.status,
                )
