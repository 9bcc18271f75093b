"""What is to be done, in memory: messages by due time and executions to advance, pulled by workers.

Workers pull rather than being handed work, so that one whose event loop is blocked gets none. Losing
all of this loses nothing: the file has it too.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from dataclasses import dataclass

from stepfast.backends.sqlite import Stored


@dataclass(frozen=True, slots=True)
class Advance:
    """An execution to advance, for its wakes up to `seq`."""

    execution_id: str
    seq: int


@dataclass(slots=True, eq=False)
class Bell:
    """Wakes one worker's loop, from any thread."""

    loop: asyncio.AbstractEventLoop
    event: asyncio.Event

    def ring(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self.event.set)
        except RuntimeError:
            pass  # that worker has stopped; the others poll


class Inbox:
    """Thread-safe; an execution is advanced by one worker at a time, a message driven by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[tuple[float, int, Stored]] = []
        self._wakes: dict[str, int] = {}
        self._to_advance: deque[str] = deque()
        self._advancing: set[str] = set()
        self._waiting: deque[Bell] = deque()

    def put_message(self, stored: Stored, at: float | None = None) -> None:
        """Adds a message, to be taken not before its due time, or `at`."""
        with self._lock:
            heapq.heappush(self._messages, (stored.due if at is None else at, stored.seq, stored))
            bell = self._waiting.popleft() if self._waiting else None
        if bell is not None:
            bell.ring()

    def put_wake(self, execution_id: str, seq: int) -> None:
        """Asks for an advance; while one runs, for another one after it."""
        with self._lock:
            known = execution_id in self._wakes
            self._wakes[execution_id] = max(seq, self._wakes.get(execution_id, 0))
            if known or execution_id in self._advancing:
                return
            self._to_advance.append(execution_id)
            bell = self._waiting.popleft() if self._waiting else None
        if bell is not None:
            bell.ring()

    def take(self, now: float) -> Advance | Stored | None:
        """The next thing to do, or None."""
        with self._lock:
            if self._to_advance:
                execution_id = self._to_advance.popleft()
                self._advancing.add(execution_id)
                return Advance(execution_id, self._wakes.pop(execution_id))
            if self._messages and self._messages[0][0] <= now:
                return heapq.heappop(self._messages)[2]
            return None

    def advanced(self, execution_id: str) -> None:
        """The advance is over; a wake that came meanwhile gets its own."""
        with self._lock:
            self._advancing.discard(execution_id)
            if execution_id in self._wakes:
                self._to_advance.append(execution_id)

    def wait(self, bell: Bell, now: float) -> float:
        """Registers a worker with nothing to do; returns seconds until a message is due, at most one."""
        with self._lock:
            if self._to_advance:
                return 0.0
            if bell not in self._waiting:
                self._waiting.append(bell)
            return min(1.0, max(0.0, self._messages[0][0] - now)) if self._messages else 1.0
