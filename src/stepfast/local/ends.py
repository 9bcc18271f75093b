"""Wakes those who wait for the end or a change of an execution that this process runs."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from stepfast.engine.observed import StoreListener
from stepfast.model import Execution

REMEMBERED_EXECUTIONS = 4096
"""How many executions are remembered as going on, and as ended."""


class Ends(StoreListener):
    """Learns the ends and changes that this process writes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: dict[str, list[Watch]] = defaultdict(list)
        self._going_on: dict[str, None] = {}
        self._over: dict[str, None] = {}

    def on_started(self, execution: Execution) -> None:
        id = execution.execution_id
        with self._lock:
            # A worker may have written the end before the thread that wrote the start comes here.
            if id not in self._over:
                _remember(self._going_on, id)

    def on_ended(self, execution: Execution) -> None:
        id = execution.execution_id
        with self._lock:
            self._going_on.pop(id, None)
            _remember(self._over, id)
        self._wake(id, changes=False)

    def goes_on(self, execution_id: str) -> bool:
        """True if this process has started the execution and has not ended it since. False says nothing.

        Ask inside a `watch`: an end that comes after a True wakes it.
        """
        return execution_id in self._going_on

    def on_changed(self, execution_id: str) -> None:
        if execution_id in self._watches:  # hardly any execution is watched, and every write of all of them comes here
            self._wake(execution_id, changes=True)

    def _wake(self, execution_id: str, *, changes: bool) -> None:
        with self._lock:
            watches = list(self._watches.get(execution_id, ()))
        for watch in watches:
            if watch.changes or not changes:
                watch.wake()

    def close(self) -> None:
        """Wakes everybody: nothing more is going to end here."""
        with self._lock:
            watches = [watch for watches in self._watches.values() for watch in watches]
        for watch in watches:
            watch.wake()

    @contextmanager
    def watch(self, execution_id: str, *, changes: bool = False) -> Iterator[Watch]:
        """Reports every end, or every change, from here on, to the event loop that is running."""
        watch = Watch(changes)
        with self._lock:
            self._watches[execution_id].append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches[execution_id].remove(watch)
                if not self._watches[execution_id]:
                    del self._watches[execution_id]


def _remember(ids: dict[str, None], id: str) -> None:
    ids[id] = None
    if len(ids) > REMEMBERED_EXECUTIONS:
        del ids[next(iter(ids))]


class Watch:
    """Waits on one event loop for the ends, or the changes, of one execution."""

    def __init__(self, changes: bool = False) -> None:
        self.changes = changes
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()

    def wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ended.set)
        except RuntimeError:
            pass  # asyncio raises it for a loop that is closed, and then nobody waits any more

    def wake_here(self) -> None:
        """Makes `wait` return. Call it on the loop that waits."""
        self._ended.set()

    async def wait(self, seconds: float) -> None:
        """Returns after an end that it has not told of yet, or after some seconds."""
        overtime = self._loop.call_later(seconds, self._ended.set)
        try:
            await self._ended.wait()
        finally:
            overtime.cancel()
        self._ended.clear()
