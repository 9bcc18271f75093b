"""The log of the steps that ran: one Call for each attempt, with its input, times and outcome."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stepfast.engine.step_runner import Ended
from stepfast.language.context import StepContext
from stepfast.language.steps import Step
from stepfast.simulator.simulated_loop import moment


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of a step, real or faked. Times are simulated times in UTC.

    step: the name of the step.
    step_id: the id of the command.
    execution_id: the id of the execution.
    attempt: the number of the attempt, counted from 1.
    generation: how often the execution had been resumed.
    input: the decoded arguments by the names of the parameters, without defaults that the workflow left out.
    started_at: when the attempt began.
    ended_at: when the attempt ended. None while it runs, and for an attempt that a crash has cut off.
    output: what the function returned; None if it returned nothing yet.
    error: the exception that the function raised, StepTimeout, StepCancelled, or None.
    """

    step: str
    step_id: str
    execution_id: str
    attempt: int
    generation: int
    input: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    output: Any = None
    error: BaseException | None = None


class CallLog:
    """The calls of all executions, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def begin(self, step: Step[..., Any], arguments: inspect.BoundArguments, context: StepContext, at: float) -> int:
        """Logs a call that begins at this time, and returns its number for `end`."""
        input = {name: _copied(value) for name, value in arguments.arguments.items()}
        self._calls.append(
            Call(
                step.name,
                context.step_id,
                context.execution_id,
                context.attempt,
                context.generation,
                input,
                moment(at),
            )
        )
        return len(self._calls) - 1

    def end(self, number: int, ended: Ended, at: float) -> None:
        self._calls[number] = replace(self._calls[number], ended_at=moment(at), output=ended.value, error=ended.error)

    def of(self, execution_id: str) -> list[Call]:
        return [call for call in self._calls if call.execution_id == execution_id]


def _copied(value: Any) -> Any:
    """A copy of a value, which the step may change. A value that cannot be copied is logged itself."""
    try:
        return copy.deepcopy(value)
    except Exception:  # an iterator, say
        return value
