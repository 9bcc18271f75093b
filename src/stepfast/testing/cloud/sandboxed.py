"""Steps and cues in a sandbox of a function, in the sandbox's time."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast.engine.step_runner import AttemptWatch, Ended, cut_off
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.simulator.strand_sandbox import StrandSandbox, current
from stepfast.testing.fakes import Fake, first_end, heeds
from stepfast.testing.points import Point, Points


class PlayedPoints(Points):
    """Triggers act in the main thread, as the outside world does. The sandbox that reached the point waits."""

    stopped_at: StrandSandbox | None = None

    def reach(self, point: Point) -> None:
        sandbox = current()
        if sandbox is None or not any(trigger.times > 0 and trigger.meets(point) for trigger in self.triggers):
            super().reach(point)
            return
        sandbox.outside(lambda: self._act(sandbox, point))

    def _act(self, sandbox: StrandSandbox, point: Point) -> None:
        before, self.stopped_at = self.stopped_at, sandbox
        try:
            super().reach(point)
        finally:
            self.stopped_at = before


class WatchedFakeTime:
    """Passes a fake's time in pieces, and reads the store after each, as the engine does for a real step."""

    async def take(self, step: Step[..., Any], fake: Fake, context: StepContext, watch: AttemptWatch) -> Ended | None:
        left, error = first_end(step, fake)
        period = max(1.0, step.lease / 6)
        while left > 0:
            await asyncio.sleep(min(period, left))
            left -= period
            if left > 0 and (stop := await watch(fake.beats)) is not None and heeds(step, fake, stop):
                return cut_off(stop)
        return None if error is None else Ended(error=error)
