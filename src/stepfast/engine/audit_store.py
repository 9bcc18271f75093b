"""Lines of the audit list, and their port: who has asked for which change, when and why, and what came of it.

A line is written before the action that it is about, and says `asked`. It gets its outcome after the action. If the
process dies in between, the line stays `asked`: the action may have taken effect (rule *audit*). Lines hold no values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from stepfast.records import dataclass

AuditOutcome = Literal["asked", "done", "refused", "failed"]
"""Asked: nobody knows what came of it, or it is still under way. Failed: the server, not the caller, was at fault."""
MOST_AUDIT_LINES = 1000
AUDIT_DAY_SECONDS = 86400.0
LONGEST_AUDIT_TEXT = 1000


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """days: for how many days lines are kept; 0 keeps no list. routine: whether what applications
    do all day has lines, too: starts, signals and updates.
    """

    days: int = 90
    routine: bool = False


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A change that somebody has asked for.

    id: its place in the list, by its time. at: in seconds since the epoch. by: the name of the caller's key, or the
    subject of its token; "" where callers have no names. action: what was asked for. execution_id: of the execution, or
    of the job; "" for none. target: what else it is about, such as the name of a limit. count: how many executions the
    request names, where it names several. status: of the answer.
    """

    id: str
    at: float
    by: str
    action: str
    execution_id: str = ""
    target: str = ""
    why: str = ""
    count: int = 0
    outcome: AuditOutcome = "asked"
    status: int = 0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines are wanted, the newest first. since: the first moment, included. until: the end, not included.

    cursor: the `next` of the page before.
    """

    execution_id: str | None = None
    by: str | None = None
    action: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """next: the cursor of the page behind, None at the end. A page may have few lines, or none, and yet a `next`."""

    lines: Sequence[AuditLine]
    next: str | None


KEPT_AS_BY_DEFAULT = AuditSettings()


class AuditStore(Protocol):
    """The lines of a home. Every method may raise Unavailable and Misconfigured, as those of the Store."""

    async def note(self, line: AuditLine, expires: float) -> None:
        """Adds a line, so that no later write of this caller is stored without it. expires: when it may be dropped."""

    async def settle(self, line: AuditLine) -> None:
        """Writes the outcome, the status and the execution id of a line that `note` has added."""

    async def audit_page(self, query: AuditQuery, oldest: float) -> AuditPage:
        """Lines as the query wants them. None is older than `oldest`. An older `settle` of this process shows."""

    async def expire_audit(self, before: float) -> int:
        """Drops some of the lines from before a time, in little time; 0 if there are none, or they go by themselves."""


def place_at(at: float) -> str:
    """The place in the list before which all lines are from before a time."""
    return f"{max(0.0, at):017.6f}"


def time_of(place: str) -> float:
    """The time of a place in the list."""
    return float(place.partition("-")[0])
