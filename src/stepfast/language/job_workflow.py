"""The built-in workflow whose executions are bulk jobs (rule *job*)."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

from stepfast.language import job_steps
from stepfast.language.continuing import ContinueAsNew
from stepfast.language.durable import now, signal
from stepfast.language.workflows import Workflow
from stepfast.records import dataclass

JOB_WORKFLOW = "stepfast.job"
STOP = "stop"
"""The name of the signal that stops a job, and its id: it is sent once."""
SLICE_SECONDS = 2.0
"""For how long one step acts on executions. After a crash no more than this is looked at again."""
MAX_SLICE = 500
SLICES_OF_A_RUN = 50
"""Slices after which the job continues as a new run, so that its replay and a page of its report stay small."""
MAX_EMPTY_PLANS = 400
"""Plans of a run that found nothing, after which it continues as well."""


@dataclass(frozen=True, slots=True)
class JobInput:
    """The input of a run of a job.

    job: what was asked for. ids: of a list, those that remain. place: where the filter's list goes on. due: when the
    next execution may be acted on, in seconds since the epoch. done, skipped, failed: the totals of earlier runs.
    """

    job: dict[str, Any]
    ids: list[str] | None = None
    place: str = ""
    due: float = 0.0
    done: int = 0
    skipped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class JobTotals:
    """The result of a job. stop: who has stopped it and why; None if it has seen to all."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    stop: dict[str, Any] | None = field(default=None)


async def run_job(request: JobInput) -> JobTotals:
    state, rate = request, float(request.job["rate"])
    size = max(1, min(MAX_SLICE, round(rate * SLICE_SECONDS)))
    for _ in range(MAX_EMPTY_PLANS):
        chosen = state.ids[:size] if state.ids is not None else None
        plan = await job_steps.job_plan(state.job, state.place, chosen, size)
        stop = plan["stop"]
        state = replace(state, skipped=state.skipped + len(plan["skipped"]))
        if plan["entries"] and stop is None:
            state, stop = await _act(state, plan["entries"])
        if state.ids is not None:
            state = replace(state, ids=state.ids[size:])
            over = not state.ids
        else:
            state = replace(state, place=plan["next"] or "")
            over = plan["next"] is None
        if stop is not None or over:
            return JobTotals(state.done, state.skipped, state.failed, stop)
        if _slices(state, request) >= SLICES_OF_A_RUN * size:
            break
    raise ContinueAsNew(state)


async def _act(state: JobInput, entries: list[list[Any]]) -> tuple[JobInput, dict[str, Any] | None]:
    """Acts on the entries, in as many steps as the time of a step asks for. Returns the totals, and who has stopped."""
    while entries:
        wait = state.due - now().timestamp()
        if wait > SLICE_SECONDS:
            try:
                await signal(STOP, dict[str, Any], timeout=wait)
            except TimeoutError:
                pass  # The step that follows looks for the signal itself.
        acted = await job_steps.job_act(state.job, entries, state.due)
        skipped, failed = len(acted["skipped"]), len(acted["failed"])
        state = replace(
            state,
            due=acted["due"],
            done=state.done + acted["handled"] - skipped - failed,
            skipped=state.skipped + skipped,
            failed=state.failed + failed,
        )
        if acted["stop"] is not None:
            return state, acted["stop"]
        entries = entries[acted["handled"] :]
    return state, None


def _slices(state: JobInput, request: JobInput) -> int:
    """How many executions this run has seen to."""
    return state.done + state.skipped + state.failed - request.done - request.skipped - request.failed


JOBS: Workflow[..., Any] = Workflow(run_job, JOB_WORKFLOW)
