"""The timelines that were made last, kept in memory: the pages of one need not each run the code again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from stepfast.http.timeline import Entry

MAX_ENTRIES = 50_000
"""Commands kept, of all executions together; the timeline asked for last is kept whatever its length."""


class Timelines:
    """Ordered commands by execution, each under the tag of what is stored; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, Sequence[Entry]]] = OrderedDict()

    def has(self, execution_id: str, tag: str) -> bool:
        """Whether `get` would have to make nothing."""
        with self._lock:
            kept = self._kept.get(execution_id)
        return kept is not None and kept[0] == tag

    def get(self, execution_id: str, tag: str, make: Callable[[], Sequence[Entry]]) -> Sequence[Entry]:
        """What was kept under this very tag, else what `make` gives."""
        with self._lock:
            kept = self._kept.get(execution_id)
            if kept is not None and kept[0] == tag:
                self._kept.move_to_end(execution_id)
                return kept[1]
        entries = make()
        with self._lock:
            self._kept[execution_id] = (tag, entries)
            self._kept.move_to_end(execution_id)
            while len(self._kept) > 1 and sum(len(entries) for _, entries in self._kept.values()) > MAX_ENTRIES:
                self._kept.popitem(last=False)
        return entries
