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
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field

from stepfast.engine.limit_items import LimitId
from stepfast.engine.ports import Clock
from stepfast.language.limits import Rate
from stepfast.records import dataclass

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


@dataclass(frozen=True, slots=True)
class EvenPace:
    """What a rate means for beginnings.

    window: seconds in which there may be at most `most`. slack: seconds by which they may be ahead of an even spacing.
    """

    interval: float
    window: float
    most: int
    slack: float


def pace_of(rate: Rate) -> EvenPace:
    count = min(max(1, int(rate.count)), max(1, MOST_KEPT - rate.burst + 1))
    window = count * rate.interval * STRETCH
    slack = max(CATCH_UP * window, (rate.burst - 1) * rate.interval)
    return EvenPace(rate.interval, window, min(count + rate.burst - 1, MOST_KEPT), slack)


@dataclass(slots=True)
class _Track:
    """Beginnings of a key. next: when the next would be due if all were evenly spaced. waiting: tickets."""

    pace: EvenPace
    times: list[float] = field(default_factory=list)
    next: float = 0.0
    waiting: list[int] = field(default_factory=list)

    def free_at(self, now: float) -> float:
        """When one more may begin."""
        times, pace = self.times, self.pace
        if times and times[-1] > now:  # The clock was set back.
            times.clear()
            self.next = 0.0
        free = self.next - pace.slack
        if len(times) >= pace.most and times[-pace.most] + pace.window > free:
            free = times[-pace.most] + pace.window
        return free if free > now else now

    def begin(self, now: float) -> None:
        times, pace = self.times, self.pace
        times.append(now)
        if len(times) > 2 * pace.most:
            del times[: -pace.most]
        self.next = (self.next if self.next > now else now) + pace.interval

    def is_idle(self, now: float) -> bool:
        """Whether it says nothing more about what may begin."""
        last = self.times[-1] + self.pace.window if self.times else 0.0
        return not self.waiting and max(self.next, last) <= now


class _Key:
    """A key of a limit, with its rate. claims: when its steps could be claimed. begun: when they really began."""

    __slots__ = ("begun", "claims", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate, pace = rate, pace_of(rate)
        self.claims, self.begun = _Track(pace), _Track(pace)

    def set(self, rate: Rate) -> None:
        self.rate = rate
        self.claims.pace = self.begun.pace = pace_of(rate)


class Pacer:
    """The beginnings of all steps with a rate in this process. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._keys: dict[LimitId, _Key] = {}
        self._tickets, self._begun = itertools.count(), 0

    async def claim(self, rates: Mapping[LimitId, Rate]) -> None:
        """Returns once a step may be claimed by all of these rates, and counts it. Those who wait go in their order."""
        with self._lock:
            tracks = [self._key(id, rate).claims for id, rate in rates.items()]
        await self._when_free(tracks, math.inf)

    def claim_now(self, rates: Mapping[LimitId, Rate]) -> bool:
        """Counts a step that may be claimed at this moment; False, and nothing counted, where it may not."""
        with self._lock:
            tracks = [self._key(id, rate).claims for id, rate in rates.items()]
            return self._try_now(tracks)

    async def begin(self, rates: Mapping[LimitId, Rate], longest: float) -> None:
        """Returns once a claimed step may begin, and counts it: claims of others may have been written along with its.

        longest: seconds after which it begins in any case.
        """
        with self._lock:
            tracks = [self._key(id, rate).begun for id, rate in rates.items()]
        await self._when_free(tracks, self._clock.now() + longest)

    def begin_now(self, ids: Iterable[LimitId]) -> bool:
        """Counts a claimed step that may begin at this moment, by the rates of its claim; False, and nothing counted,
        where it may not, or where a rate is not known any more."""
        with self._lock:
            tracks = list[_Track]()
            for id in ids:
                key = self._keys.get(id)
                if key is None:
                    return False
                tracks.append(key.begun)
            return self._try_now(tracks)

    def _key(self, id: LimitId, rate: Rate) -> _Key:
        """The key, with the rate that it has now."""
        key = self._keys.get(id)
        if key is None:
            key = self._keys[id] = _Key(rate)
        elif key.rate is not rate:
            key.set(rate)
        return key

    def _try_now(self, tracks: Sequence[_Track]) -> bool:
        """Counts a step that need not wait for anything."""
        now = self._clock.now()
        for track in tracks:
            if track.waiting or track.free_at(now) > now:
                return False
        for track in tracks:
            track.begin(now)
        self._begun += len(tracks)
        if self._begun >= SWEEP_BEGINNINGS:
            self._forget(now)
        return True

    async def _when_free(self, tracks: Sequence[_Track], until: float) -> None:
        ticket = next(self._tickets)
        try:
            while (wait := self._try(tracks, ticket, until)) > 0:
                await self._clock.sleep(wait)
        finally:
            with self._lock:
                for track in tracks:
                    with suppress(ValueError):
                        track.waiting.remove(ticket)

    def _try(self, tracks: Sequence[_Track], ticket: int, until: float) -> float:
        """Seconds to wait; 0 if the step begins, which is counted."""
        with self._lock:
            now = self._clock.now()
            wait = 0.0
            for track in tracks:
                free = track.free_at(now)
                ahead = sum(other < ticket for other in track.waiting)
                if free > now or ahead:
                    # Those who have waited longer go first, so this step comes back when its turn should be.
                    wait = max(wait, SHORTEST_PACE_SECONDS, free - now + ahead * track.pace.interval)
                if free > now and ticket not in track.waiting:
                    track.waiting.append(ticket)
            wait = min(wait, until - now)
            if wait <= 0:
                for track in tracks:
                    track.begin(now)
            return wait

    def _forget(self, now: float) -> None:
        """Memory goes by the keys in use."""
        self._begun = 0
        idle = [id for id, key in self._keys.items() if key.claims.is_idle(now) and key.begun.is_idle(now)]
        for id in idle:
            del self._keys[id]
