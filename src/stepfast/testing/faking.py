"""Replaces steps: fakes that stand in for them, and failures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from stepfast.language.steps import Step
from stepfast.testing.fakes import Fake
from stepfast.testing.stage import S, Staged
from stepfast.testing.values import checked_fake, checked_step

R = TypeVar("R")


class Faking(Staged[S]):
    """The part of a kit that replaces steps."""

    def fake(
        self,
        step: Step[..., R],
        result: R | Callable[..., R] | Callable[..., Awaitable[R]],
        *,
        takes: timedelta = timedelta(),
        beats: bool = True,
    ) -> None:
        """Has every attempt of a step return a value, or call a function in its place.

        result: a value of the step's result type, or a `def` or `async def` function, called with the
            step's arguments; `current_step()` works in it, and what it raises is the step's error.
        takes: simulated time that passes before; more than the step's timeout times the attempt out.
        beats: False for a fake without heartbeats, which times out when it takes longer than its heartbeat.
        Raises NotStorable for a value, TypeError for a function, that does not fit the step.
        """
        if takes < timedelta():
            raise ValueError(f"a fake takes no time or some, not {takes}")
        function = checked_fake(checked_step(step), result)
        self._stage.state.fakes.put(step, Fake(function, takes.total_seconds(), beats))

    def fail(self, step: Step[..., Any], times: int | None = 1, error: BaseException | None = None) -> None:
        """Has the next attempts of a step fail, `times` of them (None: all); then it does as before.

        error: what they raise, ConnectionError by default. Called again it adds to what was asked before.
        """
        if times is not None and times < 1:
            raise ValueError(f"a step fails once or more often, not {times!r} times")
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"error is an exception, not {error!r}")
        failure = error or ConnectionError(f"env.fail has step {checked_step(step).name!r} fail")
        self._stage.state.fakes.put_failure(checked_step(step), failure, float("inf") if times is None else times)

    def restore(self, step: Step[..., Any]) -> None:
        """Has a step be itself again: neither faked nor failing."""
        self._stage.state.fakes.drop(checked_step(step))
