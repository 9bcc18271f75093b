"""Opens the replay of an execution, and closes it: whoever handles an execution goes through here.

A replay comes from the replay cache where one is kept, and starts again where none is (docs/adr/0006-live-replays.md).
"""

from __future__ import annotations

from stepfast.engine.order import Order
from stepfast.engine.ports import Store
from stepfast.engine.replay_cache import Live, LiveReplays
from stepfast.language.registry import Registry
from stepfast.model import Record, Snapshot
from stepfast.replay.replay import Replay


class OpenedReplay:
    """An execution as it was read, and its replay, for as long as one handling has them.

    snapshot: None where there is no such execution. With a replay from the cache it may hold only the records that have
    changed. live: None where there is nothing to replay: the execution is not RUNNING, or its workflow is not deployed
    here. cached: whether the replay comes from the cache; else it has not run yet. taken: records that its handling has
    written since.
    """

    def __init__(self, lives: LiveReplays, snapshot: Snapshot | None, live: Live | None, cached: bool) -> None:
        self._lives = lives
        self.snapshot, self.live, self.cached = snapshot, live, cached
        self.replay: Replay | None = live.replay if live is not None else None
        self.taken: tuple[Record, ...] = ()

    @property
    def sent(self) -> set[str]:
        """Commands that are known to be sent and are not marked; a replay that is not remembered knows of none."""
        return self.live.sent if self.live is not None and self.live.token else set()

    @property
    def settled(self) -> bool:
        """Whether an advance has left no command unsent, and the code has asked for none since.

        A command that is alone is not marked when it is sent, so it is never known to be sent.
        """
        live = self.live
        return live is not None and len(live.replay.outstanding) > 1 and live.settled == len(live.replay.issued)

    def settle(self) -> None:
        """All commands that the code has asked for are sent, and marked if there are several."""
        if self.live is not None:
            self.live.settled = len(self.live.replay.issued)

    @property
    def order(self) -> Order:
        """The durable order that the replay goes by; whoever has appended an entry to its log extends it."""
        assert self.live is not None
        return self.live.order

    def keep(self) -> None:
        """Gives the replay to the cache, for whoever handles the execution next; it is not closed then.

        The replay must have taken only outcomes that are stored.
        """
        if self.live is None or self.live.replay.finished:
            return
        self._lives.put(self.live.replay.execution.execution_id, self.live)

    def close(self) -> None:
        """Closes the replay, unless the cache has it by now."""
        if self.live is not None:
            self.live.close()


class ReplayOpener:
    """Opens replays of the executions in one store.

    lives: the replay cache; the advancer and the handlers of a process share one.
    """

    def __init__(self, store: Store, registry: Registry, lives: LiveReplays) -> None:
        self._store, self._registry, self._lives = store, registry, lives

    def open(
        self,
        execution_id: str,
        *,
        ended: bool = False,
        opened: OpenedReplay | None = None,
        read: Snapshot | None = None,
    ) -> _Opening:
        """Reads the execution and opens its replay; closes it at the end of the block, unless it was kept.

        ended: replay an execution that is not RUNNING, too. opened: what is opened already, so that nothing is read.
        read: the execution as whoever has kept its replay has read it a moment ago. It counts if that replay is there.
        """
        return _Opening(self, execution_id, ended, opened, read)

    def kept(self, execution_id: str, read: Snapshot) -> OpenedReplay | None:
        """The kept replay, which has taken the records of this read. None if none is kept that goes on with it."""
        live = self._lives.take(execution_id, going_on=read)
        if live is None:
            return None
        live = Live(live.replay, live.order, live.mark, settled=live.settled)
        return OpenedReplay(
            self._lives,
            Snapshot(read.execution, read.cursor, {}, read.signals, read.has_signals, read.holder),
            live,
            True,
        )

    async def read(self, execution_id: str, ended: bool) -> OpenedReplay:
        snapshot, kept, mark = await self._lives.load(self._store, execution_id)
        live = None
        if kept is not None:
            live = Live(kept.replay, kept.order, mark, settled=kept.settled)
        elif snapshot is not None and (replay := self._begin(snapshot, ended)) is not None:
            live = Live(replay, Order(snapshot.cursor), mark)
            replay.sent = live.order.dispatched
        return OpenedReplay(self._lives, snapshot, live, kept is not None)

    def _begin(self, snapshot: Snapshot | None, ended: bool) -> Replay | None:
        if snapshot is None or (snapshot.execution.status != "RUNNING" and not ended):
            return None
        workflow = self._registry.get(snapshot.execution.workflow)
        return Replay(workflow, snapshot.execution) if workflow is not None else None


class _Opening:
    """A context manager as a class, for speed: whoever handles an execution enters one."""

    __slots__ = ("_ended", "_execution_id", "_opened", "_opener", "_read")

    def __init__(
        self, opener: ReplayOpener, execution_id: str, ended: bool, opened: OpenedReplay | None, read: Snapshot | None
    ) -> None:
        self._opener, self._execution_id, self._ended = opener, execution_id, ended
        self._opened, self._read = opened, read

    async def __aenter__(self) -> OpenedReplay:
        opened = self._opened
        if opened is None and self._read is not None:
            opened = self._opener.kept(self._execution_id, self._read)
        if opened is None:
            opened = await self._opener.read(self._execution_id, self._ended)
        self._opened = opened
        return opened

    async def __aexit__(self, *error: object) -> None:
        if self._opened is not None:
            self._opened.close()
