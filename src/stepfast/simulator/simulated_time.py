"""Simulated time: no clock of the process moves, except to the time of the entry that is due next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from stepfast.simulator import waiting
from stepfast.simulator.clock import WorldClock
from stepfast.simulator.function_process import FunctionProcess
from stepfast.simulator.patching import Patches
from stepfast.simulator.rules import Rules
from stepfast.simulator.sandbox import Build
from stepfast.simulator.schedules import Ticker
from stepfast.simulator.strand_sandbox import StrandSandbox, current
from stepfast.simulator.world import World

T = TypeVar("T")
START = datetime(2030, 1, 1, tzinfo=UTC)
QUIET = 4
"""Idle entries in a row, such as sweeps, that lead to nothing: then nothing more will happen."""


class SimulatedTime:
    """A Time in which waiting takes no real time. All of it runs in the thread that made it, and in its strands.

    start: with a time zone. seed: as of World.
    """

    def __init__(self, start: datetime = START, seed: int = 0, rules: Rules | None = None) -> None:
        self.clock = WorldClock(start)
        self.world = World(self.clock, seed, rules or Rules())
        self._horizon: int | None = None
        self._main = threading.current_thread()

    def begin(self, patches: Patches) -> None:
        waiting.patch(patches)
        self.clock.start()

    def end(self, close_functions: Callable[[], object]) -> bool:
        try:
            close_functions()
        finally:
            self.clock.stop()
        return True

    def pass_time(self, until: int) -> bool:
        """Moves on to this microsecond if nothing else is due before; for the strand whose turn it is."""
        due = self.world.agenda.next
        if (due is not None and due <= until) or (self._horizon is not None and until > self._horizon):
            return False
        self.clock.move_to(until)
        return True

    def drive(self, goal: Callable[[], bool], until: int | None = None) -> bool:
        """As of Time; also False when nothing is left before `until`. Raises what an entry of the agenda raises."""
        if threading.current_thread() is not self._main:
            raise RuntimeError("the cloud is run by the test's own thread only")
        before, self._horizon = self._horizon, until
        agenda = self.world.agenda
        quiet, progress = 0, self.world.progress
        try:
            while not goal():
                due = agenda.next
                if due is None or (until is not None and due > until):
                    if until is not None:
                        self.clock.move_to(until)
                    return False
                if until is None and not agenda.busy:
                    quiet = quiet + 1 if self.world.progress == progress else 0
                    progress = self.world.progress
                    if quiet > QUIET:
                        return False
                entry = agenda.take()
                self.clock.move_to(entry.at)
                entry.act()
            return True
        finally:
            self._horizon = before

    def outside(self, act: Callable[[], T]) -> T:
        sandbox = current()
        return act() if sandbox is None else sandbox.outside(act)

    def sandbox(self, name: str, arn: str, memory: int, build: Build, skew: float) -> StrandSandbox:
        return StrandSandbox(self, name, FunctionProcess(self.clock, arn, memory, build), skew)

    def every(self, seconds: float, act: Callable[[], object]) -> None:
        """Less often while nothing else happens, and at once again when something does: see Ticker."""
        Ticker(self.world, seconds, act)
