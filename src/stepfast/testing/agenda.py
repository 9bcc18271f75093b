"""What the process under test does next: executions to advance, and messages that are due. A crash empties it."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

from stepfast.backends.sqlite.store import Stored
from stepfast.replay.loop import FOREVER


@dataclass(frozen=True, slots=True)
class DueAdvance:
    """An execution to advance, for its wakes up to `seq`."""

    execution_id: str
    seq: int


class ProcessAgenda:
    """Gives what is due in the order in which it came; with a `draw`, in an order that this chooses."""

    def __init__(self, draw: random.Random | None) -> None:
        self._draw = draw
        self._messages: list[tuple[float, int, Stored]] = []
        self._wakes: dict[str, int] = {}
        self._advancing: set[str] = set()

    def put_message(self, stored: Stored, at: float | None = None) -> None:
        """Adds a message, to be taken not before its due time, or `at` (seconds since the epoch)."""
        heapq.heappush(self._messages, (stored.due if at is None else at, stored.seq, stored))

    def put_wake(self, execution_id: str, seq: int) -> None:
        self._wakes[execution_id] = max(seq, self._wakes.get(execution_id, 0))

    def advanced(self, execution_id: str) -> None:
        """The advance is over. A wake that came meanwhile is followed by another advance."""
        self._advancing.discard(execution_id)

    def take(self, now: float) -> DueAdvance | Stored | None:
        """What is to be done next, or None if nothing is due. No execution has two advances at a time."""
        ready = [execution_id for execution_id in self._wakes if execution_id not in self._advancing]
        if self._draw is None:
            if ready:
                return self._begin(ready[0])
            return heapq.heappop(self._messages)[2] if self._messages and self._messages[0][0] <= now else None
        due = sorted(entry for entry in self._messages if entry[0] <= now)
        if not ready and not due:
            return None
        number = self._draw.randrange(len(ready) + len(due))
        if number < len(ready):
            return self._begin(ready[number])
        taken = due[number - len(ready)]
        self._messages.remove(taken)
        heapq.heapify(self._messages)
        return taken[2]

    def _begin(self, execution_id: str) -> DueAdvance:
        self._advancing.add(execution_id)
        return DueAdvance(execution_id, self._wakes.pop(execution_id))

    @property
    def due(self) -> float | None:
        """When the next message is due; None if there is none but those that wait for ever."""
        return self._messages[0][0] if self._messages and self._messages[0][0] < FOREVER else None
