"""Selects the commands that `stepfast show` prints: filters them, folds many alike into a row, and limits the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

MAX_ROWS = 200
"""Rows printed without --limit."""
FIRST = 20
"""Rows that are shown above all others, where they would be cut off."""
UNFINISHED = ("FAILED", "RETRYING", "RUNNING", "OPEN")
"""The statuses of commands that somebody wants to see first."""
ALIKE = {"SUCCEEDED": 5, "CANCELLED": 5}
"""Up to this many commands that differ only in their number get a row each, by status; more are folded."""
ALIKE_OTHERS = 20
"""The same for every other status."""
_NUMBER = re.compile(r"#\d+")


@dataclass(slots=True)
class Fold:
    """Commands with the same status whose ids differ only in their number."""

    name: str
    status: str
    commands: list[Object] = field(default_factory=list)

    @property
    def first_at(self) -> str | None:
        return min((command["first_at"] for command in self.commands if command["first_at"]), default=None)

    @property
    def ended_at(self) -> str | None:
        return max((command["ended_at"] for command in self.commands if command["ended_at"]), default=None)

    @property
    def retried(self) -> int:
        return sum(any(past["error"] is not None for past in command["attempts"]) for command in self.commands)


Row = Object | Fold


def matching(commands: Iterable[Object], *, failed: bool = False, step: str | None = None) -> Iterator[Object]:
    """The commands that match. failed: only those with a failed attempt. step: only those with this name or id."""
    return (
        command
        for command in commands
        if (not failed or _has_failed(command)) and (step is None or _is_of(command, step))
    )


def _has_failed(command: Object) -> bool:
    return command["status"] in ("FAILED", "RETRYING") or any(past["error"] is not None for past in command["attempts"])


def _is_of(command: Object, step: str) -> bool:
    return step in (command["name"], command["id"], _NUMBER.sub("", command["id"]))


def folded(commands: Sequence[Object]) -> list[Row]:
    """The commands in order. Many alike become one Fold, in the place of the first."""
    groups: dict[tuple[str, str], Fold] = {}
    for command in commands:
        name = _NUMBER.sub("", command["id"])
        groups.setdefault((name, command["status"]), Fold(name, command["status"])).commands.append(command)
    rows: list[Row] = []
    for command in commands:
        group = groups[_NUMBER.sub("", command["id"]), command["status"]]
        if len(group.commands) <= ALIKE.get(group.status, ALIKE_OTHERS):
            rows.append(command)
        elif group.commands[0] is command:
            rows.append(group)
    return rows


def first_of(rows: Sequence[Row], limit: int) -> list[Row]:
    """The first few of the rows behind the limit that somebody wants to see: what has failed, and what is under way."""
    failed = [row for row in rows[limit:] if _status(row) in ("FAILED", "RETRYING")]
    under_way = [row for row in rows[limit:] if _status(row) in ("RUNNING", "OPEN")]
    return [*failed, *under_way][:FIRST]


def _status(row: Row) -> str:
    return row.status if isinstance(row, Fold) else str(row["status"])


def cut(rows: Sequence[Row], limit: int) -> tuple[list[Row], int]:
    """The first `limit` rows, and the number of commands in the others."""
    left = rows[limit:]
    return [*rows[:limit]], sum(len(row.commands) if isinstance(row, Fold) else 1 for row in left)
