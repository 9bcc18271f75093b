"""Provides `current_step()` without a worker, for unit tests of steps that call it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from stepfast.client.unserved import nothing_serves
from stepfast.language.context import StepContext, current
from stepfast.language.steps import DEFAULT_TIMEOUT, Step


@contextmanager
def step_context(
    step: Step[..., Any] | None = None,
    *,
    execution_id: str = "test",
    step_id: str | None = None,
    attempt: int = 1,
    generation: int = 0,
    idempotency_key: str | None = None,
    deadline: datetime | None = None,
    heartbeat: Callable[[], None] = lambda: None,
    last_progress: Any = None,
    report: Callable[[Any], None] = lambda progress: None,
) -> Iterator[StepContext]:
    """A context manager in whose block `current_step()` returns this context, in the same thread or task.

    step: the step whose name and timeout the context has; without it they are "step" and 300 seconds.
    execution_id: the id of the execution.
    step_id: the id of the command; by default the name of the step.
    attempt: the number of the attempt, counted from 1.
    generation: how often the execution was resumed.
    idempotency_key: the key; by default it is made of `execution_id` and `step_id`.
    deadline: when the attempt times out; by default after the timeout of the step, from now on the wall clock.
    heartbeat: every `current_step().heartbeat()` calls it. Raise StepCancelled in it to see how the step stops.
    last_progress: what the attempt before has reported.
    report: is called with each `heartbeat(progress=…)`.

    Log records go to the logger "stepfast.step", as in a worker.
    """
    id = step_id or (step.name if step is not None else "step")
    timeout = step.timeout if step is not None else DEFAULT_TIMEOUT
    context = StepContext(
        execution_id=execution_id,
        step_id=id,
        attempt=attempt,
        generation=generation,
        deadline_at=(deadline or datetime.now(UTC) + timedelta(seconds=timeout)).timestamp(),
        beat=heartbeat,
        report=lambda text: report(json.loads(text)),
        reported=None if last_progress is None else json.dumps(last_progress),
        make_key=lambda: idempotency_key or f"{execution_id}-{id}",
    )
    token, alone = current.set(context), nothing_serves.set(True)
    try:
        yield context
    finally:
        current.reset(token)
        nothing_serves.reset(alone)
