"""A batch of starts: its request, and the outcome of each start."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stepfast.http.models import Asked, Problem, Shown, StartRequest
from stepfast.standing import TurnedInto

MAX_STARTS = 1000
"""The most starts in one request."""


class BatchStart(StartRequest):
    workflow: Annotated[str, Field(min_length=1, max_length=64)]


class BatchRequest(Asked):
    starts: list[BatchStart] = Field(min_length=1, max_length=MAX_STARTS)


class StartOutcomeView(Shown):
    execution_id: str | None = Field(description="the id of the execution; null if the start had none and failed")
    created: bool = Field(description="true if this call has started the execution")
    turned_into: TurnedInto | None = Field(None, description="as of one start; null where nothing was started")
    problem: Problem | None = Field(description="why nothing was started; its `errors` lists at most 3 fields")


class BatchView(Shown):
    outcomes: list[StartOutcomeView] = Field(description="an outcome for each start, in their order")
