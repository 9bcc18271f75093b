"""`current_execution()`, the context of running workflow code, and a `sleep()` that takes a timedelta."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.language.workflow_loop import in_workflow
from stepfast.records import dataclass
from stepfast.shown import base_labels


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The context of the execution whose workflow code runs, as `current_execution()` returns it.

    execution_id: the id of the execution.
    workflow: the name of the workflow that was started, also inside another workflow that it awaits.
    labels: the labels that the run has begun with. `set_labels()` does not change them here.
    generation: grows by one with each resume. Code that chooses its next step by the generation may not fit the
    records, so use it only in values that are passed on.
    started_at: when the execution was started, as a datetime in UTC.
    run: the number of this run, counted from 1. `ContinueAsNew` begins the next one.
    """

    execution_id: str
    workflow: str
    labels: Mapping[str, str]
    generation: int
    started_at: datetime
    run: int = 1


def current_execution() -> ExecutionContext:
    """The execution whose workflow code is running. Raises ForbiddenInWorkflow outside workflow code.

    In a step, `current_step()` has the execution's id and generation.
    """
    commands = in_workflow()
    if commands is None:
        raise ForbiddenInWorkflow(
            "current_execution() works only in workflow code: call it from a function with @workflow; "
            "in a step, current_step() has execution_id and generation"
        )
    execution = commands.execution
    return ExecutionContext(
        execution.execution_id,
        execution.workflow,
        MappingProxyType(dict(base_labels(execution.labels, execution.shown, execution.run))),
        execution.generation,
        datetime.fromtimestamp(execution.created_at, UTC),
        execution.run,
    )


async def sleep(delay: float | timedelta) -> None:
    """Waits for a delay. In workflow code it is a durable timer; anywhere else it is `asyncio.sleep`.

    delay: seconds or a timedelta. It returns at once for a delay below 0.

    Raises DefinitionError for a value that is not a number or is NaN.
    """
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds != seconds:
        raise DefinitionError(f"sleep() takes a number of seconds or a timedelta, not {delay!r}")
    await asyncio.sleep(seconds)
