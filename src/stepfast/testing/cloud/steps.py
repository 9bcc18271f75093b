"""Steps in a sandbox: real or faked as in an Environment, in the sandbox's time, with cues at every attempt."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast.engine.step_runner import AttemptWatch, Ended, cut_off
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.simulator.strand_sandbox import StrandSandbox, current
from stepfast.testing.points import Point, Points
from stepfast.testing.steps import Fake, FakingRunner, first_end, heeds


class PlayedPoints(Points):
    """Triggers act in the main thread, as the outside world does, while the sandbox that came by waits."""

    stopped_at: StrandSandbox | None = None

    def reach(self, point: Point) -> None:
        sandbox = current()
        if sandbox is None or not any(one.times > 0 and one.meets(point) for one in self.triggers):
            super().reach(point)
            return
        sandbox.outside(lambda: self._act(sandbox, point))

    def _act(self, sandbox: StrandSandbox, point: Point) -> None:
        before, self.stopped_at = self.stopped_at, sandbox
        try:
            super().reach(point)
        finally:
            self.stopped_at = before


class PlayedRunner(FakingRunner):
    """Fakes that take their time are watched as real steps are, by reading the store every few seconds."""

    async def _take_time(
        self, step: Step[..., Any], fake: Fake, context: StepContext, watch: AttemptWatch
    ) -> Ended | None:
        left, error = first_end(step, fake)
        period = max(1.0, step.lease / 6)
        while left > 0:
            await asyncio.sleep(min(period, left))
            left -= period
            if left > 0 and (stop := await watch(fake.beats)) is not None and heeds(step, fake, stop):
                return cut_off(stop)
        return None if error is None else Ended(error=error)
