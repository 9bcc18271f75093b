"""Python's clocks and random numbers for workflow code: the same values in every replay, or a refusal.

Each function here replaces a standard function while workflow code runs; `interception` installs it. Code outside
workflows, and code that observes workflow code, gets the standard function.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from stepfast.collector import is_collecting as is_collecting
from stepfast.errors import ForbiddenInWorkflow
from stepfast.frames import called_by
from stepfast.language.workflow_loop import CommandLoop

READINGS = 100_000
"""How often workflow code may read a clock between two results. Code that reads it more often waits for it to move."""
OBSERVERS = frozenset(
    [
        *("logging", "structlog", "loguru", "opentelemetry", "logfire", "sentry_sdk", "ddtrace"),
        *("importlib", "_frozen_importlib", "_frozen_importlib_external", "linecache", "traceback", "warnings"),
        *("coverage", "bdb", "pdb", "debugpy", "_pydevd_bundle", "pydevd"),
    ]
)
"""Packages that observe or load code. They get the real clocks, since what they read there reaches no command."""
_EPOCH_OF_UUID1 = 0x01B21DD213814000
"""The time from 15 October 1582 to 1 January 1970, in units of 100 ns (RFC 9562, section 5.1)."""

plain_monotonic: Callable[[], float] = getattr(time.monotonic, "__wrapped__", time.monotonic)
"""The function of the standard library, which does not ask whether workflow code calls it."""

Replacement = Callable[..., Any]


def intercepted(real: Any, replacement: Replacement) -> Any:
    """A function that calls `real`, but in workflow code `replacement(loop, real, *arguments)`."""
    running_loop = asyncio._get_running_loop

    def function(*args: Any, **kwargs: Any) -> Any:
        loop = running_loop()
        if not isinstance(loop, CommandLoop) or is_collecting() or called_by(OBSERVERS, 2):
            return real(*args, **kwargs)
        return replacement(loop, real, *args, **kwargs)

    function.__name__ = function.__qualname__ = getattr(real, "__name__", "function")
    function.__doc__ = getattr(real, "__doc__", None)
    function.__module__ = getattr(real, "__module__", None) or "builtins"
    function.__wrapped__ = real  # type: ignore[attr-defined]
    return function


# -- clocks ------------------------------------------------------------------------------------------


def _clock(loop: Any) -> float:
    """The time of the last result, as in stepfast.now(). It does not move, so a loop that waits for it is refused."""
    clock: float = loop.clock
    loop.readings = loop.readings + 1 if loop.read_at == clock else 1
    loop.read_at = clock
    if loop.readings > READINGS:
        raise loop.commands.refuse(
            ForbiddenInWorkflow(
                "workflow code reads the clock again and again without waiting for anything: in workflow code time "
                "does not advance between two results; to wait, await asyncio.sleep"
            )
        )
    return clock


def _seconds(loop: Any, real: Any) -> float:
    return _clock(loop)


def _nanoseconds(loop: Any, real: Any) -> int:
    return round(_clock(loop) * 1_000_000) * 1000


def _of_clock_id(loop: Any, real: Any, clock_id: Any, /) -> float:
    return _clock(loop)


def _of_clock_id_ns(loop: Any, real: Any, clock_id: Any, /) -> int:
    return _nanoseconds(loop, real)


def _parts(loop: Any, real: Any, seconds: Any = None, /) -> Any:
    return real(_clock(loop) if seconds is None else seconds)


def _local_text(loop: Any, real: Any, parts: Any = None, /) -> Any:
    return real(time.localtime(_clock(loop)) if parts is None else parts)


def _formatted(loop: Any, real: Any, format: Any, parts: Any = None, /) -> Any:
    return real(format, time.localtime(_clock(loop)) if parts is None else parts)


CLOCKS: dict[str, Replacement] = {
    "time": _seconds,
    "time_ns": _nanoseconds,
    "monotonic": _seconds,
    "monotonic_ns": _nanoseconds,
    "perf_counter": _seconds,
    "perf_counter_ns": _nanoseconds,
    "process_time": _seconds,
    "process_time_ns": _nanoseconds,
    "thread_time": _seconds,
    "thread_time_ns": _nanoseconds,
    "clock_gettime": _of_clock_id,
    "clock_gettime_ns": _of_clock_id_ns,
    "localtime": _parts,
    "gmtime": _parts,
    "ctime": _parts,
    "asctime": _local_text,
    "strftime": _formatted,
}
"""The replacement for each function of `time`, by its name."""


def now(loop: Any, real: Any, tz: tzinfo | None = None) -> datetime:
    """datetime.now. `real` is bound to the class that it was called on."""
    kind: type[datetime] = getattr(real, "__self__", datetime)
    return kind.fromtimestamp(_clock(loop), tz)


def utcnow(loop: Any, real: Any) -> datetime:
    kind: type[datetime] = getattr(real, "__self__", datetime)
    return kind.fromtimestamp(_clock(loop), UTC).replace(tzinfo=None)


def today(loop: Any, real: Any) -> date:
    kind: type[date] = getattr(real, "__self__", date)
    return kind.fromtimestamp(_clock(loop))


# -- random numbers ----------------------------------------------------------------------------------


def seed_of(loop: Any) -> int:
    """A seed for a generator of this workflow, the same in every replay."""
    return int.from_bytes(loop.commands.entropy("seed"), "big")


def generator_of(loop: Any) -> random.Random:
    """The generator of the task that runs: the functions of `random` draw from it in workflow code."""
    generators: dict[Any, random.Random] = loop.generators
    task = asyncio.current_task(loop)
    if task not in generators:
        generators[task] = random.Random(seed_of(loop))
    return generators[task]


def secret(call: str) -> Replacement:
    """Refuses a call that makes secrets: a value that replays can repeat is a value that others can compute."""

    def refused(loop: Any, real: Any, *args: Any, **kwargs: Any) -> Any:
        raise loop.commands.refuse(
            ForbiddenInWorkflow(
                f"workflow code called {call}: what is the same in every replay is no secret; make secrets in a step, "
                "and take ids from stepfast.uuid4() and numbers from stepfast.random()"
            )
        )

    return refused


# -- UUIDs -------------------------------------------------------------------------------------------


def uuid4(loop: Any) -> uuid.UUID:
    return uuid.UUID(bytes=loop.commands.entropy("uuid4")[:16], version=4)


def uuid1(loop: Any, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """From the time of the last result. Node and sequence are random; a bit of the node marks it as no MAC address."""
    drawn = int.from_bytes(loop.commands.entropy("uuid1")[:16], "big")
    ticks = round(_clock(loop) * 1_000_000) * 10 + _EPOCH_OF_UUID1
    sequence = (drawn >> 64) & 0x3FFF if clock_seq is None else clock_seq
    node = (drawn & 0xFFFF_FFFF_FFFF) | 1 << 40 if node is None else node
    fields = (
        *(ticks & 0xFFFF_FFFF, (ticks >> 32) & 0xFFFF, (ticks >> 48) & 0x0FFF),
        *((sequence >> 8) & 0x3F, sequence & 0xFF, node),
    )
    return uuid.UUID(fields=fields, version=1)


def uuid6(loop: Any, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """As uuid1, but with the bits of the time in an order that sorts by time (RFC 9562, section 5.6)."""
    first = uuid1(loop, node, clock_seq)
    high = (first.time >> 12) << 80 | 6 << 76 | (first.time & 0xFFF) << 64
    return uuid.UUID(int=high | first.int & ((1 << 64) - 1))


def uuid7(loop: Any) -> uuid.UUID:
    """The time of the last result in milliseconds, then random bits (RFC 9562, section 5.7)."""
    drawn = int.from_bytes(loop.commands.entropy("uuid7")[:16], "big")
    made = (int(_clock(loop) * 1000) & (1 << 48) - 1) << 80 | 7 << 76 | (drawn >> 64 & 0xFFF) << 64
    return uuid.UUID(int=made | 2 << 62 | drawn & ((1 << 62) - 1))


UUIDS: dict[str, Replacement] = {"uuid1": uuid1, "uuid4": uuid4, "uuid6": uuid6, "uuid7": uuid7}
"""The replacement for each function of `uuid`, by its name. Python 3.14 brought uuid6 and uuid7."""


def loop_of_workflow() -> CommandLoop | None:
    """The loop of the workflow code that calls, or None for a caller that gets the standard function."""
    loop = asyncio._get_running_loop()
    if not isinstance(loop, CommandLoop) or is_collecting() or called_by(OBSERVERS, 2):
        return None
    return loop
