"""What a request that acts on an execution by hand holds."""

from __future__ import annotations

from pydantic import Field

from stepfast.engine.cancelling import CLEANUP_SECONDS
from stepfast.http.models import Asked


class InterventionRequest(Asked):
    """May be left out."""

    why: str | None = Field(None, min_length=1, max_length=1000, description="for the history")


class CancelRequest(InterventionRequest):
    """May be left out."""

    cleanup_seconds: float = Field(
        CLEANUP_SECONDS, gt=0, le=86_400, description="the execution ends then, whatever its code still does"
    )
