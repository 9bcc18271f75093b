"""Replaces steps: fakes that stand in for them, and failures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from stepfast.language.external_steps import ExternalStep
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.testing import external_fakes, stand_ins
from stepfast.testing.fakes import Fake
from stepfast.testing.stage import S, Staged
from stepfast.testing.values import checked_fake, checked_step

R = TypeVar("R")


class Faking(Staged[S]):
    """The part of a kit that replaces steps."""

    def fake(
        self,
        step: Step[..., R] | Workflow[..., R] | ExternalStep[..., R],
        result: R | Callable[..., R] | Callable[..., Awaitable[R]],
        *,
        takes: timedelta = timedelta(),
        beats: bool = True,
    ) -> None:
        """Makes every attempt of `step` return a value, or call a function in its place.

        step: the step, or a workflow that runs as a child. The child is an execution as before, whose code is one step
        that the fake stands for. Its function is called with the input of the child. Or an external step, whose work
        then answers by its link: what the function raises is reported as a failure.
        result: a value of the step's result type, or a `def` or `async def` function. The function is called with the
        arguments of the step; `current_step()` works in it, and what it raises is the error of the step.
        takes: the simulated time that the attempt takes. If it exceeds the step's timeout, the attempt times out.
        beats: False for a fake without heartbeats, which times out when it takes longer than the step's heartbeat.

        Raises NotStorable for a value and TypeError for a function that does not fit the step, and ValueError for a
        negative `takes`.
        """
        if takes < timedelta():
            raise ValueError(f"a fake takes no time or some, not {takes}")
        if isinstance(step, Workflow):
            faked = stand_ins.step_of(step)
            self._stage.replace(stand_ins.stand_in_for(step, faked, takes.total_seconds()))
            step, takes = faked, timedelta()
        if isinstance(step, ExternalStep):
            work = checked_fake(step, result)
            faked_start = external_fakes.fake_of(step, work, takes.total_seconds(), beats, self._stage)
            self._stage.state.fakes.put(step.start, faked_start)
            return
        function = checked_fake(checked_step(step), result)
        self._stage.state.fakes.put(step, Fake(function, takes.total_seconds(), beats))

    def fail(self, step: Step[..., Any], times: int | None = 1, error: BaseException | None = None) -> None:
        """Makes the next attempts of `step` fail. After them it works as before.

        times: how many attempts fail; None lets all fail. A further call adds to the earlier ones.
        error: the exception that the attempts raise; by default a ConnectionError.

        Raises ValueError for a number of `times` below 1, and TypeError for an `error` that is not an exception.
        """
        if times is not None and times < 1:
            raise ValueError(f"a step fails once or more often, not {times!r} times")
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"error is an exception, not {error!r}")
        failure = error or ConnectionError(f"env.fail has step {checked_step(step).name!r} fail")
        self._stage.state.fakes.put_failure(checked_step(step), failure, float("inf") if times is None else times)

    def outage(self, step: Step[..., Any], lasts: timedelta | None = None, error: BaseException | None = None) -> None:
        """Makes every attempt of `step` fail from now on, for a simulated time, as if its service were down.

        lasts: how long the outage lasts; None: until `env.restore(step)`. Afterwards the step works as before: what
        `env.fake` has put stays.
        error: the exception that the attempts raise; by default a ConnectionError. A RetryAfter closes the gates of the
        step until then.

        Attempts that a limit or a gate keeps waiting meanwhile are not begun, and do not fail. Raises ValueError for a
        time that is not above 0, and TypeError for an `error` that is not an exception.
        """
        if lasts is not None and lasts <= timedelta():
            raise ValueError(f"an outage lasts some time, not {lasts}")
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"error is an exception, not {error!r}")
        failure = error or ConnectionError(f"env.outage has step {checked_step(step).name!r} fail")
        fakes, step = self._stage.state.fakes, checked_step(step)
        outage = fakes.begin_outage(step, failure)
        if lasts is not None:
            self._stage.call_at(self._stage.time() + lasts.total_seconds(), lambda: fakes.end_outage(step, outage))

    def restore(self, step: Step[..., Any] | Workflow[..., Any] | ExternalStep[..., Any]) -> None:
        """Makes `step` run its own function again, or a workflow its own code. It is neither faked nor failing, and its
        service is not down."""
        if isinstance(step, Workflow):
            self._stage.replace(step)
            return
        step = step.start if isinstance(step, ExternalStep) else step
        self._stage.state.fakes.drop(checked_step(step))
