"""Simulated time: no clock of the process moves, except when the player moves it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Protocol

import time_machine

MICRO = 1_000_000


def micros(seconds: float) -> int:
    """Whole microseconds, rounded up: what is due then is never looked at too early."""
    return math.ceil(round(seconds * MICRO, 3))


class ReadableClock(Protocol):
    """A clock that can only be read: `micros` and seconds (`now`) since the epoch."""

    @property
    def micros(self) -> int: ...
    @property
    def now(self) -> float: ...


class WorldClock:
    """Counts whole microseconds since the epoch, so that no time is off by a rounding error.

    While it runs, `time`, `datetime` and what is built on them show the simulated time, in every thread. A
    skewed clock shows another time to the code that runs just now; `now` is never skewed.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("start needs a time zone: datetime(2030, 1, 1, tzinfo=UTC)")
        self.micros = (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        self._shown = self.micros
        self._skew = 0
        # A float: a datetime would set the time zone of the process as well.
        self._travel = time_machine.travel(0.0, tick=False)
        self._traveller: time_machine.Traveller | None = None

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.micros / MICRO

    def start(self) -> None:
        self._traveller = self._travel.start()
        self._traveller.shift(timedelta(microseconds=self._shown))

    def stop(self) -> None:
        if self._traveller is not None:
            self._travel.stop()
            self._traveller = None

    def move_to(self, at: int) -> None:
        """Goes on to this microsecond, never back."""
        if at > self.micros:
            self.micros = at
            self._show()

    def skew(self, micros: int) -> None:
        """Has the clocks of the process show a time that is so much later."""
        if micros != self._skew:
            self._skew = micros
            self._show()

    def _show(self) -> None:
        shown = self.micros + self._skew
        if self._traveller is not None:
            self._traveller.shift(timedelta(microseconds=shown - self._shown))
        self._shown = shown
