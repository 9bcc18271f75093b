"""The processes of a pool, which run its `def` steps: the calls that wait for one, and the keepers of the processes.

Calls wait in this process, and a process has one call at a time. So a call that waits is lost with no process, and no
call waits behind a long one while another process is free.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from stepfast.errors import StartupError
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.local.pool_calls import CallPace, PoolCall
from stepfast.local.pool_child import log_levels
from stepfast.local.pool_keeper import END_SECONDS, ProcessKeeper
from stepfast.local.pool_messages import Key, PoolSetup
from stepfast.local.pool_process import key_of

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.001
"""The time for which a thread may keep the interpreter lock while another wants it; 5 ms in CPython.

A keeper whose process has ended a call wants it for 0.1 ms, and the process waits meanwhile.
"""
KILL_SECONDS = 5.0
"""The longest time that the end of a killed process is waited for."""


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """The processes of a pool: how many, and what they import.

    claims_ahead: whether steps may be claimed before a process is free. Not if a step of the pool runs at most once: if
    the server dies, a step that is claimed and has not begun cannot be told from a step that has.
    """

    count: int
    setup: PoolSetup
    claims_ahead: bool = True


class ProcessPool:
    """Runs calls of a pool's `def` steps in `count` processes. Thread-safe."""

    def __init__(self, name: str, plan: ProcessPlan) -> None:
        count, setup = plan.count, plan.setup
        self.name, self._count, self._claims_ahead = name, count, plan.claims_ahead
        self._lock = threading.Lock()
        self._waiting: deque[PoolCall] = deque()
        self._idle: list[ProcessKeeper] = []
        self._pace = CallPace()
        self._expected = self._steps = setup.steps
        self._keepers = [ProcessKeeper(self, setup, number) for number in range(count)]

    @property
    def places(self) -> int:
        """How many calls should be claimed at once: those that run, and for short calls some in line."""
        return self._count * (1 + self._ahead)

    @property
    def refill(self) -> int:
        """How many places should be free before calls are claimed for them, all at once: half of those in line."""
        return max(1, self._count * self._ahead // 2)

    @property
    def _ahead(self) -> int:
        return self._pace.ahead if self._claims_ahead else 0

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        return [pid for keeper in self._keepers if (pid := keeper.pid) is not None]

    def takes(self, step: Step[..., object]) -> bool:
        """Whether calls of the step run in these processes: all `def` steps but those that they do not find."""
        return not step.is_async and key_of(step) in self._steps

    def submit(self, call: PoolCall) -> None:
        """Runs a call as soon as a process is free."""
        with self._lock:
            if self._idle:
                self._idle.pop().hand(call)
            else:
                self._waiting.append(call)

    def remove(self, call: PoolCall) -> bool:
        """Takes a call back that still waits for a process. Returns False if a process may have it."""
        with self._lock:
            try:
                self._waiting.remove(call)
            except ValueError:
                return False
            return True

    async def end(self, call: PoolCall) -> None:
        """Ends the process that runs this call, and waits until it has ended."""
        self.end_later(call, 0.0)
        if any(keeper.end(call) for keeper in self._keepers):
            await asyncio.wait({call.ended}, timeout=KILL_SECONDS)

    def end_later(self, call: PoolCall, seconds: float) -> None:
        """Ends the process if it still runs this call after so many seconds."""
        call.end_at = time.monotonic() + seconds
        self.ring()

    def ring(self) -> None:
        """Has the keepers look at their calls again."""
        for keeper in self._keepers:
            keeper.ring()

    def ask_to_end(self) -> None:
        """Asks the processes to end, once they have ended their calls."""
        for keeper in self._keepers:
            keeper.close()

    def join(self, end: float) -> None:
        """Waits until the processes have ended, and kills them at the time `end`, by time.monotonic()."""
        for keeper in self._keepers:
            keeper.join(max(0.0, end - time.monotonic()))

    # -- for the keepers ------------------------------------------------------------------------------------

    def next_for(self, keeper: ProcessKeeper) -> PoolCall | None:
        with self._lock:
            if self._waiting:
                if keeper in self._idle:
                    self._idle.remove(keeper)
                return self._waiting.popleft()
            if keeper not in self._idle:
                self._idle.append(keeper)
            return None

    def leave(self, keeper: ProcessKeeper) -> None:
        with self._lock:
            if keeper in self._idle:
                self._idle.remove(keeper)

    def put_back(self, call: PoolCall) -> None:
        with self._lock:
            if self._idle:
                self._idle.pop().hand(call)
            else:
                self._waiting.appendleft(call)

    def took(self, seconds: float) -> float:
        self._pace.took(seconds)
        tick = self._pace.tick if self._claims_ahead and len(self._waiting) >= self._count else 0.0
        return math.ceil(time.monotonic() / tick) * tick if tick > 0.0 else 0.0

    def found(self, steps: frozenset[Key]) -> None:
        missing, known = self._expected - steps, self._expected - self._steps
        if missing - known:
            names = ", ".join(sorted(f"{name} ({module}.{qualname})" for name, module, qualname in missing))
            log.warning(
                "pool %r: its processes do not find these steps, which run in threads: %s; "
                "define them where an import of their module makes them",
                self.name,
                names,
            )
        self._steps = self._expected - missing


class _QuickSwitching:
    """Has threads hand over the interpreter lock after SWITCH_SECONDS, as long as any pool of this process needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = 0.0

    def begin(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, SWITCH_SECONDS))
            self._users += 1

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                sys.setswitchinterval(self._before)


_switching = _QuickSwitching()


def plans(counts: Mapping[str, int], registry: Registry) -> dict[str, ProcessPlan]:
    """The processes of the pools, by the pool's name. Raises StartupError as `plan_of` does.

    Left out, with a warning, are pools without a `def` step.
    """
    made = {name: plan_of(name, count, registry) for name, count in counts.items()}
    for name, plan in made.items():
        if not plan.setup.steps:
            log.warning("pool %r gets no processes: no `def` step is in it", name)
    return {name: plan for name, plan in made.items() if plan.setup.steps}


def start(plans: Mapping[str, ProcessPlan]) -> dict[str, ProcessPool]:
    """Starts the processes of the pools, by the pool's name."""
    if plans:
        _switching.begin()
    return {name: ProcessPool(name, plan) for name, plan in plans.items()}


def close(pools: dict[str, ProcessPool]) -> None:
    """Ends the processes of all pools at the same time: idle ones have END_SECONDS, and are killed then.

    The pools are removed from the dict, so that a second call does nothing.
    """
    for pool in pools.values():
        pool.ask_to_end()
    end = time.monotonic() + END_SECONDS
    for pool in pools.values():
        pool.join(end)
    if pools:
        _switching.end()
    pools.clear()


def plan_of(name: str, count: int, registry: Registry) -> ProcessPlan:
    """The processes of a pool.

    They import the modules that the registry was made from, and those that define its workflows and the pool's steps.
    Raises StartupError if they cannot.
    """
    if os.name != "posix":
        raise StartupError(f"pool {name!r} cannot have processes on this system: remove `processes` from its settings")
    steps = [step for step in registry.steps if step.pool == name and not step.is_async]
    home = [step.name for step in steps if step.__module__ == "__main__"]
    if home:
        raise StartupError(
            f"pool {name!r} has processes, and its step {home[0]!r} is defined in the program itself (__main__), which "
            "they cannot import: move the step to a module"
        )
    defined = (definition.__module__ for definition in (*registry.workflows.values(), *steps))
    modules = dict.fromkeys((*registry.modules, *defined))
    modules.pop("__main__", None)
    keys = frozenset(key_of(step) for step in steps)
    claims_ahead = not any(step.at_most_once for step in steps)
    return ProcessPlan(count, PoolSetup(tuple(modules), keys, log_levels()), claims_ahead)
