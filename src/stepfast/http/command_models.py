"""A page of commands as it is answered."""

from __future__ import annotations

from pydantic import Field

from stepfast.http.models import CommandView, Shown
from stepfast.model import CommandStatus


class CommandList(Shown):
    commands: list[CommandView]
    next: str | None = Field(description="the next page's cursor")
    total: int = Field(description="how many of its commands match, on all pages")
    counts: dict[CommandStatus, int] = Field(description="how many of all its commands have each status")
    overdue: int = Field(description="how many of all its commands are overdue")
    steps: list[str] = Field(description="the names of all its commands, each once, as they first appear")
    generation: int
    recorded_only: bool = Field(description="true where `quick` left out what only the code can tell")
    deployed: bool = Field(description="false while its workflow is not deployed here: then it waits")
