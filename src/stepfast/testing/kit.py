"""What Environment and MotoCloud have in common: executions that were started, and the moments of a cue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from stepfast.language.workflows import Workflow
from stepfast.testing.cues import Target
from stepfast.testing.points import Side
from stepfast.testing.runs import Run, View
from stepfast.testing.values import as_input, checked_step

R = TypeVar("R")
Awaited = TypeVar("Awaited", bound="Run[Any] | datetime | Callable[[], object]")


class Kit:
    """Starts executions and runs them, in whatever home `_create` and `run_until` stand for."""

    _started: dict[str, Workflow[..., Any]]

    @property
    def _view(self) -> View:
        """Where runs read their execution."""
        raise NotImplementedError

    def _create(self, workflow: str, input: Any, execution_id: str, labels: Mapping[str, str] | None) -> None:
        """Starts an execution in this home."""
        raise NotImplementedError

    def run_until(self, what: Awaited) -> Awaited:
        """Runs until an execution has ended, until a simulated time, or until a function returns true."""
        raise NotImplementedError

    @property
    def runs(self) -> list[Run[Any]]:
        """The executions that were started here, oldest first."""
        return [Run(self._view, workflow, id) for id, workflow in self._started.items()]

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

        Raises TypeError for a function that is not a workflow, and InvalidRequest, UnknownWorkflow and
        ExecutionConflict as Client.run does.
        """
        if not isinstance(workflow, Workflow):
            raise TypeError(f"{workflow!r} is not a workflow: give a function that has @workflow")
        id = execution_id or f"{workflow.name}-{len(self._started) + 1}"
        self._create(workflow.name, as_input(workflow, input), id, labels)
        self._started[id] = workflow
        return Run(self._view, workflow, id)

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

    def _id(self, execution: Target) -> str:
        if isinstance(execution, Run):
            return execution.execution_id
        if execution == "" and len(self._started) != 1:  # a cue at a time, which is nobody's in particular
            raise TypeError(f"say which execution the cue is for: execution=…; there are {len(self._started)}")
        return execution or next(iter(self._started))


def moment_of(before: Any, after: Any, waiting: str | None, status: str | None) -> tuple[Side, str, str]:
    """The side, the kind and the name of a cue's moment; TypeError unless exactly one of the four is named."""
    moments: list[tuple[Side, str, Any]] = [
        ("before", "step", before),
        ("after", "step", after),
        ("at", "waiting", waiting),
        ("at", "status", status),
    ]
    named = [moment for moment in moments if moment[2] is not None]
    if len(named) != 1:
        raise TypeError("name one moment: before=…, after=…, waiting=… or status=…")
    ((side, kind, subject),) = named
    return side, kind, checked_step(subject).name if kind == "step" else str(subject)
