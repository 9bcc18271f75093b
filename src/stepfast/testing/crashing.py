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
        """Has the process die at a moment; the next one goes on from what is stored, `down` later.

        before, after: a step's function, or one of the engine's writes: "claim" (of a step by a worker),
            "record" (of an outcome), "order" (in which results are applied), "send" (of messages),
            "finish" (of the execution).
        at: instead of these, a number in `points`: to try them all, one after the other.
        step, attempt: of which step the claim or record is, and the first attempt that counts.
        times: how often, all of which must come to pass; an attempt that was cut off is followed by the next.
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
        """Every moment so far at which the process could have died, in order."""
        return [str(point) for point in self._stage.state.points.passed]

    @property
    def crashes(self) -> list[str]:
        """The moments at which it did."""
        return [str(point) for point in self._stage.crashes]
