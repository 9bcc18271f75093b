"""What is asked and answered of bulk jobs, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stepfast.engine.job_operations import DEFAULT_JOB_RATE, MAX_JOB_IDS, MAX_JOB_RATE
from stepfast.http.models import ID, Asked, ExecutionId, LabelKey, LabelValue, Shown, Time
from stepfast.model import ExecutionStatus
from stepfast.shown import MAX_LABELS

JobStatus = Literal["RUNNING", "STOPPING", "STOPPED", "PAUSED", "SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"]


class JobFilter(Asked):
    """All that is given must hold. Executions that were started after the job are never taken."""

    workflow: str | None = Field(None, min_length=1, max_length=64)
    status: ExecutionStatus | None = Field(None, description="left out: every status that the action can be done to")
    labels: dict[LabelKey, LabelValue] = Field({}, max_length=MAX_LABELS)
    prefix: str | None = Field(None, pattern=ID, description="what the id begins with")
    step: str | None = Field(None, max_length=64, description="the step that failed; empty: the workflow's own code")
    error: str | None = Field(None, min_length=1, max_length=256, description="the error's type, or its class")
    since: str | None = Field(None, max_length=64, description="ISO 8601: started at this moment or later")
    until: str | None = Field(None, max_length=64, description="ISO 8601: started before this moment")
    roots: bool = Field(True, description="false takes the children of other executions, too")


class JobOptions(Asked):
    """Options of the actions."""

    steps: list[Annotated[str, Field(min_length=1, max_length=4096)]] | None = Field(
        None, max_length=1000, description="of resume: ids of the commands to run again"
    )
    cleanup_seconds: float | None = Field(
        None, gt=0, le=86_400, description="of cancel: how long the code may clean up"
    )
    before: str | None = Field(
        None, min_length=1, max_length=4096, description="of fork: the command that runs anew; left out: the failure"
    )
    children: Literal["relink", "copy"] | None = Field(
        None, description="of fork: whether it takes over the outcomes of children, or copies the children"
    )


class JobStart(Asked):
    """Exactly one of `ids` and `filter`."""

    action: str = Field(
        max_length=64, description="resume, cancel, terminate, pause, unpause, release, close, reopen, delete or fork"
    )
    ids: list[ExecutionId] | None = Field(None, description=f"at most {MAX_JOB_IDS:,}; each is acted on once")
    filter: JobFilter | None = Field(None, description="{} takes all that the action can be done to")
    rate: float = Field(DEFAULT_JOB_RATE, description=f"executions per second, above 0 and at most {MAX_JOB_RATE:g}")
    why: str | None = Field(None, min_length=1, max_length=1000, description="for the history of each execution")
    options: JobOptions = Field(default_factory=JobOptions)
    job_id: ExecutionId | None = Field(None, description="makes the call repeatable; made up when left out")


class JobStopRequest(Asked):
    """May be left out."""

    why: str | None = Field(None, min_length=1, max_length=1000)


class JobStopView(Shown):
    at: Time
    by: str | None
    why: str | None


class JobFilterView(Shown):
    workflow: str | None
    status: str | None
    labels: dict[str, str]
    prefix: str | None
    step: str | None
    error: str | None
    since: Time | None
    until: Time | None
    roots: bool


class JobView(Shown):
    job_id: str
    action: str
    status: JobStatus = Field(description="FAILED: it can be resumed, as an execution of this id")
    seen: int = Field(description="executions that it has seen to: done, skipped and failed")
    done: int
    skipped: int
    failed: int
    total: int | None = Field(description="how many ids it was given; null for a filter")
    filter: JobFilterView | None
    rate: float
    why: str | None
    by: str | None = Field(description="who has started it; null where callers have no names")
    stop: JobStopView | None = Field(description="who has stopped it, and why")
    error: str | None = Field(description="why it is FAILED")
    started_at: Time
    ended_at: Time | None


class JobList(Shown):
    jobs: list[JobView]
    next: str | None


class JobOutcomeView(Shown):
    execution_id: str
    outcome: Literal["done", "skipped", "failed"]
    reason: str | None = Field(description="why it was skipped, or what there is to note")


class JobReport(Shown):
    outcomes: list[JobOutcomeView]
    next: str | None = Field(description="null once the job has ended and all was reported")
