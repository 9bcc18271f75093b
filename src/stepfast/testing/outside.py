"""What comes from outside while executions run: signals, operators, cues for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from stepfast.language.steps import Step
from stepfast.simulator.simulated_loop import moment
from stepfast.testing.cues import Cue, Target
from stepfast.testing.driver import Driven
from stepfast.testing.kit import Kit, moment_of
from stepfast.testing.memory import finished
from stepfast.testing.points import Died, Point, Trigger
from stepfast.testing.values import as_json


class Outside(Driven, Kit):
    """The part of an environment that acts as clients and operators do."""

    @property
    def now(self) -> datetime:
        """The simulated time, in UTC."""
        return moment(self._driver.loop.time())

    def signal(self, execution: Target, name: str, payload: Any = None) -> None:
        """Sends a signal now.

        execution: a Run or the id of an execution.
        name: the name that the workflow waits for.
        payload: a model or plain JSON values.

        Raises ExecutionNotFound, InvalidRequest when the payload does not fit what the workflow waits for, and
        WrongStatus when the execution has ended for good.
        """
        finished(self._driver.operations.signal(self._id(execution), name, as_json(payload, "payload")))

    def cancel(self, execution: Target) -> None:
        """Cancels an execution now. `execution` is a Run or an id.

        Raises ExecutionNotFound, and WrongStatus when it is not RUNNING.
        """
        finished(self._driver.operations.cancel(self._id(execution)))
        self._driver.look(self._id(execution))

    def resume(self, execution: Target, steps: Sequence[str] | None = None) -> None:
        """Resumes a FAILED execution. Nothing of it runs yet.

        execution: a Run or the id of an execution.
        steps: the ids of the commands to run again, in place of the failed steps behind the failure (`Run.reopens`).

        Raises ExecutionNotFound, WrongStatus, and InvalidRequest for a command that cannot run again.
        """
        finished(self._driver.operations.resume(self._id(execution), steps=steps))

    def _die(self, execution_id: str, down: timedelta) -> None:
        """What Cue.crash does."""
        self._driver.crash(Point("at", "time", execution_id, str(self.now)), down)

    def at(self, when: timedelta | datetime) -> Cue:
        """A cue at a simulated time. `when` is a datetime, or a timedelta from now."""
        if isinstance(when, timedelta):
            when = self.now + when
        at = when.timestamp()
        return Cue(self, lambda act, told: self._driver.put_cue(at, lambda: act("")))

    def when(
        self,
        *,
        before: Step[..., Any] | None = None,
        after: Step[..., Any] | None = None,
        waiting: str | None = None,
        status: Literal["SUCCEEDED", "FAILED"] | None = None,
        attempt: int = 1,
        times: int = 1,
        delay: timedelta = timedelta(),
    ) -> Cue:
        """A cue at a moment of an execution. Name exactly one of `before`, `after`, `waiting` and `status`.

        before: an attempt of this step begins.
        after: an attempt of this step has ended, and its outcome is not recorded yet.
        waiting: the workflow waits for the signal of this name.
        status: an execution ends with this status.
        attempt: the number of the first attempt of the step that counts.
        times: how many moments the cue is taken at.
        delay: the simulated time from the moment to what happens then.

        Raises TypeError unless exactly one of the four is named.
        """
        side, what, name = moment_of(before, after, waiting, status)
        later = delay.total_seconds()

        def put(act: Callable[[str], object], told: str) -> None:
            def meet(point: Point) -> None:
                if later:
                    self._driver.put_cue(self._driver.loop.time() + later, lambda: act(point.execution_id))
                else:
                    act(point.execution_id)

            key = side if what == "step" else what
            self._driver.points.add(Trigger(side, what, name, attempt, times, meet, f"when({key}={name!r}){told}"))
            for one in self._started:
                with suppress(Died):  # the driver sees it
                    self._driver.notice_waits(one)

        return Cue(self, put)
