"""What goes wrong, or otherwise than usual: fakes, failures, crashes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar, get_args

from stepfast.language.steps import Step
from stepfast.testing.driver import Driven
from stepfast.testing.points import Point, Side, Trigger, Write
from stepfast.testing.steps import Fake, Fakes
from stepfast.testing.values import checked_fake, checked_step

R = TypeVar("R")


class Faking:
    """The part of an environment that replaces steps."""

    @property
    def _fakes(self) -> Fakes:
        raise NotImplementedError

    def fake(
        self,
        step: Step[..., R],
        result: R | Callable[..., R] | Callable[..., Awaitable[R]],
        *,
        takes: timedelta = timedelta(),
        beats: bool = True,
    ) -> None:
        """Makes every attempt of `step` return a value, or call a function in its place.

        result: a value of the step's result type, or a `def` or `async def` function. The function is called with the
        arguments of the step; `current_step()` works in it, and what it raises is the error of the step.
        takes: the simulated time that the attempt takes. If it exceeds the step's timeout, the attempt times out.
        beats: False for a fake without heartbeats, which times out when it takes longer than the step's heartbeat.

        Raises NotStorable for a value and TypeError for a function that does not fit the step, and ValueError for a
        negative `takes`.
        """
        if takes < timedelta():
            raise ValueError(f"a fake takes no time or some, not {takes}")
        function = checked_fake(checked_step(step), result)
        self._fakes.put(step, Fake(function, takes.total_seconds(), beats))

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
        made = error or ConnectionError(f"env.fail has step {checked_step(step).name!r} fail")
        self._fakes.put_failure(checked_step(step), made, float("inf") if times is None else times)

    def restore(self, step: Step[..., Any]) -> None:
        """Makes `step` run its own function again. It is neither faked nor failing any more."""
        self._fakes.drop(checked_step(step))


class FaultInjection(Driven, Faking):
    """The part of an environment that replaces steps and kills the process."""

    @property
    def _fakes(self) -> Fakes:
        return self._driver.fakes

    def crash(
        self,
        *,
        before: Step[..., Any] | Write | None = None,
        after: Step[..., Any] | Write | None = None,
        at: int | None = None,
        step: Step[..., Any] | None = None,
        attempt: int = 1,
        times: int = 1,
        down: timedelta = timedelta(seconds=1),
    ) -> None:
        """Makes the process die at a moment. The next process starts `down` later and continues from what is stored.

        before, after: a step, or one of the engine's writes: "claim" (a worker claims a step), "record" (of an
        outcome), "order" (in which results are applied), "send" (of messages), "finish" (of the execution).
        at: a moment by its number in `points`, in place of `before` and `after`. A loop over the numbers tries them
        all.
        step: the step whose claim or record is meant; None for any.
        attempt: the number of the first attempt that counts.
        times: how many such moments the process dies at. All of them must come, or the environment fails the test.
        down: the simulated time until the next process starts.

        Raises TypeError unless exactly one of `before`, `after` and `at` is named, and ValueError for a `down` that is
        not above zero.
        """

        def die(point: Point) -> None:
            self._driver.crash(point, down)

        if down <= timedelta():
            raise ValueError(f"a process is down for some time, not for {down}")
        if [before, after, at].count(None) != 2:
            raise TypeError("name one moment: before=…, after=… or at=…")
        if at is not None:
            self._driver.points.crash_at[at] = die
            return
        side: Side = "before" if after is None else "after"
        given = before if after is None else after
        if isinstance(given, Step):
            step, what = given, "step"
        elif given in get_args(Write):
            what = str(given)
        else:
            raise TypeError(f"crash takes a step or one of {', '.join(get_args(Write))}, not {given!r}")
        name = None if step is None else checked_step(step).name
        told = f"{name}" if what == "step" else f"{what!r}" + (f", step={name}" if name else "")
        told = f"crash({side}={told}, attempt={attempt}, times={times})"
        self._driver.points.add(Trigger(side, what, name, attempt, times, die, told, every=True))

    @property
    def points(self) -> list[str]:
        """Every moment so far at which the process could have died, in order.

        `crash(at=...)` takes the position of a moment, counted from 0.
        """
        return [str(one) for one in self._driver.points.passed]

    @property
    def crashes(self) -> list[str]:
        """The moments at which the process has died, in order."""
        return [str(one) for one in self._driver.crashes]
