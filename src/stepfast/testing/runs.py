"""An execution as a test sees it: how it ended, which steps ran, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import UNDER_WAY, CommandKind, Event, ExecutionStatus, Failure
from stepfast.simulator.simulated_loop import moment
from stepfast.testing.calls import Call
from stepfast.testing.reading import Reading
from stepfast.testing.timeline import chronological, timeline

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that an execution waits for.

    kind: "step", "timer" or "signal".
    name: the name of the step or of the signal.
    command_id: the id of the command.
    due: when the timer ends or the next attempt of the step is due, in simulated time (UTC); None where no time is set.
    """

    kind: CommandKind
    name: str
    command_id: str
    due: datetime | None = None

    def __str__(self) -> str:
        subject = self.kind if self.kind == "timer" else f"{self.kind} {self.name!r}"
        return subject if self.due is None else f"{subject} until {self.due:%Y-%m-%d %H:%M:%S} UTC"


class Run(Generic[R_co]):
    """One execution in a test. Every answer is as of now, also after the environment was closed.

    `execution_id` is its id. `turned_into` is what the start was turned into that has returned it.
    """

    def __init__(
        self, reading: Reading, workflow: Workflow[..., R_co], execution_id: str, turned_into: str = "started"
    ) -> None:
        self._reading, self._workflow = reading, workflow
        self.execution_id, self.turned_into = execution_id, turned_into

    @property
    def begun(self) -> bool:
        """False while it waits for its turn or its moment, as its workflow's singleton or throttle says."""
        return not self._reading.execution(self.execution_id).waits

    @property
    def status(self) -> ExecutionStatus:
        """RUNNING, PAUSED, SUCCEEDED, FAILED (it can be resumed), CLOSED or CANCELLED."""
        return self._reading.execution(self.execution_id).status

    @property
    def result(self) -> R_co:
        """The result of the workflow, of its own type. Raises AssertionError, with the reason, if it has none."""
        execution = self._reading.execution(self.execution_id)
        if execution.status != "SUCCEEDED" or execution.result is None:
            raise AssertionError(f"{self} has no result")
        return cast(R_co, self._workflow.result.decode(execution.result))

    @property
    def error(self) -> Failure | None:
        """The failure of a FAILED execution; None otherwise."""
        return self._reading.execution(self.execution_id).error

    @property
    def reopens(self) -> tuple[str, ...]:
        """The ids of the commands that a resume runs again. Empty for a failure that no failed step has caused."""
        return self._reading.execution(self.execution_id).causes

    @property
    def generation(self) -> int:
        """How often the execution was resumed."""
        return self._reading.execution(self.execution_id).generation

    @property
    def steps(self) -> list[Call]:
        """Every attempt of every step, in the order in which the attempts began."""
        return self._reading.calls(self.execution_id)

    def calls(self, step: Step[..., Any]) -> list[Call]:
        """The attempts of `step`, and of others of its name, in the order in which they began."""
        return [call for call in self.steps if call.step == step.name]

    @property
    def history(self) -> list[Event]:
        """Every event, oldest first. Of events at the same time, what the workflow asked for first comes first."""
        snapshot = self._reading.snapshot(self.execution_id)
        return chronological(
            snapshot, self._reading.past_events(self.execution_id), list(self._reading.replay(snapshot).issued)
        )

    @property
    def earlier_runs(self) -> list[int]:
        """The numbers of the runs before the current one that are kept, the oldest first. ContinueAsNew begins a run.

        All other answers are about the current run, but for `steps` and `calls`.
        """
        return self._reading.earlier_runs(self.execution_id)

    def history_of(self, run: int) -> list[Event]:
        """Every event of an earlier run, oldest first.

        run: its number.

        Raises LookupError for a run that is not among `earlier_runs`.
        """
        return self._reading.events_of_run(self.execution_id, run)

    @property
    def timeline(self) -> str:
        """The history as text for people, an event in each line."""
        return timeline(self._reading.execution(self.execution_id), self.history)

    @property
    def waiting(self) -> list[Waiting]:
        """The waits of the execution, in the order in which the code asked for them; empty when it has ended."""
        snapshot = self._reading.snapshot(self.execution_id)
        if snapshot.execution.status not in UNDER_WAY:
            return []
        replay, outstanding = self._reading.replay(snapshot), []
        for command in replay.outstanding.values() if not replay.finished else ():
            record = snapshot.records.get(command.id)
            if record is None or not record.recorded:
                due = command.due if command.kind == "timer" else record.due if record else None
                moment_due = None if due is None else moment(due)
                outstanding.append(Waiting(command.kind, command.name, command.id, moment_due))
        return outstanding

    @property
    def children(self) -> list[Run[Any]]:
        """The children that this execution has started, in the order in which the code asked for them."""
        return [Run(self._reading, workflow, id) for id, workflow in self._reading.children(self.execution_id)]

    def __str__(self) -> str:
        """Its id and how it stands, for error messages."""
        error, waiting = self.error, self.waiting
        stands = f"is {self.status}"
        if error is not None:
            stands += f": {error.type}: {error.message}" + (f" (step {error.step!r})" if error.step else "")
        elif waiting:
            stands = "waits for " + ", ".join(map(str, waiting))
        return f"execution {self.execution_id!r} {stands}"

    def __repr__(self) -> str:
        return f"<Run {self}>"
