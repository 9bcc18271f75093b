"""One execution environment of a function in simulated time, in a strand of its own: begun cold, used again, killed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from stepfast.simulator.clock import MICRO, WorldClock, micros
from stepfast.simulator.function_process import FunctionProcess
from stepfast.simulator.invocation import Invocation, SandboxEnded, TimedOut
from stepfast.simulator.sandbox_loop import SandboxLoop
from stepfast.simulator.strand import Strand
from stepfast.simulator.world import World

T = TypeVar("T")
_here = threading.local()


class TurnTaking(Protocol):
    """What a strand needs of simulated time."""

    world: World
    clock: WorldClock

    def pass_time(self, until: int) -> bool:
        """Moves the clock on to this microsecond and returns True, unless something else is due before."""
        ...


class StrandSandbox:
    """A sandbox in simulated time: its strand runs only while no other does.

    Code in the sandbox lets time pass by `pause`, and sees the clock moved by `skew` seconds.
    """

    def __init__(self, time: TurnTaking, name: str, process: FunctionProcess, skew: float = 0.0) -> None:
        self._time, self.world, self.name = time, time.world, name
        self._clock, self.skew = time.clock, micros(skew)
        self._process = process
        self._strand = Strand(f"sandbox-{name}", self._live)
        self._runner = asyncio.Runner(loop_factory=lambda: SandboxLoop(self))  # it makes the loop at the first use
        self._next: Invocation | None = None
        self._invocation: Invocation | None = None

    @property
    def gone(self) -> SandboxEnded | None:
        return self._process.gone

    # -- from the main thread ------------------------------------------------------------------------------

    def begin(self, invocation: Invocation) -> None:
        """Runs an invocation as far as it comes without time passing."""
        invocation.cold = self._process.cold
        self._next = invocation
        self.turn()

    def turn(self) -> None:
        """Lets the sandbox go on, until it pauses or its invocation ends."""
        if self._strand.ended:  # it was to be woken, and died meanwhile
            return
        self._strand.go_on()
        self.show_true_time()
        ended = self._invocation
        if ended is not None and ended.outcome is not None:
            self._invocation = None
            if self.gone is not None:
                self.close()
            ended.done(ended)

    def kill(self, why: str) -> None:
        self.end(SandboxEnded(why))
        self.turn()

    def close(self) -> None:
        self.end(SandboxEnded("the cloud is closed"))
        while not self._strand.ended:
            self._next = None
            self._strand.go_on()
        self.show_true_time()

    def end(self, why: SandboxEnded) -> None:
        """Ends the sandbox at its next turn. The first reason stays."""
        self._process.end(why)

    # -- in the sandbox --------------------------------------------------------------------------------------

    @property
    def loop(self) -> SandboxLoop:
        """The event loop of the sandbox, in simulated time."""
        loop = self._runner.get_loop()
        assert isinstance(loop, SandboxLoop)
        return loop

    def call(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        return self._runner.run(coroutine, context=copy_context())  # as functions.host

    @property
    def request_id(self) -> str:
        return self._invocation.request_id if self._invocation else ""

    @property
    def deadline(self) -> int:
        assert self._invocation is not None
        return round(self._invocation.deadline * MICRO)

    def show_true_time(self) -> None:
        """Has the clocks of the process show the world's time, as they do outside the sandbox."""
        self._clock.skew(0)

    def show_its_time(self) -> None:
        """Has the clocks of the process show the time of the sandbox's machine."""
        self._clock.skew(self.skew)

    def check(self) -> None:
        """Raises SandboxEnded once the sandbox has been ended."""
        self._process.check()

    def die(self, why: SandboxEnded) -> None:
        """Ends the sandbox, and raises the reason."""
        self.end(why)
        self.check()

    def pause(self, until: int) -> None:
        """Lets others go on until this microsecond; TimedOut when the function's time is up before."""
        self.check()
        late = until >= self.deadline
        until = min(until, self.deadline)
        self.show_true_time()
        if not self._time.pass_time(until):
            self.world.agenda.put(until, self.turn)
            self._strand.hand_back()
            self.check()
        if late:
            self.die(TimedOut(f"{self.name} ran longer than its timeout"))
        self.show_its_time()

    def outside(self, act: Callable[[], T]) -> T:
        """Has the main thread do something while the sandbox waits; returns or raises what came of it."""
        results = list[T]()
        errors = list[BaseException]()

        def errand() -> None:
            try:
                results.append(act())
            except BaseException as error:
                errors.append(error)
            self.turn()

        self.check()
        self.show_true_time()
        self.world.agenda.put(self.world.clock.micros, errand)
        self._strand.hand_back()
        self.check()
        self.show_its_time()
        if errors:
            raise errors[0]
        return results[0]

    def _live(self) -> None:
        _here.sandbox = self
        while self.gone is None and self._next is not None:
            invocation, self._next = self._next, None
            self._invocation = invocation
            self.show_its_time()
            self._process.run(self, invocation)
            if self.gone is None:
                self._strand.hand_back()
        self.end(SandboxEnded("no more invocations"))
        with suppress(BaseException):  # whatever its tasks do about their end
            self._runner.close()


def current() -> StrandSandbox | None:
    """The sandbox whose strand this is; None elsewhere."""
    sandbox: StrandSandbox | None = getattr(_here, "sandbox", None)
    return sandbox
