"""Real time: what is due is done when the machine's clock says so, and functions run in threads beside each other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from moto.core.botocore_stubber import BotocoreStubber

from stepfast.functions import logs
from stepfast.simulator.clock import MICRO
from stepfast.simulator.function_process import FunctionProcess
from stepfast.simulator.patching import Patches
from stepfast.simulator.rules import Rules
from stepfast.simulator.sandbox import Build
from stepfast.simulator.thread_sandbox import ThreadSandbox, current
from stepfast.simulator.world import World

log = logging.getLogger(__name__)
T = TypeVar("T")
STOP_SECONDS = 1.0
"""Seconds that running functions have to return in once the cloud has ended."""


class MachineClock:
    """The machine's clock."""

    @property
    def micros(self) -> int:
        return time.time_ns() // 1000

    @property
    def now(self) -> float:
        return time.time()


class WallTime:
    """A Time that goes on by itself between `begin` and `end`.

    A thread that looks at the world or changes it must hold `turn`: the objects of the simulator, and moto's behind
    them, are not thread-safe. Functions hold it for their calls to AWS only, and run beside each other otherwise.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.turn = threading.RLock()
        self._news = threading.Condition(self.turn)
        self.world = World(MachineClock(), None, rules or Rules(), self._news.notify_all)
        self._sandboxes: list[ThreadSandbox] = []
        self._ended = False
        self._thread = threading.Thread(target=self._go_on, name="moto-cloud", daemon=True)

    def begin(self, patches: Patches) -> None:
        """Every call that the process makes to AWS takes its turn, also those of users' steps."""
        answer, turn = BotocoreStubber.__call__, self.turn

        def in_turn(self: BotocoreStubber, event_name: str, request: Any, **rest: Any) -> Any:
            sandbox = current()
            with turn:
                if sandbox is not None:
                    sandbox.check()
                return answer(self, event_name, request, **rest)

        patches.put(BotocoreStubber, "__call__", in_turn)
        self._thread.start()

    def end(self, close_functions: Callable[[], object]) -> bool:
        """As of Time. No entry of the agenda is taken any more, and threads that wait in `drive` return."""
        with self.turn:
            self._ended = True
            self._news.notify_all()
        self._thread.join()
        close_functions()
        end = time.monotonic() + STOP_SECONDS
        return all(sandbox.join(max(0.0, end - time.monotonic())) for sandbox in self._sandboxes)

    def drive(self, goal: Callable[[], bool], until: int | None = None) -> bool:
        """As of Time; others have the turn meanwhile. False also when time has ended."""
        with self.turn:
            while not goal():
                left = None if until is None else (until - self.world.clock.micros) / MICRO
                if self._ended or (left is not None and left <= 0):
                    return False
                self._news.wait(left)
            return True

    def outside(self, act: Callable[[], T]) -> T:
        with self.turn:
            return act()

    def sandbox(self, name: str, arn: str, memory: int, build: Build, skew: float) -> ThreadSandbox:
        """Raises ValueError for a skew: the machine has one clock."""
        if skew:
            raise ValueError("in real time the clock of a function cannot be ahead")
        sandbox = ThreadSandbox(self.world, self.turn, name, FunctionProcess(self.world.clock, arn, memory, build))
        self._sandboxes.append(sandbox)
        return sandbox

    def every(self, seconds: float, act: Callable[[], object]) -> None:
        """Also while nothing else happens: periods are long enough in real time to look at each."""

        def tick() -> None:
            act()
            self.world.later(tick, seconds, idle=True)

        self.world.later(tick, seconds, idle=True)

    def _go_on(self) -> None:
        while not self._ended:
            with self.turn:
                self._take_next()
            time.sleep(0)  # A lock is not fair: this lets a thread that waits for the turn have it.

    def _take_next(self) -> None:
        """Does what is due, or waits until something is, with the turn left to others."""
        due = self.world.agenda.next
        left = None if due is None else (due - self.world.clock.micros) / MICRO
        if left is None or left > 0:
            if not self._ended:
                self._news.wait(left)
            return
        entry = self.world.agenda.take()
        try:
            entry.act()
        except Exception as error:
            logs.complain(log, "the played AWS failed", error)  # The rest of the agenda goes on.
        self._news.notify_all()
