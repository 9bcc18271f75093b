"""A selection of dead letters, and the bulk job that resumes them at a rate."""

from __future__ import annotations

from collections.abc import Sequence

from stepfast.engine.job_operations import JobOutcome, JobRequest
from stepfast.engine.ports import Query as Asked
from stepfast.errors import ExecutionNotFound
from stepfast.http import restricting
from stepfast.http.engine import ApiEngine
from stepfast.http.models import Replayed, ReplayRequest, ResumedView
from stepfast.model import Execution
from stepfast.records import dataclass

ASK_AGAIN_SECONDS = 0.25
"""The shortest pause in seconds before asking again for what has come of a replay."""
MOST_PAUSE_SECONDS = 5.0
"""The longest: a job may end at any time."""
MOST_REPORTED = 1000
FIRST_PLACE = "1.0"
"""Where the report of a job begins."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A selection of dead letters. step: "" selects failures of the workflow's own code. error: the type or class."""

    workflow: str | None
    step: str | None
    error: str | None

    def takes(self, execution: Execution) -> bool:
        failure = execution.error
        step = failure.step if failure else None
        errors = (failure.type, failure.error_class) if failure else ()
        return (self.step is None or self.step == (step or "")) and (self.error is None or self.error in errors)


def failed(engine: ApiEngine, alike: Alike, limit: int, cursor: str | None) -> tuple[list[Execution], str | None]:
    query = Asked(
        workflow=alike.workflow, status="FAILED", roots=True, jobs=False, limit=limit, cursor=cursor, values=False
    )
    seen = restricting.narrowed(query, lambda id: None)
    if seen is None:
        return [], None
    page = engine.call(engine.operations.page(seen))
    return [execution for execution in page.executions if alike.takes(execution)], page.next


def paced(engine: ApiEngine, body: ReplayRequest, rate: float) -> Replayed:
    """The report of a bulk job that resumes at a rate: of the one that the body names, or of a new one."""
    jobs, job_id, cursor = engine.operations.jobs, body.job, body.cursor
    if job_id is not None:
        try:
            outcomes, after = engine.call(jobs.report(job_id, MOST_REPORTED, cursor))
            return _report(body, rate, job_id, outcomes, after)
        except ExecutionNotFound:
            pass  # of a server of an earlier version, whose replays ended with it: a new job does the rest
    criteria = {"workflow": body.workflow, "step": body.step, "error": body.error}
    request = JobRequest(
        "resume",
        ids=body.execution_ids,
        filter=None if body.execution_ids else {name: text for name, text in criteria.items() if text is not None},
        rate=rate,
    )
    state, _ = engine.call(jobs.start(request))
    return _report(body, rate, state.execution.execution_id, (), FIRST_PLACE)


def _report(
    body: ReplayRequest, rate: float, job_id: str, outcomes: Sequence[JobOutcome], after: str | None
) -> Replayed:
    results = [
        ResumedView(
            execution_id=outcome.execution_id,
            resumed=outcome.outcome == "done",
            refused=None if outcome.outcome == "done" else outcome.reason or outcome.outcome,
            notice=outcome.reason if outcome.outcome == "done" else None,
        )
        for outcome in outcomes
    ]
    goes_on = after is not None
    return Replayed(
        resumed=sum(view.resumed for view in results),
        results=results,
        remaining=goes_on,
        next={**body.model_dump(exclude_defaults=True), "job": job_id, "cursor": after} if goes_on else None,
        working=goes_on,
        after=min(MOST_PAUSE_SECONDS, max(ASK_AGAIN_SECONDS, 1 / rate)) if goes_on else None,
    )
