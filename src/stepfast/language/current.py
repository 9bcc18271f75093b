"""What workflow code can ask of its own execution, and a sleep that takes a timedelta."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from stepfast.errors import DefinitionError, ForbiddenInWorkflow
from stepfast.language.workflow_loop import in_workflow


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """What workflow code knows of its execution; get it with `current_execution()`.

    `workflow` is the name of the workflow that was started, also within another one that it awaits. `labels` are those
    it was started with. `generation` grows by one with each resume, so a choice by it may not fit what is recorded: use
    it for what is handed on, not for which step comes next. `started_at` is when it was started, UTC.
    """

    execution_id: str
    workflow: str
    labels: Mapping[str, str]
    generation: int
    started_at: datetime


def current_execution() -> ExecutionContext:
    """The execution whose workflow code is running; ForbiddenInWorkflow anywhere else.

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
        MappingProxyType(dict(execution.labels)),
        execution.generation,
        datetime.fromtimestamp(execution.created_at, UTC),
    )


async def sleep(delay: float | timedelta) -> None:
    """Waits for seconds or a timedelta. In a workflow it is a durable timer, anywhere else asyncio's own sleep.

    What is below 0 has passed already, and waits for nothing. Raises DefinitionError for what is no time.
    """
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds != seconds:
        raise DefinitionError(f"sleep() takes a number of seconds or a timedelta, not {delay!r}")
    await asyncio.sleep(seconds)
