"""The answers that hold a page of commands or of executions."""

from __future__ import annotations

from pydantic import Field

from stepfast.http.models import CommandView, ExecutionView, Shown, SignalNotTakenView, Time
from stepfast.model import CommandStatus


class CommandList(Shown):
    commands: list[CommandView]
    next: str | None = Field(description="the next page's cursor")
    total: int = Field(description="how many of its commands match, on all pages")
    counts: dict[CommandStatus, int] = Field(description="how many of all its commands have each status")
    overdue: int = Field(description="how many of all its commands are overdue")
    steps: list[str] = Field(description="the names of all its commands, each once, as they first appear")
    generation: int
    signals_not_taken: list[SignalNotTakenView] = Field(description="the first 100 signals that nobody has taken")
    recorded_only: bool = Field(description="true where `quick` left out what only the code can tell")
    deployed: bool = Field(description="false while its workflow is not deployed here: then it waits")


class RunView(Shown):
    run: int = Field(description="its number, counted from 1")
    began_at: Time
    ended_at: Time | None = Field(description="when it continued as the next run, or the execution ended")
    generation: int
    resumes: int = Field(description="how often it was resumed")
    continued: bool = Field(description="false for the last run")


class RunList(Shown):
    runs: list[RunView]
    next: int | None = Field(description="the next page's `before`")


class TotalView(Shown):
    count: int
    complete: bool = Field(description="false where there are more than were counted")


class ExecutionList(Shown):
    executions: list[ExecutionView]
    next: str | None = Field(description="the next page's cursor")
    total: TotalView | None = Field(None, description="how many match on all pages, where `total` asked for it")
