"""Runs one attempt of a user's step: in a thread or a task of its own, under a timeout, watched.

Every exception of the step comes back as a value, SystemExit included; a thread that does not return is left behind.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable
from functools import partial
from typing import Any, Protocol

from stepfast.engine.quick_steps import QuickSteps
from stepfast.engine.step_threads import Threads
from stepfast.errors import StepCancelled, StepTimeout
from stepfast.frames import calls
from stepfast.language.context import StepContext, current
from stepfast.language.steps import Step
from stepfast.model import Failure, Stop
from stepfast.records import dataclass
from stepfast.replay.asyncio_internals import begun
from stepfast.unguarded import unguarded

log = logging.getLogger(__name__)

CANCEL_GRACE_SECONDS = 1.0
"""Seconds that a cancelled attempt gets at least to end, however little is left of its lease."""
WATCH = 1.0
_NOT_AWAITABLE = frozenset({type(None), bool, int, float, str, bytes, list, dict, tuple})


@unguarded
@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: with a value, or with an error. stop: the engine cut it off, for this reason.

    output: the text of the value, where another process has encoded it. failure: what to store of the error, where
    another process has described it; `error` then only has the class and what the retry policy reads of it.
    """

    value: Any = None
    error: BaseException | None = None
    stop: Stop | None = None
    output: str | None = None
    failure: Failure | None = None


def cut_off(stop: Stop) -> Ended:
    """The end of an attempt that has stopped when it was asked to."""
    return Ended(error=StepCancelled(stop.reason), stop=stop)


class AttemptWatch(Protocol):
    """What the runner asks about once a second while an attempt runs."""

    async def __call__(self, alive: bool) -> Stop | None:
        """Why the attempt must stop, None to go on. alive: it gave a sign of life since the last call."""

    def patience(self) -> float:
        """Seconds for which an attempt that was stopped may go on, until its lease is nearly over."""


class Pulse:
    """The step's side of its heartbeat: set from any thread, read by the watcher."""

    def __init__(self) -> None:
        self.beaten = False
        self.progress: str | None = None
        self.stopped: str | None = None
        self.interrupted: Stop | None = None
        self._woken: asyncio.Future[None] | None = None

    def beat(self) -> None:
        if self.stopped is not None:
            raise StepCancelled(self.stopped)
        self.beaten = True

    def report(self, progress: str) -> None:
        self.progress = progress

    def tell(self, stop: Stop | None) -> None:
        """What the next heartbeat raises; None: the attempt may go on after all."""
        self.stopped = stop.reason if stop is not None else None

    def interrupt(self, stop: Stop) -> None:
        """Has the runner stop the attempt now, rather than at its next look; from any thread."""
        self.interrupted = stop
        woken = self._woken
        if woken is not None:
            try:
                woken.get_loop().call_soon_threadsafe(_wake, woken)
            except RuntimeError:
                pass  # the loop was closed: the attempt is over

    def wakes(self, waiter: asyncio.Future[None]) -> None:
        """Has an interrupt end this wait of the running loop, in place of the wait before."""
        self._woken = waiter
        if self.interrupted is not None:
            _wake(waiter)

    def alarm(self) -> asyncio.Future[None]:
        """A future of the running loop that is done once the attempt is interrupted."""
        self._woken = self._woken or asyncio.get_running_loop().create_future()
        if self.interrupted is not None:
            _wake(self._woken)
        return self._woken


def _wake(future: asyncio.Future[None], by: object = None) -> None:
    if not future.done():
        future.set_result(None)


