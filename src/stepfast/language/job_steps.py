"""The steps of a bulk job, which the engine carries out, since they list executions and act on them (rule *job*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stepfast.errors import ForbiddenInWorkflow
from stepfast.language.map_steps import BuiltinStep
from stepfast.language.retry import Retry
from stepfast.language.steps import DEFAULT_POOL

Json = dict[str, Any]
STEP_SECONDS = 20.0
"""How long an attempt may take. It works for two seconds; after a crash its lease is over this much later."""


def _job_step(function: Callable[..., Any]) -> BuiltinStep:
    name = "stepfast." + function.__name__.replace("_", "-")
    retry = Retry(max_attempts=1000, initial=0.5, max_delay=30.0)
    return BuiltinStep(
        function, name=name, retry=retry, timeout=STEP_SECONDS, heartbeat=None, pool=DEFAULT_POOL, at_most_once=False
    )


@_job_step
async def job_plan(job: Json, place: str, ids: list[str] | None, limit: int) -> Json:
    """Chooses the executions that are next, and leaves alone those whose status does not allow the action.

    job: what was asked for. place: where the filter's list goes on. ids: of a list, those that are next. Returns
    `entries` as lists of id, status, generation, creation time and mark of the last intervention, `skipped` as pairs of
    id and reason, `next` as the next place or null, and `stop`: who has stopped the job, or null.
    """
    raise ForbiddenInWorkflow("job_plan is a step of stepfast itself, which only its engine runs")


@_job_step
async def job_act(job: Json, entries: list[list[Any]], due: float) -> Json:
    """Acts on executions, no sooner than the rate allows. due: the first moment, in seconds since the epoch.

    Returns `handled`, how many of the entries it has seen to; `skipped`, `failed` and `notes` as pairs of id and
    reason; `due`, the next moment; `stop`: who has stopped the job, or null.
    """
    raise ForbiddenInWorkflow("job_act is a step of stepfast itself, which only its engine runs")


JOB_STEPS: tuple[BuiltinStep, ...] = (job_plan, job_act)
