"""Sandboxes in real time: each runs its invocations in a thread of its own, beside all others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from stepfast.functions.host import OneLoop
from stepfast.simulator.agenda import AgendaEntry
from stepfast.simulator.clock import MICRO
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.sandbox import Handler, Invocation, Sandbox, SandboxEnded, TimedOut
from stepfast.simulator.wall_world import RealWorld

log = logging.getLogger(__name__)
_here = threading.local()


class RealSandbox(Sandbox):
    """Its thread cannot be killed: once it is gone, the next call to AWS ends it, and its result is nobody's.

    call: runs coroutines on its event loop.
    """

    world: RealWorld

    def __init__(self, world: RealWorld, name: str, arn: str, memory: int, build: Callable[[Sandbox], Handler]) -> None:
        super().__init__(world, name, arn, memory, build)
        self.call = OneLoop()
        self._given: SimpleQueue[Invocation | None] = SimpleQueue()
        self._limit: AgendaEntry | None = None
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        world.threads.append(thread)
        thread.start()

    # -- with the turn ---------------------------------------------------------------------------------------

    def begin(self, invocation: Invocation) -> None:
        invocation.cold = self._handler is None
        self._invocation = invocation
        late = TimedOut(f"{self.name} ran longer than its timeout")
        self._limit = self.world.agenda.put(round(invocation.deadline * MICRO), lambda: self._cut_off(late))
        self._given.put(invocation)

    def kill(self, why: str) -> None:
        self._cut_off(SandboxEnded(why))

    def close(self) -> None:
        self.gone = self.gone or SandboxEnded("the cloud is closed")
        self._given.put(None)

    def _cut_off(self, gone: SandboxEnded) -> None:
        invocation = self._invocation
        if invocation is None:
            return
        log.error("%s is cut off: %s", self.name, gone)
        self.gone = self.gone or gone
        invocation.error, invocation.outcome = gone, gone.outcome
        invocation.ended_at = self.world.clock.now
        self._end(invocation)

    def _end(self, invocation: Invocation) -> None:
        if self._invocation is not invocation:  # cut off before
            return
        self._invocation = None
        if self._limit is not None:
            self.world.agenda.drop(self._limit)
        invocation.done(invocation)

    # -- in its thread -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        _here.sandbox = self
        try:
            while (invocation := self._given.get()) is not None:
                self._run(invocation)
                self._tell(invocation)
        finally:
            self.call.close()

    def _tell(self, invocation: Invocation) -> None:
        with self.world.turn:
            self.world.agenda.put(self.world.clock.micros, lambda: self._end(invocation))


class RealFunction(SimulatedFunction):
    """A function whose sandboxes run in real time."""

    def _new(self) -> Sandbox:
        assert isinstance(self._world, RealWorld)
        return RealSandbox(self._world, self.name, self.arn, self.memory, self._build)


def current() -> RealSandbox | None:
    """The sandbox whose thread this is; None elsewhere."""
    sandbox: RealSandbox | None = getattr(_here, "sandbox", None)
    return sandbox
