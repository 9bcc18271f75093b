"""What a function needs from its process: clock, event loop, step runner, meter. Tests pass their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from dataclasses import field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stepfast.functions.metering import SILENT, Meter
from stepfast.records import dataclass

if TYPE_CHECKING:
    import asyncio
    import random

    from stepfast.deployment.schedules import ScheduledStart
    from stepfast.engine.ports import Clock
    from stepfast.engine.step_runner import AttemptRunner
    from stepfast.language.registry import Registry

T = TypeVar("T")

CLOCK_TOLERANCE_SECONDS = 1.0
"""A deviation in seconds that is not corrected.

A `Date` header has whole seconds, and the answer took time to arrive.
"""
Handler = Callable[[Any, Any], Any]
"""A Lambda handler: takes an event and a context, returns the answer; event and answer are JSON values."""


class LoopCaller(Protocol):
    """Runs a coroutine to its result, always on the same event loop."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


class SideBySide(Protocol):
    """Runs jobs, perhaps at the same time. A job is awaited by its caller, and raises there what it raises."""

    async def __call__(self, job: Callable[[], Coroutine[Any, Any, T]], /) -> T: ...


async def in_turn(job: Callable[[], Coroutine[Any, Any, T]], /) -> T:
    """Runs a job on the event loop of its caller: one goes on after the other, as in simulated time."""
    return await job()


class WallClock:
    """The machine's time, corrected by the `Date` of AWS's answers when the two differ by more than a second.

    Functions on different machines compare the times they write, and SQS stamps messages with AWS's own clock. If a
    slow clock wrote a failure, the failure would look older than its park message, and the resume function would take
    that message for a redrive.
    """

    def __init__(self) -> None:
        self._behind = 0.0

    def now(self) -> float:
        return time.time() + self._behind

    def hear(self, http_response: Any, **_: object) -> None:
        """Reads the `Date` of an AWS answer, as botocore's event `after-call` passes it.

        Ignores an answer without one.
        """
        try:
            server_time = parsedate_to_datetime(http_response.headers["date"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return
        behind = server_time + 0.5 - time.time()  # half a second: Date is cut to whole seconds
        if abs(behind - self._behind) > CLOCK_TOLERANCE_SECONDS:
            self._behind = behind if abs(behind) > CLOCK_TOLERANCE_SECONDS else 0.0

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


class OneLoop:
    """Runs coroutines on one event loop, made at the first call and kept.

    It survives the freeze between invocations.
    """

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        if self._runner is None:
            import asyncio

            self._runner = asyncio.Runner()
        # By itself, a runner keeps the context of its first run.
        return self._runner.run(coroutine, context=copy_context())

    def close(self) -> None:
        """Ends the loop and its tasks. Lambda never calls it: it ends the process."""
        if self._runner is not None:
            self._runner.close()


@dataclass(frozen=True, slots=True)
class Host:
    """What one sandbox offers its function, which runs one event at a time.

    registry: the workflows; None imports them from the folder in the settings. runner: runs steps; None runs them in
    threads. draw: the random source of retry delays; None asks the operating system. side_by_side: runs what one event
    asks for of different executions. starts: the scheduled starts; None reads them from the file in the bundle.
    """

    registry: Registry | None = None
    clock: Clock = field(default_factory=WallClock)
    call: LoopCaller = field(default_factory=OneLoop)
    runner: AttemptRunner | None = None
    draw: random.Random | None = None
    meter: Meter = SILENT
    side_by_side: SideBySide = in_turn
    starts: Sequence[ScheduledStart] | None = None


class TimeLeft:
    """Seconds that the current invocation may still run, from its context; infinite without a context."""

    def __init__(self) -> None:
        self._tell: Callable[[], int] | None = None

    def begin(self, context: Any) -> None:
        self._tell = getattr(context, "get_remaining_time_in_millis", None)

    def __call__(self) -> float:
        return float("inf") if self._tell is None else self._tell() / 1000
