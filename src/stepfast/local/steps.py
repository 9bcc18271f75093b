"""Runs steps for the embedded runtime: `async` ones on the leading thread only, and all until told to stop."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

from stepfast.context import StepContext
from stepfast.errors import StepCancelled, StepInterrupted
from stepfast.local.inbox import Inbox
from stepfast.running import Ended, Pulse, Runner, Threads
from stepfast.workflow import Step

LOOK = 0.02
"""Seconds between two looks at whether attempts are under way."""
STOPPED = "cut off by a stop: stepfast was told to end while it ran"


class StepRunner(Runner):
    """Counts the attempts under way; after `cut_off` each ends within about a second, as StepInterrupted."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(Threads())
        self._inbox = inbox
        self._cut_off = False
        self._active: set[Pulse] = set()  # adding and discarding are atomic: attempts pay for no lock

    def takes(self, step: Step[..., Any]) -> bool:
        """Whether the thread that asks may run this step."""
        return not step.is_async or self._inbox.leads(asyncio.get_running_loop())

    async def run(
        self,
        step: Step[..., Any],
        arguments: inspect.BoundArguments,
        context: StepContext,
        pulse: Pulse,
        watch: Callable[[bool], Awaitable[str | None]],
    ) -> Ended:
        async def watching(alive: bool) -> str | None:
            return STOPPED if self._cut_off else await watch(alive)

        self._active.add(pulse)
        try:
            ended = await super().run(step, arguments, context, pulse, watching)
        finally:
            self._active.discard(pulse)
        if pulse.stopped == STOPPED and isinstance(ended.error, StepCancelled):
            return Ended(error=StepInterrupted(STOPPED), stopped=True)
        return ended

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until no attempt is under way; False when that takes longer."""
        end = time.monotonic() + seconds
        while self._active:
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK)
        return True

    def cut_off(self) -> None:
        """Ends the attempts under way: a task is cancelled, a thread is left behind."""
        self._cut_off = True
