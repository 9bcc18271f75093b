"""Wakes those who wait in this process for the end of an execution."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

from stepfast.engine.observed import StoreListener
from stepfast.model import Execution

MAX_RECENT_ENDS = 1000
"""Ends that are remembered, for those who have read the execution just before its end."""
LEAST_PAUSE_SECONDS = 0.02
"""The shortest wait: the execution may be RUNNING again, after a resume."""

Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Ends(StoreListener):
    """Learns the ends that this process writes. Where another process is the owner, a wait lasts its full time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, list[Waiter]] = defaultdict(list)
        self._recent: dict[str, None] = {}

    def on_ended(self, execution: Execution) -> None:
        with self._lock:
            waiters = self._waiters.pop(execution.execution_id, [])
            self._recent[execution.execution_id] = None
            if len(self._recent) > MAX_RECENT_ENDS:
                del self._recent[next(iter(self._recent))]
        for loop, ended in waiters:
            try:
                loop.call_soon_threadsafe(ended.set)
            except RuntimeError:
                pass  # asyncio raises it for a loop that is closed, and then nobody waits any more

    def on_resumed(self, execution: Execution) -> None:
        with self._lock:
            self._recent.pop(execution.execution_id, None)

    async def wait(self, execution_id: str, seconds: float) -> None:
        """Returns at the end of the execution, or after some seconds."""
        waiter = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            recent = execution_id in self._recent
            if not recent:
                self._waiters[execution_id].append(waiter)
        if recent:
            await asyncio.sleep(min(seconds, LEAST_PAUSE_SECONDS))
            return
        try:
            async with asyncio.timeout(seconds):
                await waiter[1].wait()
        except TimeoutError:
            pass
        finally:
            with self._lock:
                others = [other for other in self._waiters.get(execution_id, []) if other is not waiter]
                if others:
                    self._waiters[execution_id] = others
                else:
                    self._waiters.pop(execution_id, None)
