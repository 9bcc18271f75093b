"""Spaces the beginnings of steps within one process by the times at which they really begin (rule *rate*).

A reserved moment says when a step should begin. A busy process begins some of its steps later, and after a stall it
would begin many at once. Where one process begins all steps of a deployment, it knows all beginnings, and has a step
wait for as long as there have been too many of them. It does so before the claim of the step, so that no lease runs,
and for a moment after it, since several claims are written at once.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from stepfast.engine.limit_items import LimitId
from stepfast.engine.ports import Clock
from stepfast.language.limits import Rate

MOST_KEPT = 1000
"""Beginnings of a key that are kept. Of a higher rate a shorter window is looked at, with as many beginnings."""
STRETCH = 1.01
"""What a window is stretched by: a function begins a little after its step. Less than what moments are spaced by."""
CATCH_UP = 0.2
"""The part of a window that may be made up for at one moment: a busy process is late by that much all the time."""
SHORTEST_PACE_SECONDS = 0.001
"""Seconds: no event loop wakes up more exactly than that."""
SWEEP_BEGINNINGS = 1000
"""Beginnings after which the keys are forgotten that have none in their window."""


@dataclass(slots=True)
class _Beginnings:
    """Of one key. next: when the next would be due if all were evenly spaced. kept_until: when it says nothing more."""

    times: list[float] = field(default_factory=list)
    next: float = 0.0
    waiting: list[int] = field(default_factory=list)
    kept_until: float = 0.0

    def free_at(self, rate: Rate, now: float) -> float:
        """When one more may begin."""
        if self.times and self.times[-1] > now:  # The clock was set back.
            self.times.clear()
            self.next = 0.0
        count, most = _counted(rate)
        window = count * rate.interval * STRETCH
        slack = max(CATCH_UP * window, (rate.burst - 1) * rate.interval)
        free = self.next - slack
        if len(self.times) >= most:
            free = max(free, self.times[-most] + window)
        return max(now, free)

    def begin(self, rate: Rate, now: float) -> None:
        count, most = _counted(rate)
        self.times.append(now)
        if len(self.times) > 2 * most:
            del self.times[:-most]
        self.next = max(self.next, now) + rate.interval
        self.kept_until = max(self.next, now + count * rate.interval * STRETCH)


def _counted(rate: Rate) -> tuple[int, int]:
    """How many times of the interval a window is long, and how many beginnings it may have."""
    count = min(max(1, int(rate.count)), max(1, MOST_KEPT - rate.burst + 1))
    return count, min(count + rate.burst - 1, MOST_KEPT)


class Pacer:
    """The beginnings of all steps with a rate in this process. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._keys: dict[LimitId, _Beginnings] = {}
        self._tickets, self._begun = itertools.count(), 0

    async def begin(self, rates: Mapping[LimitId, Rate], longest: float = math.inf) -> None:
        """Returns once a step may begin by all of these rates, and counts it. Those who wait go in their order.

        longest: seconds after which it begins in any case.
        """
        ticket, until = next(self._tickets), self._clock.now() + longest
        try:
            while (wait := self._try(rates, ticket, until)) > 0:
                await self._clock.sleep(wait)
        finally:
            self._leave(rates, ticket)

    def begin_now(self, rates: Mapping[LimitId, Rate]) -> bool:
        """Counts a step that may begin at this moment; False, and nothing counted, where it may not."""
        ticket = next(self._tickets)
        try:
            return self._try(rates, ticket, math.inf) <= 0
        finally:
            self._leave(rates, ticket)

    def _try(self, rates: Mapping[LimitId, Rate], ticket: int, until: float) -> float:
        """Seconds to wait; 0 if the step begins, which is counted."""
        with self._lock:
            now = self._clock.now()
            keys = [(self._keys.setdefault(id, _Beginnings()), rate) for id, rate in rates.items()]
            wait = 0.0
            for key, rate in keys:
                free = key.free_at(rate, now)
                ahead = sum(other < ticket for other in key.waiting)
                if free > now or ahead:
                    # Those who have waited longer go first, so this step comes back when its turn should be.
                    wait = max(wait, SHORTEST_PACE_SECONDS, free - now + ahead * rate.interval)
                if free > now and ticket not in key.waiting:
                    key.waiting.append(ticket)
            wait = min(wait, until - now)
            if wait <= 0:
                for key, rate in keys:
                    key.begin(rate, now)
                self._begun += 1
                if self._begun % SWEEP_BEGINNINGS == 0:
                    self._forget(now)
            return wait

    def _leave(self, rates: Mapping[LimitId, Rate], ticket: int) -> None:
        with self._lock:
            for id in rates:
                if (key := self._keys.get(id)) is not None:
                    with suppress(ValueError):
                        key.waiting.remove(ticket)

    def _forget(self, now: float) -> None:
        idle = [id for id, key in self._keys.items() if not key.waiting and key.kept_until <= now]
        for id in idle:
            del self._keys[id]
