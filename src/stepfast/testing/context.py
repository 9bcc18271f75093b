"""Provides `current_step()` without a worker, for unit tests of steps that call it."""

from __future__ import annotations

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
) -> Iterator[StepContext]:
    """Within the block `current_step()` gives this context, in this thread or task.

    step: whose name and timeout to take; without one, "step" and 300 seconds. step_id is its name by default.
    idempotency_key: by default made of execution_id and step_id. deadline: by default the step's timeout from
    now (wall clock). heartbeat: called by every `current_step().heartbeat()`; raise StepCancelled in it to
    see the step stop. Log records go to the logger "stepfast.step", as in a worker.
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
        make_key=lambda: idempotency_key or f"{execution_id}-{id}",
    )
    token, alone = current.set(context), nothing_serves.set(True)
    try:
        yield context
    finally:
        current.reset(token)
        nothing_serves.reset(alone)
