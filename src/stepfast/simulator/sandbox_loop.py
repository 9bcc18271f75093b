"""The event loop of a sandbox: its time is the world's, and waiting lets the others go on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from stepfast.simulator.clock import micros
from stepfast.simulator.simulated_loop import SimulatedLoop
from stepfast.simulator.world import World

HANGING = 1.0
"""Real seconds for which a loop without any timer waits for a thread, until it counts as hanging."""
_real_sleep = time.sleep


class LoopSandbox(Protocol):
    """What the loop needs of its sandbox."""

    world: World

    @property
    def gone(self) -> BaseException | None: ...
    @property
    def deadline(self) -> int: ...
    def pause(self, until: int) -> None: ...


class SandboxLoop(SimulatedLoop):
    """A step that sleeps takes no real time; one that really works is waited for, as in SimulatedLoop.

    It is not held for a thread: the thread may call AWS, which needs the world's turn.
    """

    hold_seconds = 0.0

    def __init__(self, sandbox: LoopSandbox) -> None:
        self._sandbox = sandbox
        self._clock = sandbox.world.clock
        self._after_death = 0.0
        self._hanging = 0.0
        super().__init__(datetime.fromtimestamp(self._clock.now, UTC))

    def time(self) -> float:
        return self._clock.now + self._after_death

    def jump(self, seconds: float) -> None:
        """Lets simulated time pass, unless a thread of an async step works: it gets HANGING seconds to end."""
        if self._jobs and self._sandbox.gone is None and self._hanging <= HANGING:
            self._hang()
            return
        if not self._jobs:
            self._hanging = 0.0
        self._pass(seconds)

    def _hang(self) -> None:
        began = time.monotonic()
        _real_sleep(0.0005)
        self._hanging += time.monotonic() - began

    def _pass(self, seconds: float) -> None:
        if self._sandbox.gone is not None:  # tidying up takes none of the world's time
            self._after_death += seconds
        else:
            self._sandbox.pause(self._clock.micros + micros(seconds))

    def jump_to(self, at: float) -> None:
        if at > self.time():
            self._pass(at - self.time())

    def tell_settled(self) -> bool:
        """Nothing is ready: without a timer only a thread can bring anything, and a hanging function times out."""
        if not self._scheduled:  # type: ignore[attr-defined]
            self._hang()
            if self._hanging > HANGING:
                if self._sandbox.gone is not None:
                    raise self._sandbox.gone
                self._sandbox.pause(self._sandbox.deadline)
        return False
