"""Crashes of the process under test, at any step or write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

from stepfast.language.steps import Step
from stepfast.testing.engine_stage import EngineStage
from stepfast.testing.points import Point, Side, Trigger, Write
from stepfast.testing.stage import Staged
from stepfast.testing.values import checked_step


class Crashing(Staged[EngineStage]):
    """The part of an environment that kills the process. `points` lists where it can."""

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

        before, after: a step, or one of the engine's writes: "claim" (of a step by a worker), "record" (of an
        outcome), "order" (of results), "send" (of messages), "finish" (of the execution), "child" (its start).
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
            self._stage.crash_at(point, down)

        if down <= timedelta():
            raise ValueError(f"a process is down for some time, not for {down}")
        if [before, after, at].count(None) != 2:
            raise TypeError("name one moment: before=…, after=… or at=…")
        if at is not None:
            self._stage.state.points.crash_at[at] = die
            return
        side: Side = "before" if after is None else "after"
        subject = before if after is None else after
        if isinstance(subject, Step):
            step, kind = subject, "step"
        elif subject in get_args(Write):
            kind = str(subject)
        else:
            raise TypeError(f"crash takes a step or one of {', '.join(get_args(Write))}, not {subject!r}")
        name = None if step is None else checked_step(step).name
        place = f"{name}" if kind == "step" else f"{kind!r}" + (f", step={name}" if name else "")
        description = f"crash({side}={place}, attempt={attempt}, times={times})"
        self._stage.state.points.add(Trigger(side, kind, name, attempt, times, die, description, every=True))

    @property
    def points(self) -> list[str]:
        """Every moment so far at which the process could have died, in order.

        `crash(at=...)` takes the position of a moment, counted from 0.
        """
        return [str(point) for point in self._stage.state.points.passed]

    @property
    def crashes(self) -> list[str]:
        """The moments at which the process has died, in order."""
        return [str(point) for point in self._stage.crashes]
