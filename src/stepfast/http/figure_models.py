"""The JSON of figures: how many executions ended in which span, how long they took, and how their steps fared."""

from __future__ import annotations

from pydantic import Field

from stepfast.http.models import Shown, Time


class BucketView(Shown):
    at: Time = Field(description="when it begins")
    succeeded: int
    failed: int
    cancelled: int


class DurationsView(Shown):
    """Seconds from start to end of those that SUCCEEDED, each within 9 % of the exact one."""

    count: int
    p50: float
    p90: float
    p99: float
    longest: float


class StepFiguresView(Shown):
    name: str
    attempts: int
    failures: int = Field(description="attempts that raised or timed out")
    given_up: int = Field(description="steps that failed for good")
    seconds: float | None = Field(description="how long an attempt that succeeded took on average; null for none")


class FiguresView(Shown):
    workflow: str
    since: Time
    until: Time
    bucket: str
    buckets: list[BucketView] = Field(description="every one of the span, the oldest first")
    durations: DurationsView | None = Field(description="null when none SUCCEEDED")
    steps: list[StepFiguresView] = Field(description="by name; counted when their executions ended")
