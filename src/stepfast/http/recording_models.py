"""The answers that hold what is recorded of an execution."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stepfast.http.models import Shown

Fields = dict[str, Any]


class LargeValue(Shown):
    command: str | None = Field(description="the command that has it; null for a value of the execution itself")
    name: str = Field(description="input, output or result")


class RecordingView(Shown):
    run: int = Field(description="the run that was read: pages of several runs or generations do not fit together")
    generation: int
    records: list[Fields] = Field(description="commands as they are recorded, with their values as JSON texts")
    signals: list[Fields]
    history: list[Fields] = Field(description="what resumes have taken back")
    large: list[LargeValue] = Field(description="values that are null here, and are read by themselves")
    execution: Fields | None = Field(description="on the last page: the execution as it is recorded")
    order: Fields | None = Field(description="on the last page: the order in which outcomes were applied")
    next: str | None = Field(description="the next page's cursor")


class ValuePieceView(Shown):
    text: str = Field(description="a piece of the JSON text of the value")
    next: int | None = Field(description="the next piece's `offset`")
