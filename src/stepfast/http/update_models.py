"""What requests and answers of queries and updates hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from stepfast.engine.updating import MOST_WAIT_SECONDS
from stepfast.http.models import (
    NAME,
    Asked,
    ErrorView,
    ExecutionId,
    Json,
    LabelKey,
    LabelValue,
    Shown,
    Time,
)
from stepfast.http.waiting import DEFAULT_ANSWER_WAIT_SECONDS
from stepfast.shown import MAX_LABELS


class QueryRequest(Asked):
    """May be left out, for a query without an argument."""

    payload: Json = None


class QueryAnswer(Shown):
    answer: Json


class HandlerSchemas(Shown):
    payload_schema: dict[str, Any] | None = Field(
        description="JSON Schema of the argument, of type null for a function without one; null where the annotation "
        "has no JSON form"
    )
    result_schema: dict[str, Any] | None = Field(
        description="JSON Schema of what it answers; null where the annotation has no JSON form"
    )


class SchemasOfHandlers(Shown):
    queries: dict[str, HandlerSchemas]
    updates: dict[str, HandlerSchemas]


class HandlersView(Shown):
    queries: list[str] = Field(description="what `@query` functions the execution has where it stands")
    updates: list[str] = Field(description="what `@update` functions it has; none once it has ended for good")
    schemas: SchemasOfHandlers = Field(description="what each of them takes and answers, by its name")


class StartWithRequest(Asked):
    workflow: Annotated[str, Field(pattern=NAME)]
    input: Json = None
    labels: dict[LabelKey, LabelValue] = Field({}, max_length=MAX_LABELS)


class UpdateRequest(Asked):
    """May be left out, for an update without an argument."""

    payload: Json = None
    update_id: ExecutionId | None = Field(None, description="makes the call repeatable; made up when left out")
    wait: float = Field(
        DEFAULT_ANSWER_WAIT_SECONDS,
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="the most seconds to wait for the answer; then 202: ask again by its id",
    )
    start: StartWithRequest | None = Field(None, description="what to start if no execution has this id")


class UpdateView(Shown):
    execution_id: str
    update_id: str
    name: str
    status: Literal["pending", "succeeded", "failed", "refused", "ended"] = Field(
        description="pending: no answer yet; ended: the execution has ended before it, and there will be no answer"
    )
    result: Json = None
    error: ErrorView | None = Field(None, description="what it has raised, or why the workflow has refused it")
    received_at: Time
    answered_at: Time | None
