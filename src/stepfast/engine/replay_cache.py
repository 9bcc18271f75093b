"""Replays kept alive between the handlings of one execution, so that none starts over: a hint, never the truth.

One is used only while generation and cursor are as it left them, and it has taken only outcomes that are
stored. It is taken out while in use, and dropped at will.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from stepfast.engine.ports import Store
from stepfast.model import Cursor, Snapshot
from stepfast.replay.replay import Command, Replay
from stepfast.replay.signals import waits_of


@dataclass(slots=True, eq=False)
class Live:
    """A replay that has come as far as this cursor and the records up to this mark.

    Whoever has it closes the replay, unless it was given away to be kept.
    """

    replay: Replay
    cursor: Cursor
    mark: int
    given: bool = False
    size: int = 0

    def close(self) -> None:
        if not self.given:
            self.replay.close()

    def goes_on_with(self, snapshot: Snapshot | None) -> bool:
        return (
            snapshot is not None
            and snapshot.execution.status == "RUNNING"
            and snapshot.execution.generation == self.replay.execution.generation
            and snapshot.cursor == self.cursor
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """The signals that an execution waits for, as of this cursor and the records up to this mark."""

    cursor: Cursor
    mark: int
    generation: int
    commands: tuple[Command, ...]

    def stand(self, snapshot: Snapshot) -> bool:
        """Whether nothing has changed since; the snapshot was read with this mark."""
        known = self.mark > 0 and not snapshot.records and snapshot.cursor == self.cursor
        return known and snapshot.execution.status == "RUNNING" and snapshot.execution.generation == self.generation


class LiveReplays:
    """Live replays by execution, at most `keep` of them with at most `records` records in all; thread-safe."""

    def __init__(self, keep: int = 200, records: int = 50_000) -> None:
        self._keep, self._most = keep, records
        self._lock = threading.Lock()
        self._lives: OrderedDict[str, Live] = OrderedDict()
        self._records = 0
        self._out: OrderedDict[str, None] = OrderedDict()
        self._dropped: list[Live] = []

    def put(self, execution_id: str, live: Live) -> None:
        """Keeps a live replay for whoever handles the execution next."""
        live.given, live.size = True, len(live.replay.records)
        with self._lock:
            self._out.pop(execution_id, None)
            self._drop(self._lives.pop(execution_id, None))
            self._lives[execution_id] = live
            self._records += live.size
            while len(self._lives) > 1 and (len(self._lives) > self._keep or self._records > self._most):
                self._drop(self._lives.popitem(last=False)[1])

    def _drop(self, live: Live | None) -> None:
        # Closed by the next one who takes: closing runs workflow code.
        if live is not None:
            self._records -= live.size
            self._dropped.append(live)

    async def load(self, store: Store, execution_id: str) -> tuple[Snapshot | None, Live | None]:
        """The execution as it is stored, and the replay that goes on from there if one is kept.

        With one, the snapshot holds only the records that have changed since.
        """
        live = self._take(execution_id)
        if live is not None:
            snapshot = await store.load(execution_id, live.mark, signals=False)
            if live.goes_on_with(snapshot):
                return snapshot, live
            live.replay.close()
            if live.mark == 0:  # a store that gives everything each time has done so
                return snapshot, None
        return await store.load(execution_id), None

    def waits(self, execution_id: str) -> Waits | None:
        """The signals that a kept replay waits for; the replay stays where it is. None where none is kept just now."""
        with self._lock:
            live = self._lives.get(execution_id)
            if live is None:
                return None
            return Waits(live.cursor, live.mark, live.replay.execution.generation, tuple(waits_of(live.replay)))

    def is_out(self, execution_id: str) -> bool:
        """Whether somebody has just taken the replay, and will most likely put it back."""
        with self._lock:
            return execution_id in self._out

    def _take(self, execution_id: str) -> Live | None:
        with self._lock:
            dropped, self._dropped = self._dropped, []
            live = self._lives.pop(execution_id, None)
            if live is not None:
                self._records -= live.size
                self._out[execution_id] = None
                while len(self._out) > self._keep:
                    self._out.popitem(last=False)
        for one in dropped:
            one.replay.close()
        return live

    def clear(self) -> None:
        """Closes all; what comes next is loaded anew."""
        with self._lock:
            while self._lives:
                self._drop(self._lives.popitem()[1])
            self._records, dropped = 0, self._dropped
            self._dropped = []
            self._out.clear()
        for one in dropped:
            one.replay.close()
