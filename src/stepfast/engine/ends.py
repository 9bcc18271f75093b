"""Follows the end of an execution: reports it, passes its key on, and ends or leaves its children."""

from __future__ import annotations

from stepfast.engine.beginning import Beginning
from stepfast.engine.children import Children
from stepfast.engine.ports import Store
from stepfast.model import ENDED, ENDED_FOR_GOOD, Execution, Snapshot
from stepfast.replay.children import has_open_child
from stepfast.replay.replay import Replay

KEPT_ENDS = 1_000


class EndFollower:
    """Follows ends; any number of times is harmless."""

    def __init__(self, store: Store, children: Children, beginning: Beginning) -> None:
        self._store, self._children, self._beginning = store, children, beginning
        # Ends without a child that this process has written, by execution: the run and the generation that ended so.
        self._childless: dict[str, tuple[int, int]] = {}

    async def report_written(self, execution: Execution, replay: Replay) -> None:
        """Reports an end that this process has just written; the wake of the end then needs no records of it."""
        if execution.is_awaited and not has_open_child(replay.issued, replay.records):
            while len(self._childless) >= KEPT_ENDS:
                del self._childless[next(iter(self._childless))]
            self._childless[execution.execution_id] = execution.run, execution.generation
        await self.report(execution)

    async def report(self, execution: Execution) -> None:
        """Passes on the key of an execution that has ended, and reports a child to its parent."""
        await self._beginning.release(execution)
        if execution.link is not None:
            await self._children.report(execution.execution_id)

    async def follow(self, snapshot: Snapshot | None) -> None:
        """Passes on the key, reports a child, and ends the children of an execution that has ended for good.

        Of a PAUSED execution, it pauses the children.
        """
        if snapshot is None:
            return
        if snapshot.execution.status == "PAUSED":
            await self._children.rest(snapshot)
            return
        await self.report(snapshot.execution)
        if snapshot.execution.status in ENDED_FOR_GOOD:
            await self._children.settle(snapshot)

    async def follow_alone(self, execution_id: str, childless: bool) -> bool:
        """Does so for an end whose records are not needed. False if they are, or if the execution runs, by now again.

        childless: whether its end says that no child of it runs. If it does not, the ends count that this process has
        written: a generation ends once, and what it asked for stands from then on.
        """
        written = self._childless.pop(execution_id, None)
        if not childless and written is None:
            return False
        execution = await self._store.read(execution_id)
        if execution is not None and execution.status not in ENDED:
            return False
        if execution is not None and not childless and written != (execution.run, execution.generation):
            return False
        if execution is not None:
            await self.report(execution)
        return True
