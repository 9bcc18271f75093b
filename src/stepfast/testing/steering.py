"""What comes from outside while executions run: signals, cancels, resumes, and cues for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from stepfast.language.steps import Step
from stepfast.link_tokens import token_in
from stepfast.simulator.simulated_loop import moment
from stepfast.testing.cues import Cue, Target
from stepfast.testing.points import Point, Side, Trigger
from stepfast.testing.runs import Run
from stepfast.testing.stage import S, Staged
from stepfast.testing.values import as_json, checked_step


class Steering(Staged[S]):
    """The part of a kit that acts as clients and operators do."""

    def signal(self, execution: Target, name: str, payload: Any = None, signal_id: str | None = None) -> None:
        """Sends a signal now.

        execution: a Run or the id of an execution.
        name: the name that the workflow waits for.
        payload: a model or plain JSON values.
        signal_id: the id under which the signal is sent. A signal that is sent again under its id is one signal. None
        draws an id.

        Raises ExecutionNotFound, InvalidRequest when the payload does not fit what the workflow waits for, and
        WrongStatus when the execution has ended for good.
        """
        self._stage.signal(self._id(execution), name, as_json(payload, "payload"), signal_id)

    def answer(self, url: str, answer: Any = None) -> None:
        """Answers a wait of `callback()` by its link now, as a person does on the page behind it.

        url: the address, `link.url` or `link.url_for(…)` of the workflow, such as a fake of the sending step got it.
        answer: a model or plain JSON values. A link that gives one answer needs none.

        Raises InvalidRequest for an answer of another type, and an error that says so for a link that has expired,
        that was answered otherwise, or that nobody waits for.
        """
        self._stage.report(token_in(url), {} if answer is None else {"answer": as_json(answer, "answer")})

    def heartbeat(self, url: str, progress: Any = None) -> None:
        """Sends a heartbeat by a link of `callback()` now, as external work does.

        url: the address of the link.
        progress: a model or plain JSON values, which operators see.

        Raises an error that says so for a link that has expired, and for an execution that has ended.
        """
        self._stage.report(token_in(url), {"heartbeat": as_json(progress, "progress")})

    def report_failure(self, url: str, message: str, type: str = "Failed") -> None:
        """Reports by a link of `callback()` that external work has failed. The workflow sees CallbackFailed.

        url: the address of the link.
        message: what has happened.
        type: the class of the error.

        Raises what `answer` raises.
        """
        self._stage.report(token_in(url), {"failure": {"type": type, "message": message}})

    def cancel(self, execution: Target) -> None:
        """Cancels an execution now. `execution` is a Run or an id.

        If its code has something to clean up, it is RUNNING until the code has ended.
        Raises ExecutionNotFound, and WrongStatus when it has ended.
        """
        self._stage.cancel(self._id(execution))

    def resume(self, execution: Target, steps: Sequence[str] | None = None) -> None:
        """Resumes a FAILED execution. Nothing of it runs yet.

        execution: a Run or the id of an execution.
        steps: the ids of the commands to run again, in place of the failed steps behind the failure (`Run.reopens`).

        Raises ExecutionNotFound, WrongStatus, and InvalidRequest for a command that cannot run again.
        """
        self._stage.resume(self._id(execution), steps)

    def repair(self, execution: Target, command: str, **change: Any) -> None:
        """Repairs a step by hand, as the operator of a deployment does. Nothing of the execution runs yet.

        execution: a Run or the id of an execution.
        command: the id of the step.
        change: exactly one of `result=value`, `skip=True` and `input={…}`, all arguments of the next attempt; and
        `why="…"`, for the history.

        Raises ExecutionNotFound, WrongStatus, and InvalidRequest for a value that does not fit.
        """
        self._stage.repair(self._id(execution), command, change)

    def pause(self, execution: Target, why: str | None = None) -> None:
        """Pauses a RUNNING execution, with its children, as the operator of a deployment does.

        execution: a Run or the id of an execution.
        why: for the history.

        Raises ExecutionNotFound, and WrongStatus when it has ended.
        """
        self._stage.intervene(self._id(execution), "pause", why)

    def unpause(self, execution: Target, why: str | None = None) -> None:
        """Lets a PAUSED execution go on where it was. `execution` and `why` are those of `pause`, as are the errors."""
        self._stage.intervene(self._id(execution), "unpause", why)

    def close(self, execution: Target, why: str | None = None) -> None:
        """Closes a FAILED execution, which then cannot be resumed.

        `execution` is a Run or an id, and `why` is for the history. Raises ExecutionNotFound and WrongStatus.
        """
        self._stage.intervene(self._id(execution), "close", why)

    def reopen(self, execution: Target, why: str | None = None) -> None:
        """Makes a CLOSED execution FAILED again.

        `execution` is a Run or an id, and `why` is for the history. Raises ExecutionNotFound and WrongStatus.
        """
        self._stage.intervene(self._id(execution), "reopen", why)

    def terminate(self, execution: Target, why: str | None = None) -> None:
        """Ends a RUNNING or PAUSED execution at once.

        `execution` is a Run or an id, and `why` is for the history. Raises ExecutionNotFound and WrongStatus.
        """
        self._stage.intervene(self._id(execution), "terminate", why)

    def at(self, when: timedelta | datetime) -> Cue:
        """A cue at a simulated time. `when` is a datetime, or a timedelta from now."""
        stage = self._stage
        at = (when if isinstance(when, datetime) else moment(stage.time()) + when).timestamp()

        def put(act: Callable[[str], object], description: str) -> None:
            stage.call_at(at, lambda: act(""))

        return Cue(self, stage.crash, put)

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
        side, kind, name = moment_of(before, after, waiting, status)
        stage, seconds = self._stage, delay.total_seconds()

        def put(act: Callable[[str], object], description: str) -> None:
            def meet(point: Point) -> None:
                if seconds:
                    stage.call_at(stage.time() + seconds, lambda: act(point.execution_id))
                else:
                    act(point.execution_id)

            key = side if kind == "step" else kind
            stage.add_trigger(Trigger(side, kind, name, attempt, times, meet, f"when({key}={name!r}){description}"))

        return Cue(self, stage.crash, put)

    def _id(self, execution: Target) -> str:
        if isinstance(execution, Run):
            return execution.execution_id
        started = self._stage.state.started
        if execution == "" and len(started) != 1:  # a cue at a time is about no execution in particular
            raise TypeError(f"say which execution the cue is for: execution=…; there are {len(started)}")
        return execution or next(iter(started))


def moment_of(before: Any, after: Any, waiting: str | None, status: str | None) -> tuple[Side, str, str]:
    """The side, the kind and the name of a cue's moment; TypeError unless exactly one of the four is named."""
    moments: list[tuple[Side, str, Any]] = [
        ("before", "step", before),
        ("after", "step", after),
        ("at", "waiting", waiting),
        ("at", "status", status),
    ]
    named = [named for named in moments if named[2] is not None]
    if len(named) != 1:
        raise TypeError("name one moment: before=…, after=…, waiting=… or status=…")
    ((side, kind, subject),) = named
    return side, kind, checked_step(subject).name if kind == "step" else str(subject)
