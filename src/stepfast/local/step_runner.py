"""Runs steps for the embedded runtime: `async` steps on the leader only, `def` steps in threads or in processes.

A stop cuts all of them off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stepfast.engine.step_runner import CANCEL_GRACE_SECONDS, AttemptCall, AttemptWatch, Ended, Pulse, Runner
from stepfast.engine.step_threads import Threads
from stepfast.language.steps import Step
from stepfast.local.inbox import Inbox
from stepfast.local.process_attempts import run_in_process
from stepfast.local.process_pool import ProcessPool
from stepfast.model import Stop

ENDING = Stop("stepfast was told to end while it ran", leave=True)
IDLE_LOOK_SECONDS = 0.02
"""The time between two looks at whether attempts are under way."""


class StepRunner(Runner):
    """Runs attempts and knows which are under way. `cut_off` interrupts them, as attempts that stepfast has stopped."""

    def __init__(self, inbox: Inbox, pools: Mapping[str, ProcessPool] = MappingProxyType({})) -> None:
        super().__init__(Threads())
        self._inbox, self._pools = inbox, pools
        self._cut_off = False
        # set.add and set.discard of objects without a Python __hash__ or __eq__ are atomic in CPython, with and without
        # the interpreter lock, so that attempts need no lock of their own.
        self._active: set[Pulse] = set()

    def takes(self, step: Step[..., Any]) -> bool:
        """Whether the calling thread may run this step."""
        return not step.is_async or self._inbox.leads(asyncio.get_running_loop())

    async def run(self, call: AttemptCall) -> Ended:
        self._active.add(call.pulse)
        if self._cut_off:
            call.pulse.interrupt(ENDING)
        try:
            pool = self._pools.get(call.step.pool)
            if pool is not None and pool.takes(call.step):
                ended = await run_in_process(pool, self._watched(call))
                if ended is not None:
                    return ended
            return await super().run(call)
        finally:
            self._active.discard(call.pulse)

    def _watched(self, call: AttemptCall) -> AttemptCall:
        watch = _UntilTheEnd(call.watch, call.pulse)
        return AttemptCall(call.step, call.input, call.arguments, call.context, call.pulse, watch)

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until no attempt is under way. Returns False if one still is after this many seconds."""
        end = time.monotonic() + seconds
        while self._active:
            if time.monotonic() >= end:
                return False
            time.sleep(IDLE_LOOK_SECONDS)
        return True

    def cut_off(self) -> None:
        """Interrupts the attempts under way.

        The task of an `async` step is cancelled, a process of a pool is ended, and a thread is left behind.
        """
        # Set before the loop: an attempt that begins too late for the loop sees the flag in `run`.
        self._cut_off = True
        for pulse in list(self._active):
            pulse.interrupt(ENDING)


class _UntilTheEnd:
    """An attempt's watch. Once a stop has cut it off, its task has CANCEL_GRACE_SECONDS left instead of its lease."""

    def __init__(self, watch: AttemptWatch, pulse: Pulse) -> None:
        self._watch, self._pulse = watch, pulse

    async def __call__(self, alive: bool) -> Stop | None:
        return await self._watch(alive)

    def patience(self) -> float:
        return CANCEL_GRACE_SECONDS if self._pulse.interrupted is ENDING else self._watch.patience()
