"""The port of workflows that operators have paused, and of what is held with them (rule *held start*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class WorkflowPause:
    """Since when a workflow is paused, in seconds since the epoch; by whom, where callers have names; and why."""

    at: float
    by: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class HeldStart:
    """The note of an execution that is held with its workflow. at: when it was held, in seconds since the epoch."""

    workflow: str
    execution_id: str
    at: float


HeldPage = tuple[Sequence[HeldStart], str | None]
"""Notes, and the cursor of the next page; None after the last."""


class WorkflowPauseStore(Protocol):
    """Which workflows are paused, and notes of what is held with them. No index has a part in it.

    Every method may raise Unavailable and Misconfigured, as those of the Store."""

    async def all(self, *, settled: bool = False) -> Mapping[str, WorkflowPause]:
        """The paused workflows by name. settled: with every write that has been answered; else it may miss the last."""

    async def pause(self, workflow: str, pause: WorkflowPause) -> WorkflowPause:
        """Pauses a workflow. Returns the pause that stands: the argument, or that of whoever has paused it before."""

    async def unpause(self, workflow: str) -> bool:
        """Ends the pause of a workflow; False where it is not paused."""

    async def note_held(self, held: HeldStart) -> None:
        """Writes a note, in place of an earlier one of the same execution."""

    async def held(self, workflow: str, limit: int, cursor: str | None = None) -> HeldPage:
        """Notes of a workflow, with every write that has been answered."""

    async def forget_held(self, held: HeldStart) -> None:
        """Deletes this note. One that was written since, with another time, stays."""
