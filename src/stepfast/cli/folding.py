"""Which of an execution's commands `stepfast show` prints: filtered, folded where many are alike, at most so many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

ROWS = 200
"""Rows that are printed unless more are asked for."""
ALIKE = {"SUCCEEDED": 5, "CANCELLED": 5}
"""How many commands that differ in their number only are each given a row, by status."""
OTHERS = 20
_NUMBER = re.compile(r"#\d+")


@dataclass(slots=True)
class Fold:
    """Commands that differ in their number only, and have the same status."""

    name: str
    status: str
    commands: list[Object] = field(default_factory=list)

    @property
    def first_at(self) -> str | None:
        return min((one["first_at"] for one in self.commands if one["first_at"]), default=None)

    @property
    def ended_at(self) -> str | None:
        return max((one["ended_at"] for one in self.commands if one["ended_at"]), default=None)

    @property
    def retried(self) -> int:
        return sum(any(past["error"] is not None for past in one["attempts"]) for one in self.commands)


Row = Object | Fold


def chosen(commands: Sequence[Object], *, failed: bool = False, step: str | None = None) -> list[Object]:
    """Those that match. failed: that have failed, or had an attempt that did. step: of this name, or with this id."""
    return [one for one in commands if (not failed or _has_failed(one)) and (step is None or _is_of(one, step))]


def _has_failed(one: Object) -> bool:
    return one["status"] in ("FAILED", "RETRYING") or any(past["error"] is not None for past in one["attempts"])


def _is_of(one: Object, step: str) -> bool:
    return step in (one["name"], one["id"], _NUMBER.sub("", one["id"]))


def folded(commands: Sequence[Object]) -> list[Row]:
    """Commands in their order; many that are alike stand as one row where the first of them is."""
    groups: dict[tuple[str, str], Fold] = {}
    for one in commands:
        name = _NUMBER.sub("", one["id"])
        groups.setdefault((name, one["status"]), Fold(name, one["status"])).commands.append(one)
    rows: list[Row] = []
    for one in commands:
        group = groups[_NUMBER.sub("", one["id"]), one["status"]]
        if len(group.commands) <= ALIKE.get(group.status, OTHERS):
            rows.append(one)
        elif group.commands[0] is one:
            rows.append(group)
    return rows


def cut(rows: Sequence[Row], limit: int) -> tuple[list[Row], int]:
    """The first rows, and how many commands are in those that are left out."""
    left = rows[limit:]
    return [*rows[:limit]], sum(len(one.commands) if isinstance(one, Fold) else 1 for one in left)
