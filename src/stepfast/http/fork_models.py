"""What a request for a fork holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from stepfast.http.intervention_models import InterventionRequest
from stepfast.http.models import ExecutionId, Json, LabelKey, LabelValue
from stepfast.shown import MAX_LABELS

Before = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class ForkRequestBody(InterventionRequest):
    """May be left out: then the fork begins at the failure."""

    execution_id: ExecutionId | None = Field(
        None, description="names the fork and makes the call repeatable; made up when left out"
    )
    before: Before | None = Field(
        None, description="id of the command that the fork runs anew; the failure when left out"
    )
    input: Json = Field(None, description="in place of the origin's input, which the fork has when this is left out")
    labels: dict[LabelKey, LabelValue] | None = Field(
        None, max_length=MAX_LABELS, description="in place of the origin's labels"
    )
    children: Literal["relink", "copy"] = Field(
        "relink",
        description="`relink`: the outcomes of children are taken over, and the children stay with the origin; `copy`: "
        "children that have ended are copied as well, and belong to the fork",
    )
