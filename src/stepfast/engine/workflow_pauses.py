"""The port of workflows that operators have paused: executions of them that start are held (rule *held start*)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WorkflowPause:
    """Since when a workflow is paused, in seconds since the epoch; by whom, where callers have names; and why."""

    at: float
    by: str | None = None
    why: str | None = None


class WorkflowPauseStore(Protocol):
    """Which workflows are paused. Every method may raise Unavailable and Misconfigured, as those of the Store."""

    async def all(self, *, settled: bool = False) -> Mapping[str, WorkflowPause]:
        """The paused workflows by name. settled: with every write that has been answered; else it may miss the last."""

    async def pause(self, workflow: str, pause: WorkflowPause) -> WorkflowPause:
        """Pauses a workflow. Returns the pause that stands: the argument, or that of whoever has paused it before."""

    async def unpause(self, workflow: str) -> bool:
        """Ends the pause of a workflow; False where it is not paused."""
