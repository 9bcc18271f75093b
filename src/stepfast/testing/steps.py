"""Runs the steps of a test, or the fakes that replace them, and logs each attempt."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any, Protocol

from stepfast import delays
from stepfast.client.unserved import nothing_serves
from stepfast.engine.step_runner import AttemptCall, AttemptWatch, Ended, Runner, cut_off
from stepfast.engine.step_threads import Threads
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.simulator.simulated_loop import HOLD_SECONDS, SimulatedLoop
from stepfast.testing.fakes import Fake, first_end, heeds, standing_in
from stepfast.testing.points import Point
from stepfast.testing.state import KitState

_pool = Threads()


class FakeTime(Protocol):
    """How the simulated time of a fake passes."""

    async def take(self, step: Step[..., Any], fake: Fake, context: StepContext, watch: AttemptWatch) -> Ended | None:
        """Passes the fake's time. Returns how the attempt ended if it ended in that time, None if the fake runs now."""


class AlertedFakeTime:
    """Passes a fake's time in one piece. After an `alert` it asks the engine whether the attempt must stop."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._alerts: dict[str, dict[asyncio.Event, str]] = defaultdict(dict)

    def alert(self, execution_id: str, only: Container[str] | None = None) -> None:
        """Has fakes of an execution ask at once whether they must stop: it has ended, or has taken them back.

        only: ids of the commands that the execution has taken back; None for all commands.
        """
        for event, step_id in self._alerts[execution_id].items():
            if only is None or step_id in only:
                event.set()

    async def take(self, step: Step[..., Any], fake: Fake, context: StepContext, watch: AttemptWatch) -> Ended | None:
        seconds, error = first_end(step, fake)
        until, event = self._loop.time() + seconds, asyncio.Event()
        self._alerts[context.execution_id][event] = context.step_id
        try:
            while self._loop.time() < until:
                try:
                    async with asyncio.timeout_at(until):
                        await event.wait()
                except TimeoutError:
                    self._loop.jump_to(until)
                    break
                event.clear()
                if (stop := await watch(fake.beats)) is not None and heeds(step, fake, stop):
                    return cut_off(stop)
        finally:
            self._alerts[context.execution_id].pop(event, None)
        return None if error is None else Ended(error=error)


class FakingRunner:
    """Runs attempts of real steps with the product's Runner, and of faked steps with their fake. Logs both as calls."""

    def __init__(self, loop: SimulatedLoop, state: KitState, fake_time: FakeTime) -> None:
        self._loop, self._state, self._fake_time = loop, state, fake_time

    async def run(self, call: AttemptCall) -> Ended:
        step, context, arguments = call.step, call.context, call.arguments
        point = ("step", context.execution_id, step.name, context.attempt, context.step_id)
        logged = self._state.calls.begin(step, arguments, context, self._loop.time())
        self._state.points.reach(Point("before", *point))
        delays.clock.set(self._loop.time)
        nothing_serves.set(True)
        fake = self._state.fakes.take(step)
        ended = await self._fake_time.take(step, fake, context, call.watch) if fake is not None and fake.takes else None
        if ended is None:
            if fake is not None:
                arguments.apply_defaults()
            ended = await self._run(replace(call, step=standing_in(step, fake)) if fake else call)
        self._state.calls.end(logged, ended, self._loop.time())
        self._state.points.reach(Point("after", *point))
        return ended

    async def _run(self, call: AttemptCall) -> Ended:
        threads = _HeldThreads(self._loop)
        self._loop.in_task += call.step.is_async
        try:
            return await Runner(threads).run(call)
        except asyncio.CancelledError:
            call.pulse.stopped = "the process has died"  # the next heartbeat of its thread, which goes on, raises this
            raise
        finally:
            self._loop.in_task -= call.step.is_async
            threads.let_go()


class _HeldThreads(Threads):
    """The thread of one attempt. The event loop waits for quick functions, so that the order is always the same."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop, self._slow = loop, False

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        done, results = threading.Event(), list[Any]()

        def work() -> Any:
            results.append(function())
            done.set()
            return results[0]

        running = _pool.run(work)
        if not done.wait(HOLD_SECONDS):
            self._slow = True
            self._loop.in_thread += 1
            return running
        quick: asyncio.Future[Any] = self._loop.create_future()
        quick.set_result(results[0])
        return quick

    def let_go(self) -> None:
        """Ends the attempt. A thread that is still busy no longer counts as work that simulated time waits for."""
        self._loop.in_thread -= self._slow
        self._slow = False
