"""A clock that stands until a test moves it."""

from __future__ import annotations


class FixedClock:
    """Time 1000 at first; whoever sleeps moves it on."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
