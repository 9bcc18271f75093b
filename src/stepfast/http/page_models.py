"""The answers that hold a page of commands or of executions."""

from __future__ import annotations

from pydantic import Field

from stepfast.http.models import CommandView, ExecutionView, Shown, SignalNotTakenView, Time
from stepfast.model import CommandStatus

PARTIAL = (
    "true where not all records were read: commands come by the bytes of their ids, and what only the code or all "
    "records can tell is left out"
)
NOTABLE = (
    "with `partial`, of the first page: what to look at first, 20 commands at most. Of a FAILED execution those behind "
    "its failure. Of a RUNNING one those under way, as far as they are found without reading all; where none is found, "
    "the last of each name. Their values above 16,000 bytes are left out"
)


class ExecutionDetail(ExecutionView):
    deployed: bool = Field(True, description="false while its workflow is not deployed here: then it waits")
    signals_not_taken: list[SignalNotTakenView] = Field(
        [], description="the first 100 signals that nobody has taken, while it has not ended for good"
    )
    commands: list[CommandView] = Field(
        [],
        description="left out when asked with commands=false. All of them, in the order of the timeline; with `limit`, "
        "or where there are more than 1,000, the first page",
    )
    next: str | None = Field(None, description="the cursor of the next page, for the route of the commands")
    partial: bool = Field(False, description=PARTIAL)
    notable: list[CommandView] = Field([], description=NOTABLE)


class CommandList(Shown):
    commands: list[CommandView]
    next: str | None = Field(description="the next page's cursor")
    total: int | None = Field(description="how many of its commands match, on all pages; null with `partial`")
    counts: dict[CommandStatus, int] = Field(
        description="how many of all its commands have each status; empty with `partial`"
    )
    overdue: int = Field(description="how many of all its commands are overdue; with `partial`, of those shown")
    steps: list[str] = Field(
        description="the names of all its commands, each once, as they first appear; with `partial`, of those shown"
    )
    generation: int
    signals_not_taken: list[SignalNotTakenView] = Field(description="the first 100 signals that nobody has taken")
    recorded_only: bool = Field(description="the same as `partial`, which is the newer name")
    partial: bool = Field(False, description=PARTIAL)
    notable: list[CommandView] = Field([], description=NOTABLE)
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
