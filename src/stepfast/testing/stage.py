"""The one interface between a test kit and its home: what a kit needs to run executions, and nothing of how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from stepfast.language.workflows import Workflow
from stepfast.testing.points import Trigger
from stepfast.testing.state import KitState


class Stage(Protocol):
    """A home of the engine that a test drives: SQLite in memory (EngineStage), or AWS on moto (CloudStage).

    Times are simulated, in seconds since the epoch. The requests raise what `stepfast.Client` raises. Executions go on
    in `drive` and `drive_to`; on AWS also while a request waits for its answer.
    """

    @property
    def state(self) -> KitState:
        """Fakes, cues, calls of steps and executions of the test. `state.reading` reads this home."""

    @property
    def writes(self) -> int:
        """A number that grows with each write. An execution's status is as before while it stays the same."""

    def time(self) -> float:
        """The time now."""

    def drive(self, goal: Callable[[], bool]) -> bool:
        """Does what is due until the goal is true. False if nothing is left to do before.

        The goal is asked again after whatever was done. Raises Endless past the limit of the test.
        """

    def drive_to(self, at: float) -> None:
        """Does what is due up to this time, which it then is."""

    def call_at(self, at: float, act: Callable[[], object]) -> None:
        """Calls a function at a time, or at once where that has passed."""

    def add_trigger(self, trigger: Trigger) -> None:
        """Has a trigger act from now on."""

    def start(self, workflow: str, input: Any, execution_id: str, labels: Mapping[str, str] | None) -> tuple[str, str]:
        """Starts an execution; the input is plain JSON values. The id of what it was turned into, and how."""

    def replace(self, workflow: Workflow[..., Any]) -> None:
        """Runs this workflow from now on where that of its name is asked for; LookupError where the kit has none."""

    def signal(self, execution_id: str, name: str, payload: Any, signal_id: str | None) -> None:
        """Sends a signal; the payload is plain JSON values."""

    def report(self, token: str, report: Mapping[str, Any]) -> None:
        """Answers by a link, reports a failure, or sends a heartbeat; report: the body of the API's request."""

    def cancel(self, execution_id: str) -> None:
        """Cancels an execution."""

    def resume(self, execution_id: str, steps: Sequence[str] | None) -> None:
        """Resumes an execution; steps: ids of the commands to run again."""

    def repair(self, execution_id: str, command: str, change: Mapping[str, Any]) -> None:
        """Repairs a step; change: the body of the API's request."""

    def intervene(self, execution_id: str, action: str, why: str | None) -> None:
        """Pauses, unpauses, closes, reopens or terminates an execution; action: the last part of the API's path."""

    def crash(self, execution_id: str, down: timedelta) -> None:
        """Kills the process, or on AWS the function, in which a cue's moment has come."""


S = TypeVar("S", bound=Stage)


class Staged(Generic[S]):
    """The base of a kit's parts, which share its stage."""

    _own_stage: S | None = None

    @property
    def _stage(self) -> S:
        if self._own_stage is None:
            raise RuntimeError(f"enter the environment first: with {type(self).__name__}(…) as env")
        return self._own_stage
