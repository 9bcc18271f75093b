"""What is asked and answered of schedules, as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stepfast.http.models import Asked, ExecutionId, Shown, Time

Overlap = Literal["allow", "skip", "wait", "replace"]
Cause = Literal["clock", "trigger", "backfill"]


class PauseView(Shown):
    since: Time
    by: str = Field(description="who paused it; empty where the caller has no name")
    why: str


class NextView(Shown):
    at: Time
    starts_at: Time = Field(description="`at` and the offset of its jitter")


class ScheduledRunView(Shown):
    execution_id: str
    at: Time = Field(description="the moment that it is for")
    cause: Cause
    decided_at: Time
    by: str = Field(description="who asked for it; empty for the clock")


class SkippedView(ScheduledRunView):
    why: str


class ScheduleView(Shown):
    name: str
    workflow: str
    expression: str
    timezone: str
    enabled: bool = Field(description="false: the settings have it start nothing by the clock")
    overlap: Overlap
    jitter: int = Field(description="seconds")
    paused: PauseView | None = Field(description="null while it is not paused")
    next: list[NextView] = Field(
        description="the next five moments; none while it is paused or not enabled, and on AWS for a rate that has not "
        "been due yet"
    )
    started: list[ScheduledRunView] = Field(description="the last ten starts, newest first")
    skipped: list[SkippedView] = Field(description="the last ten moments that started nothing, newest first")
    waiting: int = Field(description="moments that wait for an earlier execution to end")


class ScheduleList(Shown):
    schedules: list[ScheduleView]
    next: str | None


class PauseScheduleRequest(Asked):
    why: str = Field("", max_length=500)


class TriggerRequest(Asked):
    execution_id: ExecutionId | None = Field(None, description="makes the call repeatable; made up when left out")
    overlap: Overlap | None = Field(None, description="in place of the schedule's policy")


class OutcomeView(Shown):
    outcome: Literal["started", "waiting", "skipped", "missed"]
    execution_id: str
    created: bool = Field(description="whether this call has created the execution")
    why: str = Field(description="why it was skipped; empty otherwise")


class BackfillRequest(Asked):
    from_: Annotated[str, Field(alias="from", max_length=64, description="ISO 8601; this moment is included")]
    to: str = Field(max_length=64, description="ISO 8601, not in the future; this moment is not included")
    overlap: Literal["allow", "wait"] | None = Field(
        None,
        description="allow starts all at once, wait one after the other; left out: allow for a schedule that allows "
        "overlaps, wait for any other",
    )


class BackfilledRun(OutcomeView):
    at: Time


class Backfilled(Shown):
    runs: list[BackfilledRun] = Field(description="one for each moment of the range, 100 at most")
