"""A clock that is set by hand, and an execution to look at."""

from __future__ import annotations

from stepfast.model import Execution

EXECUTION = Execution("order-1", "order", "{}", 0.0)


class Hands:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
