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
    """One attempt of a step, real or faked.

    input: the decoded arguments by parameter name; defaults that the workflow left out are not in it.
    started_at, ended_at: simulated time, UTC; ended_at is None while it runs and for ever after a crash.
    output: what the function returned. error: what it raised, or StepTimeout, or StepCancelled.
    generation: how often the execution had been resumed.
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
