"""Runs steps for the embedded runtime: `async` ones on the leading thread only, and all until told to stop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from stepfast.engine.step_runner import GRACE, Ended, Pulse, Runner, StepCall, Threads, Watch
from stepfast.language.steps import Step
from stepfast.local.inbox import Inbox
from stepfast.model import Stop

ENDING = Stop("stepfast was told to end while it ran", leave=True)
IDLE_LOOK_SECONDS = 0.02
"""Seconds between two looks at whether attempts are under way."""


class StepRunner(Runner):
    """Knows the attempts under way; `cut_off` ends each at once, as an attempt that stepfast has stopped."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(Threads())
        self._inbox = inbox
        self._cut_off = False
        self._active: set[Pulse] = set()  # adding and discarding are atomic: attempts pay for no lock

    def takes(self, step: Step[..., Any]) -> bool:
        """Whether the thread that asks may run this step."""
        return not step.is_async or self._inbox.leads(asyncio.get_running_loop())

    async def run(self, call: StepCall) -> Ended:
        self._active.add(call.pulse)
        if self._cut_off:
            call.pulse.interrupt(ENDING)
        try:
            return await super().run(replace(call, watch=_UntilTheEnd(call.watch, call.pulse)))
        finally:
            self._active.discard(call.pulse)

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until no attempt is under way; False when that takes longer."""
        end = time.monotonic() + seconds
        while self._active:
            if time.monotonic() >= end:
                return False
            time.sleep(IDLE_LOOK_SECONDS)
        return True

    def cut_off(self) -> None:
        """Ends the attempts under way: a task is cancelled, a thread is left behind."""
        self._cut_off = True  # before the look at the attempts: one that begins now sees it
        for pulse in list(self._active):
            pulse.interrupt(ENDING)


class _UntilTheEnd:
    """An attempt's watch; once the process is to end, a cancelled task has a moment and not the rest of its lease."""

    def __init__(self, watch: Watch, pulse: Pulse) -> None:
        self._watch, self._pulse = watch, pulse

    async def __call__(self, alive: bool) -> Stop | None:
        return await self._watch(alive)

    def patience(self) -> float:
        return GRACE if self._pulse.interrupted is ENDING else self._watch.patience()
