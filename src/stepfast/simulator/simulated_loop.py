"""An event loop in simulated time: when nothing is left to do, it is at once the time of the next timer.

Real work is waited for: while a step talks to a socket or runs in a thread, simulated time stops,
and timers fire only when as much real time has passed. So quick steps take no time at all, the same in
every run, and one that hangs still runs into its timeout.

Two threads end in an order that no one can foresee. So while a thread of an async step is quick, as a function tool of
an agent is, the loop runs nothing else. It goes on when the thread reports to it, or after HOLD_SECONDS.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import math
import selectors
import sys
import threading
import time
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from stepfast.replay.loop import FOREVER

HOLD_SECONDS = 1.0
"""Real seconds for which everything waits for the thread of a step. A slower thread runs beside the rest."""


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop
        self._waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if not self._loop.real_work(len(self.get_map()) > 1):  # one is the loop's own pipe
            self._waited = 0.0
            events = super().select(0)
            if not events and not self._loop.tell_settled() and timeout is not None:
                self._loop.jump(timeout)
            return events
        began = time.monotonic()
        events = super().select(None if timeout is None else max(0.0, timeout - self._waited))
        self._waited += time.monotonic() - began
        if timeout is not None and (not events or self._waited >= timeout):
            self._waited = 0.0
            self._loop.jump(timeout)
        return events


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`time()` is seconds since the epoch; `in_thread` and `in_task` count steps that really run just now."""

    hold_seconds = HOLD_SECONDS

    def __init__(self, start: datetime) -> None:
        self._simulated = start.timestamp()
        self.in_thread = self.in_task = self._jobs = 0
        self._settling: asyncio.Future[bool] | None = None
        self.reported = threading.Event()
        _count_threads_of_anyio()
        super().__init__(_Selector(self))
        self._set(self._simulated)

    def _set(self, simulated: float) -> None:
        # asyncio fires what is due before time() + resolution; the usual nanosecond is less than a float
        # of this size can tell apart, and a timer due exactly now would never fire.
        self._simulated = simulated
        self._clock_resolution = 4 * math.ulp(simulated)

    def time(self) -> float:
        return self._simulated

    def jump(self, seconds: float) -> None:
        """Lets simulated time pass."""
        self._set(self._simulated + seconds)

    def jump_to(self, at: float) -> None:
        """Makes up for a timer that has fired by a rounding error too early."""
        self._set(max(self._simulated, at))

    async def settle(self) -> bool:
        """True, once nothing else can go on without time passing."""
        self._settling = self.create_future()
        return await self._settling

    def tell_settled(self) -> bool:
        if self._settling is None or self._settling.done():
            return False
        self._settling.set_result(True)
        return True

    def real_work(self, connected: bool) -> bool:
        """True while something outside simulated time is waited for: a thread, or I/O of an async step."""
        return self.in_thread > 0 or (self.in_task > 0 and (connected or self._jobs > 0))

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        self.reported.clear()
        future = super().run_in_executor(executor, func, *args)
        self.hold()
        self._jobs += 1

        def done(_: object) -> None:
            self._jobs -= 1

        future.add_done_callback(done)
        return future

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]
        handle = super().call_soon_threadsafe(callback, *args, **options)
        self.reported.set()
        return handle

    def hold(self) -> None:
        """Waits until the thread of a step reports to the loop. Clear `reported` before the thread starts."""
        if self.in_task > 0:
            self.reported.wait(self.hold_seconds)

    @contextmanager
    def job(self) -> Iterator[None]:
        """Counts a thread that a library has started for this loop."""
        self._jobs += 1
        try:
            yield
        finally:
            self._jobs -= 1


def _count_threads_of_anyio() -> None:
    """Counts the threads of anyio.to_thread, which does not use run_in_executor. Nothing happens without anyio.

    Every call goes through this method of anyio's backend (anyio 4.16, `anyio.to_thread.run_sync`).
    """
    if "anyio" not in sys.modules:
        return
    backend: Any = importlib.import_module("anyio._backends._asyncio").AsyncIOBackend
    plain = getattr(backend, "run_sync_in_worker_thread", None)
    if plain is None or hasattr(plain, "__wrapped__"):
        return

    @functools.wraps(plain.__func__)
    async def counted(cls: Any, *args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimulatedLoop):
            return await plain(*args, **kwargs)
        with loop.job():
            return await _held(loop, plain(*args, **kwargs))

    backend.run_sync_in_worker_thread = classmethod(counted)


@types.coroutine
def _held(loop: SimulatedLoop, call: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Awaits a call that starts a thread, and holds the loop where the call waits for the thread."""
    go_on: Callable[[], Any] = functools.partial(call.send, None)
    while True:
        loop.reported.clear()
        try:
            future = go_on()
        except StopIteration as end:
            return end.value
        if future is not None:  # None is one turn of the loop: anyio takes some before it starts the thread
            loop.hold()
        try:
            go_on = functools.partial(call.send, (yield future))
        except BaseException as error:
            go_on = functools.partial(call.throw, error)


class SimulatedClock:
    """The clock port on the loop's time."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def moment(at: float) -> datetime:
    """Seconds since the epoch as a datetime in UTC; the end of the calendar for what lies behind it."""
    return datetime.fromtimestamp(min(at, FOREVER), UTC)
