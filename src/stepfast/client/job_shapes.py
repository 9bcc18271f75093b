"""The shapes of answers about bulk jobs that the client relies on."""

from __future__ import annotations

from typing_extensions import TypedDict


class JobShape(TypedDict):
    job_id: str
    action: str
    status: str
    seen: int
    done: int
    skipped: int
    failed: int
    total: int | None


class JobPageShape(TypedDict):
    jobs: list[JobShape]
    next: str | None


class JobOutcomeShape(TypedDict):
    execution_id: str
    outcome: str
    reason: str | None


class JobReportShape(TypedDict):
    outcomes: list[JobOutcomeShape]
    next: str | None
