"""What Environment and MotoCloud both offer: executions are started, run, steered from outside, and have fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from stepfast.language.workflows import Workflow
from stepfast.simulator.simulated_loop import moment
from stepfast.testing.asking import Asking
from stepfast.testing.faking import Faking
from stepfast.testing.points import Endless, Stalled
from stepfast.testing.runs import Run
from stepfast.testing.stage import S
from stepfast.testing.values import as_input

R = TypeVar("R")
T = TypeVar("T")
Awaited = TypeVar("Awaited", bound="Run[Any] | datetime | Callable[[], object]")
MAX_SHOWN_RUNS = 5
"""Runs that the text of Stalled speaks of."""


class Kit(Asking[S], Faking[S]):
    """Starts executions and runs them on its stage."""

    _skipped = 0

    @property
    def runs(self) -> list[Run[Any]]:
        """The executions that were started here, oldest first."""
        state = self._stage.state
        return [Run(state.reading, workflow, id) for id, workflow in state.started.items()]

    @property
    def now(self) -> datetime:
        """The simulated time, in UTC."""
        return moment(self._stage.time())

    def start(
        self,
        workflow: Workflow[..., R],
        input: Any = None,
        execution_id: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Run[R]:
        """Starts an execution and returns its Run. Nothing of it runs yet, except on MotoCloud what is due while the
        API answers.

        workflow: the workflow to start.
        input: a value of the workflow's input type, or plain JSON values as a client would send them.
        execution_id: the id of the execution. By default it is the workflow's name and a number, so that runs are
        repeatable.
        labels: names and values to find the execution by.

        Of a start that was skipped, the Run is of the execution that runs; `Run.turned_into` tells.

        Raises TypeError for a function that is not a workflow, and InvalidRequest, UnknownWorkflow and
        ExecutionConflict as Client.run does.
        """
        if not isinstance(workflow, Workflow):
            raise TypeError(f"{workflow!r} is not a workflow: give a function that has @workflow")
        state = self._stage.state
        id = execution_id or f"{workflow.name}-{len(state.started) + self._skipped + 1}"
        became, into = self._stage.start(workflow.name, as_input(workflow, input), id, labels)
        state.started.setdefault(became, workflow)
        self._skipped += became != id
        return Run(state.reading, workflow, became, into)

    def fork(self, execution: Run[R], execution_id: str | None = None, **request: Any) -> Run[R]:
        """Starts an execution with what another has recorded, up to a command, and returns its Run. The other one is
        not changed.

        execution: a Run.
        execution_id: the id of the fork. By default it is the workflow's name and a number, as that of a start.
        request: `before="charge"`, the id of the command that runs anew (the failure of a FAILED execution by default);
        `input=…`, `labels={…}`, `children="relink"` or `"copy"`, and `why="…"`, for the history.

        Raises ExecutionNotFound, ExecutionConflict, and InvalidRequest for a command that the execution does not have.
        """
        state, origin = self._stage.state, execution.execution_id
        workflow = state.started[origin]
        id = execution_id or f"{workflow.name}-{len(state.started) + self._skipped + 1}"
        if "input" in request:
            request["input"] = as_input(workflow, request["input"])
        self._stage.fork(origin, {"execution_id": id, **request})
        state.started.setdefault(id, workflow)
        return Run(state.reading, workflow, id)

    def run(
        self,
        workflow: Workflow[..., R],
        input: Any = None,
        execution_id: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Run[R]:
        """Starts an execution, runs until it has ended in whatever status, and returns its Run.

        workflow: the workflow to start.
        input: a value of the workflow's input type, or plain JSON values as a client would send them.
        execution_id: the id of the execution. By default it is the workflow's name and a number, so that runs are
        repeatable.
        labels: names and values to find the execution by.

        Raises what `start` and `run_until` raise.
        """
        return self.run_until(self.start(workflow, input, execution_id, labels=labels))

    def run_until(self, what: Awaited) -> Awaited:
        """Runs until an execution has ended, until a simulated time, or until a function returns true, and returns
        `what`.

        what: a Run, a datetime, or a function without arguments, which is called after every event and may ask runs
        anything.

        Raises Stalled when nothing is due that could bring it, or when an execution exceeds `limit`; the message says
        what the executions wait for. Raises TypeError for any other `what`.
        """
        stage = self._stage
        if isinstance(what, datetime):
            at: datetime = what
            self._bounded(lambda: stage.drive_to(at.timestamp()), None)
        elif isinstance(what, Run):
            run: Run[Any] = what
            self._reach(self._after_writes(lambda: run.status != "RUNNING"), run)
            # On AWS the invocation that has brought the end may still go on, and executions are checked when it ends.
            stage.state.replay_from_scratch(run.execution_id)
        elif callable(what):
            condition: Callable[[], object] = what
            self._reach(lambda: bool(condition()), None)
        else:
            raise TypeError(f"run_until takes a Run, a datetime or a function, not {what!r}")
        return what

    def advance(self, by: timedelta) -> None:
        """Lets the simulated time `by` pass, with everything that is due in it."""
        self.run_until(self.now + by)

    def _reach(self, goal: Callable[[], bool], run: Run[Any] | None) -> None:
        """Drives the stage to a goal; the text of Stalled is about this run, or about all."""
        if not self._bounded(lambda: self._stage.drive(goal), run):
            runs = self._concerned(run)
            raise Stalled(f"{_standing(runs)}, and nothing is due that could change it{_hint(runs)}")

    def _bounded(self, drive: Callable[[], T], run: Run[Any] | None) -> T:
        try:
            return drive()
        except Endless as endless:
            raise Stalled(f"{_standing(self._concerned(run))}, and goes on without end: {endless}") from None

    def _concerned(self, run: Run[Any] | None) -> list[Run[Any]]:
        return self.runs if run is None else [run]

    def _after_writes(self, goal: Callable[[], bool]) -> Callable[[], bool]:
        """A goal that is looked at only after writes: on AWS, each look reads the table."""
        seen = -1

        def changed_to_goal() -> bool:
            nonlocal seen
            if self._stage.writes == seen:
                return False
            seen = self._stage.writes
            return goal()

        return changed_to_goal


def _standing(runs: list[Run[Any]]) -> str:
    more = [f"and {len(runs) - MAX_SHOWN_RUNS} more"] if len(runs) > MAX_SHOWN_RUNS else []
    return "; ".join([*map(str, runs[:MAX_SHOWN_RUNS]), *more]) or "no execution was started"


def _hint(runs: list[Run[Any]]) -> str:
    signals = any(waiting.kind == "signal" for run in runs[:MAX_SHOWN_RUNS] for waiting in run.waiting)
    return "; send it with env.signal(…) or env.when(waiting=…).signal(…)" if signals else ""
