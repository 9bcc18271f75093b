"""Lists of command ids in few bytes: ids that differ in one number, and count up by one, are a run.

A gather of ten thousand has the ids `fetch`, `fetch#2` to `fetch#10000`: one id and one run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

Packed = list[Any]
"""Ids, and runs as [text before the number, first number, how many, text after it], in the order of the ids."""
MAX_DIGITS = 19
"""More than any number of a run has."""
_NUMBER = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,8})(?![0-9])")


def packed(ids: Iterable[str]) -> Packed:
    """The ids, packed; as many and in the same order."""
    items: Packed = []
    previous: str | None = None
    for id in ids:
        run = items[-1] if items and isinstance(items[-1], list) else None
        if run is not None and id == f"{run[0]}{run[1] + run[2]}{run[3]}":
            run[2] += 1
        elif run is None and previous is not None and (pair := _pair(previous, id)) is not None:
            items[-1] = pair
        else:
            items.append(id)
        previous = id
    return items


def unpacked(items: Iterable[Any]) -> Sequence[str]:
    """The ids that were packed."""
    ids: list[str] = []
    for item in items:
        if isinstance(item, str):
            ids.append(item)
        else:
            before, first, count, after = item
            ids += [f"{before}{number}{after}" for number in range(first, first + count)]
    return ids


def last_unpacked(items: Sequence[Any], most: int) -> Sequence[str]:
    """The last of the ids that were packed, at most so many; the others are not unpacked."""
    ids: list[str] = []
    for item in reversed(items):
        if len(ids) >= most:
            break
        if isinstance(item, str):
            ids.append(item)
        else:
            before, first, count, after = item
            ids += [f"{before}{number}{after}" for number in reversed(range(first, first + count)[len(ids) - most :])]
    return ids[::-1]


def occurrences(items: Iterable[Any], id: str) -> Sequence[str]:
    """One id as often as it is among those that were packed; no run is unpacked."""
    return [id] * sum(item == id if isinstance(item, str) else _in_run(id, *item) for item in items)


def _in_run(id: str, before: str, first: int, count: int, after: str) -> bool:
    digits = id[len(before) : len(id) - len(after)]
    if not (id.startswith(before) and id.endswith(after)):
        return False
    if not (digits.isascii() and digits.isdecimal() and len(digits) < MAX_DIGITS):
        return False
    return first <= int(digits) < first + count and id == f"{before}{int(digits)}{after}"


def _pair(first: str, second: str) -> list[Any] | None:
    """The run of two ids; None where they are none."""
    for number in _NUMBER.finditer(first):
        before, after = first[: number.start()], first[number.end() :]
        if second == f"{before}{int(number[0]) + 1}{after}":
            return [before, int(number[0]), 2, after]
    return None
