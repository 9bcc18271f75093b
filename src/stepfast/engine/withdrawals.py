"""What workflow code has taken back: commands that the durable order has withdrawn (rule *taken back*)."""

from __future__ import annotations

from stepfast.engine.opening import ReplayOpener
from stepfast.engine.order import asked_for
from stepfast.engine.ports import Store
from stepfast.model import Execution
from stepfast.replay.replay import Replay


def taken_back(replay: Replay, id: str) -> bool:
    """True when the code has asked for the command and waits for it no more, without having had its outcome.

    A replay from the cache may be ahead of the durable order. A command that it has withdrawn on the way may still be
    asked for: another order may become the durable one.
    """
    waited = id in replay.outstanding or id in replay.taken
    ahead = not replay.decided and id in replay.withdrawn
    return id in replay.issued and not waited and not ahead and not replay.stale


class Withdrawals:
    """Looks up whether a command was taken back; replays only when the order has changed and does not mark it."""

    def __init__(self, store: Store, opener: ReplayOpener) -> None:
        self._store, self._opener = store, opener

    async def look(self, execution: Execution, command_id: str, seen: int) -> tuple[int, bool]:
        """The number of entries under which the order asked for the command last, and whether it was taken back since.

        seen: such a number that is known already, -1 for none.
        """
        id = execution.execution_id
        entries = await self._store.entries(execution.run_id, max(seen, 0), command_id)
        if asked_for(entries, command_id, execution.generation, seen >= 0):
            return max(seen, 0) + len(entries), False
        # The execution may have ended since it was read: what it took back before still stands.
        async with self._opener.open(id, ended=True) as opened:
            snapshot, replay = opened.snapshot, opened.replay
            if snapshot is None or replay is None or snapshot.execution.generation != execution.generation:
                return seen, False
            replay.advance(snapshot.records, opened.order.applied)
            if not opened.cached:
                replay.lines.drop()  # The advance that sent the step has logged them.
            opened.keep()
            asked = command_id in replay.outstanding and not replay.stale
            return opened.order.revision if asked else seen, taken_back(replay, command_id)
