"""What a function gets from the process that it runs in; tests hand in others."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stepfast.functions.metering import SILENT, Meter

if TYPE_CHECKING:
    import asyncio
    import random

    from stepfast.engine.ports import Clock
    from stepfast.engine.step_runner import Runner
    from stepfast.language.registry import Registry

T = TypeVar("T")

CLOCK_TOLERANCE_SECONDS = 1.0
"""Seconds by which a clock may be off: a Date and the way of an answer tell no better."""
Handler = Callable[[Any, Any], Any]
"""A Lambda handler: event and context to what is answered, all of it JSON."""


class Call(Protocol):
    """Runs a coroutine to its result, always on the same event loop."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


class WallClock:
    """The time that the machine shows, put right by what AWS answers with where it is off.

    What one function writes others compare, and SQS stamps messages by AWS's own clocks: a failure that was
    written by a clock which is behind would pass for older than its message, and be resumed as if by a redrive.
    """

    def __init__(self) -> None:
        self._behind = 0.0

    def now(self) -> float:
        return time.time() + self._behind

    def hear(self, http_response: Any, **_: object) -> None:
        """Takes an answer of AWS, as botocore's event after-call brings it; one without a Date tells nothing."""
        try:
            server_time = parsedate_to_datetime(http_response.headers["date"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return
        behind = server_time + 0.5 - time.time()  # a Date has whole seconds
        if abs(behind - self._behind) > CLOCK_TOLERANCE_SECONDS:
            self._behind = behind if abs(behind) > CLOCK_TOLERANCE_SECONDS else 0.0

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


class OneLoop:
    """Runs coroutines on one event loop, made at the first call and kept: a frozen sandbox goes on with it."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        if self._runner is None:
            import asyncio

            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Ends the loop and what still runs on it; Lambda just ends the process."""
        if self._runner is not None:
            self._runner.close()


@dataclass(frozen=True, slots=True)
class Host:
    """One sandbox's: a function that is built with it runs one event at a time.

    registry: None finds the workflows in the folder of the settings. runner: of steps. draw: of retry delays.
    """

    registry: Registry | None = None
    clock: Clock = field(default_factory=WallClock)
    call: Call = field(default_factory=OneLoop)
    runner: Runner | None = None
    draw: random.Random | None = None
    meter: Meter = SILENT


class TimeLeft:
    """Seconds that the invocation under way may still run, as its context tells; without one, no end."""

    def __init__(self) -> None:
        self._tell: Callable[[], int] | None = None

    def begin(self, context: Any) -> None:
        self._tell = getattr(context, "get_remaining_time_in_millis", None)

    def __call__(self) -> float:
        return float("inf") if self._tell is None else self._tell() / 1000
