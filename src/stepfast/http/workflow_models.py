"""What is answered of deployed workflows and their steps, as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stepfast.http.models import Shown


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


class WorkflowView(Shown):
    name: str
    description: str
    documentation: str = Field(description="the whole docstring, of which `description` is the first line")
    input_schema: dict[str, Any]
    result_schema: dict[str, Any]
    steps: list[StepView]


class WorkflowList(Shown):
    workflows: list[WorkflowView]