async def _wait(running: asyncio.Future[Any], pulse: Pulse, seconds: float) -> None:
    """Waits until the attempt has ended, or is interrupted, or for some seconds.

    asyncio.wait does the same for any number of futures, with twice as many calls. Each `def` step waits here.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    ended = partial(_wake, waiter)
    running.add_done_callback(ended)
    if pulse.interrupted is None:  # whoever knows of an interrupt waits for the end alone
        pulse.wakes(waiter)
    late = loop.call_later(seconds, _wake, waiter)
    try:
        await waiter
    finally:
        late.cancel()
        running.remove_done_callback(ended)


@unguarded
@dataclass(frozen=True, slots=True)
class AttemptCall:
    """One attempt as a runner gets it: the step with its arguments, the step's context, and who looks after it.

    input: the text that the arguments were decoded from.
    """

    step: Step[..., Any]
    input: str
    arguments: inspect.BoundArguments
    context: StepContext
    pulse: Pulse
    watch: AttemptWatch


class AttemptRunner(Protocol):
    """Runs attempts of steps."""

    async def run(self, call: AttemptCall) -> Ended:
        """Runs one attempt to its end, its timeout, or until its watch says why it must stop."""


class Runner:
    """Runs steps on the current event loop and its threads."""

    def __init__(self, threads: Threads | None = None) -> None:
        self._quick: QuickSteps[Ended] = QuickSteps(threads or Threads())

    async def run(self, call: AttemptCall) -> Ended:
        """Runs one attempt to its end, its timeout, or until its watch says why it must stop.

        The watch is awaited about once a second while the step runs. An `async` step is then cancelled. A thread
        cannot be: a `def` step learns it at its next heartbeat, and its outcome counts as its end.
        """
        step, pulse = call.step, call.pulse
        scope = contextvars.copy_context()
        scope.run(current.set, call.context)
        attempt: Ended | asyncio.Future[Ended]
        if step.is_async:
            task = begun(_attempt(step, call.arguments), scope)
            attempt = task.result() if task.done() else task
        else:
            attempt = await self._quick.run(step, partial(_attempt_in_thread, step, call.arguments, scope))
        if not isinstance(attempt, Ended):
            running = attempt
        elif _is_awaitable(attempt.value):
            running = self._awaited(attempt.value, scope)
        else:
            return attempt
        call = self._watched(call)
        loop = asyncio.get_running_loop()
        began = beaten = loop.time()
        period = WATCH if step.heartbeat is None else min(WATCH, step.heartbeat / 3)
        stop: Stop | None = None
        while True:
            left = began + step.timeout - loop.time()
            if pulse.interrupted is not None and stop is None:
                left = 0.0  # it was interrupted before this attempt could wait for it
            await _wait(running, pulse, max(0.0, min(left, period)))
            if running.done():
                ended: Ended = running.result()
                if not _is_awaitable(ended.value):
                    return _own_end(ended, stop)
                running = self._awaited(ended.value, scope)
                continue
            now = loop.time()
            alive, pulse.beaten = pulse.beaten, False
            if alive:
                beaten = now
            stop = pulse.interrupted or await call.watch(alive)
            pulse.tell(stop)
            if stop is not None and (stop.lost or stop.leave or step.is_async):
                return await self._stop(call, running, stop)
            if now >= began + step.timeout:
                return await self._late(call, running, f"no result within {step.timeout:g} s")
            if step.heartbeat is not None and now >= beaten + step.heartbeat:
                return await self._late(call, running, f"no heartbeat for {step.heartbeat:g} s")

    def _watched(self, call: AttemptCall) -> AttemptCall:
        """The call, with what else its watch is to know. Only of an attempt that does not end at once."""
        return call

    def _awaited(self, value: Awaitable[Any], scope: contextvars.Context) -> asyncio.Future[Any]:
        """Goes on with what a `def` returned: under many decorators an `async def` becomes a `def` that returns one."""

        async def rest() -> Ended:
            try:
                return Ended(await value)
            except BaseException as error:
                return Ended(error=error)

        return begun(rest(), scope)

    async def _stop(self, call: AttemptCall, running: asyncio.Future[Any], stop: Stop) -> Ended:
        """Cuts an attempt off; if it ends well all the same, it has its result."""
        await self._cancel(call, running)
        if running.done() and not stop.lost:
            ended: Ended = running.result()
            if ended.error is None:
                return ended
        return cut_off(stop)

    async def _late(self, call: AttemptCall, running: asyncio.Future[Any], reason: str) -> Ended:
        call.pulse.stopped = reason
        await self._cancel(call, running)
        return Ended(error=StepTimeout(reason))

    async def _cancel(self, call: AttemptCall, running: asyncio.Future[Any]) -> None:
        """Cancels a task and waits for its `finally` blocks while the lease lasts; a thread is left behind.

        So the next attempt does not begin beside them.
        """
        if not isinstance(running, asyncio.Task):
            return
        running.cancel()
        patience = max(CANCEL_GRACE_SECONDS, call.watch.patience())
        await asyncio.wait({running}, timeout=patience)
        if not running.done():
            log.warning(
                "step %s of execution %s: attempt %d was cancelled and still runs after %.0f s, when its lease ends; "
                "another attempt may run beside it",
                call.context.step_id,
                call.context.execution_id,
                call.context.attempt,
                patience,
            )


@calls("step")
async def _attempt(step: Step[..., Any], arguments: inspect.BoundArguments) -> Ended:
    try:
        return Ended(await step.arguments.call(step.function, arguments))
    except BaseException as error:  # SystemExit must not end the loop
        return Ended(error=error)


@calls("step")
def _attempt_in_thread(step: Step[..., Any], arguments: inspect.BoundArguments, scope: contextvars.Context) -> Ended:
    try:
        return Ended(scope.run(step.arguments.call, step.function, arguments))
    except BaseException as error:
        return Ended(error=error)


def _is_awaitable(value: Any) -> bool:
    """As inspect.isawaitable, which asks two abstract base classes, and takes ten times as long for a plain value."""
    return type(value) not in _NOT_AWAITABLE and inspect.isawaitable(value)


def _own_end(ended: Ended, stop: Stop | None) -> Ended:
    """The end of an attempt; if it heard at its heartbeat that it must stop, and did, it was cut off."""
    if stop is not None and isinstance(ended.error, StepCancelled):
        return cut_off(stop)
    return ended
