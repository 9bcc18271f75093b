"""Which of an execution's commands `stepfast show` prints: filtered, folded where many are alike, at most so many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

MAX_ROWS = 200
"""Rows that are printed unless more are asked for."""
ALIKE = {"SUCCEEDED": 5, "CANCELLED": 5}
"""How many commands that differ in their number only are each given a row, by status."""
ALIKE_OTHERS = 20
_NUMBER = re.compile(r"#\d+")


@dataclass(slots=True)
class Fold:
    """Commands that differ in their number only, and have the same status."""

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


def chosen(commands: Sequence[Object], *, failed: bool = False, step: str | None = None) -> list[Object]:
    """Those that match. failed: that have failed, or had an attempt that did. step: of this name, or with this id."""
    return [
        command
        for command in commands
        if (not failed or _has_failed(command)) and (step is None or _is_of(command, step))
    ]


def _has_failed(command: Object) -> bool:
    return command["status"] in ("FAILED", "RETRYING") or any(past["error"] is not None for past in command["attempts"])


def _is_of(command: Object, step: str) -> bool:
    return step in (command["name"], command["id"], _NUMBER.sub("", command["id"]))


def folded(commands: Sequence[Object]) -> list[Row]:
    """Commands in their order; many that are alike stand as one row where the first of them is."""
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


def cut(rows: Sequence[Row], limit: int) -> tuple[list[Row], int]:
    """The first rows, and how many commands are in those that are left out."""
    left = rows[limit:]
    return [*rows[:limit]], sum(len(row.commands) if isinstance(row, Fold) else 1 for row in left)
