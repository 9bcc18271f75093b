"""The replay cache: replays kept alive between the handlings of an execution, so that none starts over.

A kept replay is a hint, never the truth. It is used only while the stored generation and order are as it left them,
and it has taken only outcomes that are stored. It is taken out of the cache while in use, so that no two threads run
the same coroutines, and may be dropped at any time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import field
from typing import NamedTuple

from stepfast.engine.deltas import Deltas
from stepfast.engine.order import Order
from stepfast.engine.ports import Store
from stepfast.model import Snapshot
from stepfast.records import dataclass
from stepfast.replay.replay import Command, Replay
from stepfast.replay.signals import waits_of

ROOM = 150_000_000
"""Bytes of all replays that are kept, where a process does not say otherwise: 50,000 records with small values."""


@dataclass(slots=True, eq=False)
class Live:
    """A replay on this order and the records up to this mark (None: of a store without deltas).

    Its holder closes the replay, unless the cache keeps it. token: of the memory that it is; "" where it is none
    (memory.py). sent: commands that were sent without a mark, as far as a memory knows. settled: how many commands the
    code had asked for when an advance left none of them unsent; -1 where none has.
    """

    replay: Replay
    order: Order
    mark: int | None
    kept: bool = False
    size: int = 0
    token: str = ""
    sent: set[str] = field(default_factory=set)
    settled: int = -1

    def close(self) -> None:
        if not self.kept:
            self.replay.close()

    def goes_on_with(self, snapshot: Snapshot | None) -> bool:
        return (
            snapshot is not None
            and snapshot.execution.status == "RUNNING"
            and snapshot.execution.generation == self.replay.execution.generation
            and snapshot.cursor.revision == self.order.revision
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """The signals that an execution waits for, as of this revision of the order and the records up to this mark."""

    revision: int
    mark: int
    generation: int
    commands: tuple[Command, ...]

    def stand(self, changed: Snapshot) -> bool:
        """Whether nothing has changed; the snapshot is of the changes after this mark."""
        known = not changed.records and changed.cursor.revision == self.revision
        return known and changed.execution.status == "RUNNING" and changed.execution.generation == self.generation


class Loaded(NamedTuple):
    """An execution as it is stored, the replay that goes on from there if one is kept, and the mark of this read.

    With a replay, the snapshot may hold only the records that have changed, and has no signals.
    """

    snapshot: Snapshot | None
    live: Live | None
    mark: int | None


class LiveReplays:
    """Live replays by execution, at most `keep` of them with at most `room` bytes in all; thread-safe.

    The one that was kept last stays, whatever its size. room: in bytes as of Replay.weight. deltas: the port of the
    store that these executions are in; None where it has none.
    """

    def __init__(self, keep: int = 200, room: int = ROOM, deltas: Deltas | None = None) -> None:
        self._keep, self._room, self._deltas = keep, room, deltas
        self._lock = threading.Lock()
        self._lives: OrderedDict[str, Live] = OrderedDict()
        self._held = 0
        self._out: OrderedDict[str, None] = OrderedDict()
        self._dropped: list[Live] = []

    @property
    def follows(self) -> bool:
        """Whether a kept replay takes in what has changed alone, so that to go on with it costs no more with length."""
        return self._deltas is not None

    def put(self, execution_id: str, live: Live) -> None:
        """Keeps a live replay for whoever handles the execution next."""
        live.kept, live.size = True, live.replay.weight
        with self._lock:
            self._out.pop(execution_id, None)
            self._drop(self._lives.pop(execution_id, None))
            self._lives[execution_id] = live
            self._held += live.size
            while len(self._lives) > 1 and (len(self._lives) > self._keep or self._held > self._room):
                self._drop(self._lives.popitem(last=False)[1])

    def _drop(self, live: Live | None) -> None:
        # Closing runs `finally` blocks of workflow code, which must not run under the lock: the next `take` does it.
        if live is not None:
            self._held -= live.size
            self._dropped.append(live)

    async def load(self, store: Store, execution_id: str) -> Loaded:
        """Reads the execution; what has changed will do where a replay is kept and the store has deltas."""
        live = self.take(execution_id)
        if live is not None:
            waits = self._deltas is None and bool(waits_of(live.replay))
            snapshot, mark = await self._read(store, execution_id, live, signals=waits)
            if live.goes_on_with(snapshot):
                return Loaded(snapshot, live, mark)
            live.replay.close()
            if self._deltas is None:
                return Loaded(snapshot, None, mark)  # it has all the records
        snapshot, mark = await self._read(store, execution_id, None)
        return Loaded(snapshot, None, mark)

    async def _read(
        self, store: Store, execution_id: str, live: Live | None, signals: bool = False
    ) -> tuple[Snapshot | None, int | None]:
        if self._deltas is None:  # signals that are waited for are read with the rest: two reads cost more
            return await store.load(execution_id, signals=signals or live is None), None
        delta = await self._deltas.changes(execution_id, None if live is None else live.mark)
        return (None, None) if delta is None else (delta.snapshot, delta.mark)

    async def stand(self, execution_id: str, waits: Waits) -> bool:
        """Whether the execution still waits for these signals: nothing has changed after they were looked up."""
        delta = None if self._deltas is None else await self._deltas.changes(execution_id, waits.mark)
        return delta is not None and waits.stand(delta.snapshot)

    def waits(self, execution_id: str) -> Waits | None:
        """The signals that a kept replay waits for; the replay stays where it is.

        None where none is kept just now, and where the store has no deltas: then nobody could tell whether they stand.
        """
        with self._lock:
            live = self._lives.get(execution_id)
            if live is None or live.mark is None:
                return None
            return Waits(live.order.revision, live.mark, live.replay.execution.generation, tuple(waits_of(live.replay)))

    def is_out(self, execution_id: str) -> bool:
        """Whether somebody has just taken the replay, and will most likely put it back."""
        with self._lock:
            return execution_id in self._out

    def take(self, execution_id: str, going_on: Snapshot | None = None) -> Live | None:
        """The live replay that is kept, which its taker closes or puts back. going_on: only if it goes on with it."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            live = self._lives.get(execution_id)
            if live is not None and going_on is not None and not live.goes_on_with(going_on):
                live = None
            if live is not None:
                del self._lives[execution_id]
                self._held -= live.size
                self._out[execution_id] = None
                while len(self._out) > self._keep:
                    self._out.popitem(last=False)
        for unwanted in dropped:
            unwanted.replay.close()
        return live

    def clear(self) -> None:
        """Closes all; what comes next is loaded anew."""
        with self._lock:
            while self._lives:
                self._drop(self._lives.popitem()[1])
            self._held, dropped = 0, self._dropped
            self._dropped = []
            self._out.clear()
        for unwanted in dropped:
            unwanted.replay.close()
