"""Runs the steps of a test: the real ones, or the fakes that stand in for them, and keeps account of each call."""

from __future__ import annotations

import asyncio
import copy
import inspect
import threading
from collections import defaultdict
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import Any

from stepfast import delays
from stepfast.client.unserved import nothing_serves
from stepfast.engine.step_runner import AttemptCall, AttemptWatch, Ended, Runner, Threads, cut_off
from stepfast.errors import StepTimeout
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.model import Stop
from stepfast.simulator.simulated_loop import SimulatedLoop
from stepfast.testing.calls import CallLog
from stepfast.testing.points import Point, Points

HOLD = 1.0
"""Real seconds for which everything waits for a `def` step; one that is slower runs beside the rest."""

_pool = Threads()


@dataclass(frozen=True, slots=True)
class Fake:
    """What runs in place of a step: after `takes` simulated seconds, with heartbeats meanwhile or without."""

    function: Callable[..., Any]
    takes: float = 0.0
    beats: bool = True


class Fakes:
    """Fakes by the name of their step; failures come first, each once."""

    def __init__(self) -> None:
        self._fakes: dict[str, Fake] = {}
        self._failures: dict[str, list[tuple[BaseException, float]]] = defaultdict(list)

    def put(self, step: Step[..., Any], fake: Fake) -> None:
        self._fakes[step.name] = fake

    def put_failure(self, step: Step[..., Any], error: BaseException, times: float) -> None:
        self._failures[step.name].append((error, times))

    def drop(self, step: Step[..., Any]) -> None:
        self._fakes.pop(step.name, None)
        self._failures.pop(step.name, None)

    def take(self, step: Step[..., Any]) -> Fake | None:
        """What the next attempt of this step runs; None for the step's own function.

        A call under a name of its own, by options(), is faked with its step, unless it has a fake under that name.
        """
        failures = self._failures[step.name] or self._failures[step.declared.name]
        if not failures:
            return self._fakes.get(step.name) or self._fakes.get(step.declared.name)
        error, times = failures.pop(0)
        if times > 1:
            failures.insert(0, (error, times - 1))

        def fail(*args: object, **kwargs: object) -> None:
            raise error.with_traceback(None)

        return Fake(fail)


class FakingRunner(Runner):
    """The runner port of one process life; real functions go through the product's own Runner."""

    def __init__(self, loop: SimulatedLoop, fakes: Fakes, points: Points, calls: CallLog) -> None:
        self._loop, self._fakes, self._points, self._calls = loop, fakes, points, calls
        self._looking: dict[str, dict[asyncio.Event, str]] = defaultdict(dict)

    def look(self, execution_id: str, only: Container[str] | None = None) -> None:
        """Has the fakes that take their time see at once that their execution has ended, or taken them back.

        only: the commands that the execution has taken back; None for all of them.
        """
        for event, step_id in self._looking[execution_id].items():
            if only is None or step_id in only:
                event.set()

    async def run(self, call: AttemptCall) -> Ended:
        step, context, arguments = call.step, call.context, call.arguments
        point = ("step", context.execution_id, step.name, context.attempt, context.step_id)
        logged = self._calls.begin(step, arguments, context, self._loop.time())
        self._points.reach(Point("before", *point))
        delays.clock.set(self._loop.time)
        nothing_serves.set(True)
        fake = self._fakes.take(step)
        ended = await self._take_time(step, fake, context, call.watch) if fake is not None and fake.takes else None
        if ended is None:
            if fake is not None:
                arguments.apply_defaults()
            ended = await self._run(replace(call, step=_standing_in(step, fake)) if fake else call)
        self._calls.end(logged, ended, self._loop.time())
        self._points.reach(Point("after", *point))
        return ended

    async def _run(self, call: AttemptCall) -> Ended:
        threads = _HeldThreads(self._loop)
        self._loop.in_task += call.step.is_async
        try:
            return await Runner(threads).run(call)
        except asyncio.CancelledError:
            call.pulse.stopped = "the process has died"  # for the heartbeat of a thread that is left behind
            raise
        finally:
            self._loop.in_task -= call.step.is_async
            threads.let_go()

    async def _take_time(
        self, step: Step[..., Any], fake: Fake, context: StepContext, watch: AttemptWatch
    ) -> Ended | None:
        """Passes a fake's time; how its attempt ended if that was before the fake's own turn."""
        seconds, error = first_end(step, fake)
        until, event = self._loop.time() + seconds, asyncio.Event()
        self._looking[context.execution_id][event] = context.step_id
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
            self._looking[context.execution_id].pop(event, None)
        return None if error is None else Ended(error=error)


def first_end(step: Step[..., Any], fake: Fake) -> tuple[float, StepTimeout | None]:
    """Simulated seconds until a fake's time ends, and the timeout that ends it; None where the fake itself does."""
    ends: list[tuple[float, StepTimeout | None]] = [
        (step.timeout, StepTimeout(f"no result within {step.timeout:g} s")),
        (fake.takes, None),
    ]
    if step.heartbeat is not None and not fake.beats:
        ends.append((step.heartbeat, StepTimeout(f"no heartbeat for {step.heartbeat:g} s")))
    return min(ends, key=lambda end: end[0])


def heeds(step: Step[..., Any], fake: Fake, stop: Stop) -> bool:
    """Whether the step that the fake stands for would end: as in Runner, a `def` step hears only at a heartbeat."""
    return stop.lost or step.is_async or (fake.beats and step.heartbeat is not None)


class _HeldThreads(Threads):
    """Threads of one attempt: the loop waits for its function, so that what is quick comes in a fixed order."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop, self._slow = loop, False

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        done, results = threading.Event(), list[Any]()

        def work() -> Any:
            results.append(function())
            done.set()
            return results[0]

        running = _pool.run(work)
        if not done.wait(HOLD):
            self._slow = True
            self._loop.in_thread += 1
            return running
        quick: asyncio.Future[Any] = self._loop.create_future()
        quick.set_result(results[0])
        return quick

    def let_go(self) -> None:
        """The attempt is over, whether or not its thread is."""
        self._loop.in_thread -= self._slow
        self._slow = False


def _standing_in(step: Step[..., Any], fake: Fake) -> Step[..., Any]:
    """The step with the fake for its function; what the fake returns may be awaitable."""

    async def function(*args: Any, **kwargs: Any) -> Any:
        value = fake.function(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    double = copy.copy(step)
    double.function, double.is_async = function, True
    return double
