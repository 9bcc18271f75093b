"""A cancel in the order of an execution: where the code meets it, and how long it may clean up. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from stepfast.records import dataclass

_BEGIN = ":cancel@"
NAMESPACE = "cancelled"
"""What the ids of the commands begin with that the code asks for after it was cancelled.

A worker that does not know of the cancel yet may have gone on with steps that the code asks for no more. Their ids must
not be those of the steps that clean up.
"""


@dataclass(frozen=True, slots=True)
class CancelMark:
    """Stands among the applied outcomes of the order, in the place of an outcome.

    taken: how many outcomes the code has taken before it. at: when it was cancelled, in seconds since the epoch.
    limit: how many seconds the code may go on then.
    """

    taken: int
    at: float
    limit: float

    @property
    def id(self) -> str:
        return f"{_BEGIN}{self.taken}@{self.at!r}@{self.limit!r}"


def mark_of(id: str) -> CancelMark | None:
    """The mark of this id; None for the id of a command."""
    if not id.startswith(_BEGIN):
        return None
    taken, at, limit = id.removeprefix(_BEGIN).split("@")
    return CancelMark(int(taken), float(at), float(limit))


def is_cancelled(applied: Iterable[str]) -> bool:
    """Whether an order has a cancel in it."""
    return any(id.startswith(_BEGIN) for id in applied)


def id_after(id: str) -> str:
    """The id of a command that was asked for after a cancel."""
    return id if id.startswith(f"{NAMESPACE}/") else f"{NAMESPACE}/{id}"
