"""An execution as a test sees it: how it ended, which steps ran, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import CommandKind, Event, ExecutionStatus, Failure
from stepfast.simulator.simulated_loop import moment
from stepfast.testing.calls import Call
from stepfast.testing.reading import Reading
from stepfast.testing.timeline import chronological, timeline

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something an execution waits for: a step, a timer or a signal.

    due: when the timer ends or the step's next attempt is due (simulated time, UTC), None if nothing is set.
    """

    kind: CommandKind
    name: str
    command_id: str
    due: datetime | None = None

    def __str__(self) -> str:
        subject = self.kind if self.kind == "timer" else f"{self.kind} {self.name!r}"
        return subject if self.due is None else f"{subject} until {self.due:%Y-%m-%d %H:%M:%S} UTC"


class Run(Generic[R_co]):
    """One execution; every answer is as of now, also after the environment was closed."""

    def __init__(self, reading: Reading, workflow: Workflow[..., R_co], execution_id: str) -> None:
        self._reading, self._workflow = reading, workflow
        self.execution_id = execution_id

    @property
    def status(self) -> ExecutionStatus:
        """RUNNING, SUCCEEDED, FAILED (paused, resumable) or CANCELLED."""
        return self._reading.execution(self.execution_id).status

    @property
    def result(self) -> R_co:
        """What the workflow returned, as its own type; AssertionError, saying why, when there is no result."""
        execution = self._reading.execution(self.execution_id)
        if execution.status != "SUCCEEDED" or execution.result is None:
            raise AssertionError(f"{self} has no result")
        return cast(R_co, self._workflow.result.decode(execution.result))

    @property
    def error(self) -> Failure | None:
        """type, message, step and traceback of what made it FAILED; None otherwise."""
        return self._reading.execution(self.execution_id).error

    @property
    def reopens(self) -> tuple[str, ...]:
        """Ids of the commands that a resume would run again; of a failure that no failed step stands behind, none."""
        return self._reading.execution(self.execution_id).causes

    @property
    def generation(self) -> int:
        """How often it has been resumed."""
        return self._reading.execution(self.execution_id).generation

    @property
    def steps(self) -> list[Call]:
        """Every attempt of every step, in the order in which they began."""
        return self._reading.calls(self.execution_id)

    def calls(self, step: Step[..., Any]) -> list[Call]:
        """The attempts of one step, and of others of its name, in the order in which they began."""
        return [call for call in self.steps if call.step == step.name]

    @property
    def history(self) -> list[Event]:
        """Every event, oldest first; of events of one moment, what the workflow asked for first stands first."""
        snapshot = self._reading.snapshot(self.execution_id)
        return chronological(
            snapshot, self._reading.past_events(self.execution_id), list(self._reading.replay(snapshot).issued)
        )

    @property
    def timeline(self) -> str:
        """The history for people, a line an event."""
        return timeline(self._reading.execution(self.execution_id), self.history)

    @property
    def waiting(self) -> list[Waiting]:
        """What it waits for now, in the order in which it was asked for; empty once it has ended."""
        snapshot = self._reading.snapshot(self.execution_id)
        if snapshot.execution.status != "RUNNING":
            return []
        replay, outstanding = self._reading.replay(snapshot), []
        for command in replay.outstanding.values() if not replay.finished else ():
            record = snapshot.records.get(command.id)
            if record is None or not record.recorded:
                due = command.due if command.kind == "timer" else record.due if record else None
                moment_due = None if due is None else moment(due)
                outstanding.append(Waiting(command.kind, command.name, command.id, moment_due))
        return outstanding

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
