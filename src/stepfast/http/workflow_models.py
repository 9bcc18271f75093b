"""What is answered of deployed workflows and their steps, as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stepfast.engine.job_operations import DEFAULT_JOB_RATE, MAX_JOB_RATE
from stepfast.http.models import Asked, Shown, Time


class RetryView(Shown):
    max_attempts: int | None = Field(description="tries in all; null: without end")
    initial: float
    backoff: float
    max_delay: float
    jitter: str
    max_elapsed: float | None
    retry_on: list[str]
    give_up_on: list[str]


class StepView(Shown):
    name: str
    pool: str
    timeout: float
    heartbeat: float | None
    at_most_once: bool
    retry: RetryView
    description: str


class WorkflowPauseView(Shown):
    at: Time
    by: str | None = Field(description="who has paused it; null where the caller has no name")
    why: str | None


class WorkflowView(Shown):
    name: str
    description: str
    documentation: str = Field(description="the whole docstring, of which `description` is the first line")
    input_schema: dict[str, Any]
    result_schema: dict[str, Any]
    steps: list[StepView]
    paused: WorkflowPauseView | None = Field(
        description="since when what starts of it is held; null while it is not paused"
    )


class PauseWorkflowRequest(Asked):
    """May be left out."""

    why: str | None = Field(None, min_length=1, max_length=1000, description="for the history of what is held")


class UnpauseWorkflowRequest(PauseWorkflowRequest):
    """May be left out."""

    rate: float = Field(
        DEFAULT_JOB_RATE, gt=0, le=MAX_JOB_RATE, description="held executions that go on in a second, at most"
    )


class PausedWorkflow(Shown):
    name: str
    paused: WorkflowPauseView | None = Field(description="null once it is unpaused")
    job_id: str | None = Field(None, description="of the bulk job that lets go what was held")


class WorkflowList(Shown):
    workflows: list[WorkflowView]
