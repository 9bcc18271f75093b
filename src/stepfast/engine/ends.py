"""Follows the end of an execution: reports it, passes its key on, and ends or leaves its children."""

from __future__ import annotations

from stepfast.engine.beginning import Beginning
from stepfast.engine.children import Children
from stepfast.engine.holding import Holding
from stepfast.engine.ports import Store
from stepfast.model import ENDED, ENDED_FOR_GOOD, Execution, Snapshot


class EndFollower:
    """Follows ends; any number of times is harmless."""

    def __init__(self, store: Store, children: Children, beginning: Beginning, holding: Holding) -> None:
        self._store, self._children, self._beginning, self._holding = store, children, beginning, holding

    async def report(self, execution: Execution) -> None:
        """Passes on the key of an execution that has ended, and reports a child to its parent."""
        await self._beginning.release(execution)
        if execution.link is not None:
            await self._children.report(execution.execution_id)

    async def follow(self, snapshot: Snapshot | None) -> None:
        """Passes on the key, reports a child, and ends the children of an execution that has ended for good.

        Of a PAUSED execution, it pauses the children. One that was held goes on if its workflow is not paused any more.
        """
        if snapshot is None:
            return
        if snapshot.execution.status == "PAUSED":
            if not await self._holding.follow(snapshot.execution):
                await self._children.rest(snapshot)
            return
        await self.report(snapshot.execution)
        if snapshot.execution.status in ENDED_FOR_GOOD:
            await self._children.settle(snapshot)

    async def follow_alone(self, execution_id: str) -> bool:
        """Does so for an end whose records are not needed; False if the execution runs, by now again."""
        execution = await self._store.read(execution_id)
        if execution is not None and execution.status not in ENDED:
            return False
        if execution is not None:
            await self.report(execution)
        return True
