"""Pages of a timeline: which commands match, and where the next page begins. Pure."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from collections.abc import Collection, Sequence

from stepfast.engine.arguments import foreign_cursor
from stepfast.http import values
from stepfast.http.timeline import TimelineEntry
from stepfast.records import dataclass

MOST_VALUES = 2_000_000
"""Characters of values per page: with the other fields of 1,000 commands it stays below Lambda's 6 MB per answer."""


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """total: how many commands match on all pages. next: the cursor of the page behind, None for the last."""

    entries: Sequence[TimelineEntry]
    total: int
    next: str | None


def page(
    entries: Sequence[TimelineEntry],
    statuses: Collection[str],
    step: str | None,
    limit: int,
    cursor: str | None,
    largest: int | None = None,
) -> TimelinePage:
    """The first `limit` commands behind the cursor; InvalidRequest for a cursor that no page gave.

    Fewer where their values, as far as `largest` bytes let them be shown, would be more than MOST_VALUES; never none.
    A cursor is a place in the order, and no count: a command that comes before it moves no page.
    """
    matching = [entry for entry in entries if (not statuses or entry.status in statuses) and step in (None, entry.name)]
    first = 0 if cursor is None else bisect_right(matching, _place(cursor), key=_order)
    shown = _fitting(matching[first : first + limit], largest)
    more = first + len(shown) < len(matching)
    return TimelinePage(shown, len(matching), _cursor(shown[-1]) if more else None)


def _fitting(entries: Sequence[TimelineEntry], largest: int | None) -> Sequence[TimelineEntry]:
    total = 0
    for index, entry in enumerate(entries):
        output = entry.record.output if entry.record else None
        sizes = [values.size_of(text) or values.UNKNOWN_BYTES for text in (entry.input, output) if text is not None]
        total += sum(size for size in sizes if largest is None or size <= largest)
        if index and total > MOST_VALUES:
            return entries[:index]
    return entries


def _order(entry: TimelineEntry) -> tuple[float, int]:
    return entry.at, entry.number


def _cursor(entry: TimelineEntry) -> str:
    return base64.urlsafe_b64encode(json.dumps(_order(entry)).encode()).decode()


def _place(cursor: str) -> tuple[float, int]:
    try:
        at, number = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return float(at), int(number)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise foreign_cursor() from error
