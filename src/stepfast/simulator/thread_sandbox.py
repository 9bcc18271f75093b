"""A sandbox in real time: it runs its invocations in a thread of its own, beside all others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Any, TypeVar

from stepfast.functions.host import OneLoop
from stepfast.simulator.agenda import AgendaEntry
from stepfast.simulator.clock import MICRO
from stepfast.simulator.function_process import FunctionProcess
from stepfast.simulator.invocation import Invocation, SandboxEnded, TimedOut
from stepfast.simulator.world import World

log = logging.getLogger(__name__)
T = TypeVar("T")
_here = threading.local()


class ThreadSandbox:
    """Its thread cannot be killed. Once the sandbox is gone, its next call to AWS ends it, and its result is dropped.

    turn: held by whoever looks at the world or changes it.
    """

    def __init__(self, world: World, turn: AbstractContextManager[object], name: str, process: FunctionProcess) -> None:
        self.world, self.name = world, name
        self._turn, self._process, self._loop = turn, process, OneLoop()
        self._invocation: Invocation | None = None
        self._invocations: SimpleQueue[Invocation | None] = SimpleQueue()
        self._limit: AgendaEntry | None = None
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    @property
    def gone(self) -> SandboxEnded | None:
        return self._process.gone

    # -- with the turn ---------------------------------------------------------------------------------------

    def begin(self, invocation: Invocation) -> None:
        invocation.cold = self._process.cold
        self._invocation = invocation
        late = TimedOut(f"{self.name} ran longer than its timeout")
        self._limit = self.world.agenda.put(round(invocation.deadline * MICRO), lambda: self._cut_off(late))
        self._invocations.put(invocation)

    def kill(self, why: str) -> None:
        self._cut_off(SandboxEnded(why))

    def close(self) -> None:
        self._process.end(SandboxEnded("the cloud is closed"))
        self._invocations.put(None)

    def join(self, seconds: float) -> bool:
        """Waits for the end of the thread; False if it still runs."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _cut_off(self, gone: SandboxEnded) -> None:
        invocation = self._invocation
        if invocation is None:
            return
        log.error("%s is cut off: %s", self.name, gone)
        self._process.end(gone)
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

    def call(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        return self._loop(coroutine)

    def check(self) -> None:
        """Raises SandboxEnded once the sandbox has been ended."""
        self._process.check()

    def _serve(self) -> None:
        _here.sandbox = self
        try:
            while (invocation := self._invocations.get()) is not None:
                self._process.run(self, invocation)
                self._report(invocation)
        finally:
            self._loop.close()

    def _report(self, invocation: Invocation) -> None:
        with self._turn:
            self.world.agenda.put(self.world.clock.micros, lambda: self._end(invocation))


def current() -> ThreadSandbox | None:
    """The sandbox whose thread this is; None elsewhere."""
    sandbox: ThreadSandbox | None = getattr(_here, "sandbox", None)
    return sandbox
