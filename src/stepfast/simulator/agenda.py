"""What is due when: the one list by which everything in the simulated cloud happens."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, order=True)
class AgendaEntry:
    """Something that is due; `idle` does not count as a reason to go on, such as a sweep."""

    at: int
    rank: float
    number: int
    act: Callable[[], object] = field(compare=False)
    idle: bool = field(compare=False, default=False)
    dropped: bool = field(compare=False, default=False)


class Agenda:
    """Entries by time; those of one moment in the order in which they were put, or drawn by `draw`.

    on_put: called after each entry is put.
    """

    def __init__(self, draw: random.Random | None, on_put: Callable[[], object] = lambda: None) -> None:
        self._draw, self._on_put = draw, on_put
        self._heap: list[AgendaEntry] = []
        self._numbers = itertools.count()
        self.busy = 0
        """Entries that are not idle."""

    def put(self, at: int, act: Callable[[], object], *, idle: bool = False) -> AgendaEntry:
        rank = self._draw.random() if self._draw is not None else 0.0
        entry = AgendaEntry(at, rank, next(self._numbers), act, idle)
        heapq.heappush(self._heap, entry)
        self.busy += not idle
        self._on_put()
        return entry

    def drop(self, entry: AgendaEntry) -> None:
        """Takes an entry off that has not been taken."""
        if not entry.dropped:
            entry.dropped = True
            self.busy -= not entry.idle

    @property
    def next(self) -> int | None:
        """When the next entry is due."""
        while self._heap and self._heap[0].dropped:
            heapq.heappop(self._heap)
        return self._heap[0].at if self._heap else None

    def take(self) -> AgendaEntry:
        """The next entry; there is one."""
        _ = self.next
        entry = heapq.heappop(self._heap)
        entry.dropped = True
        self.busy -= not entry.idle
        return entry
