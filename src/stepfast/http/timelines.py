"""A cache of the latest timelines, so that reading a timeline page by page runs the workflow's code once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepfast.http.timeline import TimelineEntry

MAX_ENTRIES = 50_000
"""Commands kept, over all timelines; the latest timeline stays, whatever its length."""


class Timelines:
    """Ordered commands by execution id, each with the tag of the stored state it was made from. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, Sequence[TimelineEntry]]] = OrderedDict()

    def get(self, execution_id: str, tag: str, make: Callable[[], Sequence[TimelineEntry]]) -> Sequence[TimelineEntry]:
        """The cached timeline if it has this tag; else calls `make` and keeps the result."""
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
