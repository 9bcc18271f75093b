"""Limits how many steps of a pool run at once: `max_concurrency` of its settings, for the embedded runtime."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping

from stepfast.engine.embedded import Stored


class Limits:
    """Places of pools: a step's message holds a place while it is handled, and waits here without one. Thread-safe.

    limits: the places of each pool; a pool that is not listed has no limit. A chain of steps in one pool runs on the
    place of its first step.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = dict(limits)
        self._lock = threading.Lock()
        # A second thread also handles the message of a blocked thread. Both together hold one place.
        self._held: dict[str, Counter[int]] = {pool: Counter() for pool in limits}
        self._waiting: dict[str, deque[Stored]] = {pool: deque() for pool in limits}

    def enter(self, stored: Stored) -> bool:
        """Takes a place for a message. False if none is free: the message waits here until `leave` returns it."""
        message = stored.delivery.message
        with self._lock:
            held = self._held.get(message.pool)
            if held is None or message.kind != "step":
                return True
            if stored.seq not in held and len(held) >= self._limits[message.pool]:
                self._waiting[message.pool].append(stored)
                return False
            held[stored.seq] += 1
            return True

    def leave(self, stored: Stored) -> Stored | None:
        """Frees the place of a message. Returns the message of its pool that has waited longest, to handle it now."""
        message = stored.delivery.message
        with self._lock:
            held = self._held.get(message.pool)
            if held is None or message.kind != "step":
                return None
            held[stored.seq] -= 1
            if held[stored.seq] <= 0:
                del held[stored.seq]
            waiting = self._waiting[message.pool]
            return waiting.popleft() if waiting and len(held) < self._limits[message.pool] else None

    def waits(self) -> set[int]:
        """The numbers of the messages that wait for a place."""
        with self._lock:
            return {stored.seq for waiting in self._waiting.values() for stored in waiting}
