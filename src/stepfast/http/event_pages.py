"""Pages of a history: which events a page holds, and where the next page begins. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from stepfast.errors import InvalidRequest
from stepfast.http.paging import MOST_VALUES
from stepfast.model import Event

MAX_EVENTS = 1000
"""Events of a page at most."""
VALUES = ("input", "output", "payload", "result")
"""The details of an event that hold a value of the user."""


def page(
    events: Sequence[Event], limit: int | None, cursor: str | None, largest: int | None
) -> tuple[Sequence[Event], str | None]:
    """The events behind the cursor, and the cursor of the next page or None. InvalidRequest for an unknown cursor.

    Without a limit and a cursor this is the whole history, as it was before histories had pages. A page ends early
    where its values would be more than MOST_VALUES characters, and has one event at least. The cursor is a number of
    events, so the pages of an execution that has ended do not move.
    """
    first = 0 if cursor is None else _place(cursor)
    shown = [_without_large(event, largest) for event in events[first : None if limit is None else first + limit]]
    if limit is not None:
        shown = _fitting(shown)
    end = first + len(shown)
    return shown, str(end) if end < len(events) else None


def _fitting(events: list[Event]) -> list[Event]:
    total = 0
    for index, event in enumerate(events):
        total += len(json.dumps(dict(event.details), default=str))
        if index and total > MOST_VALUES:
            return events[:index]
    return events


def _without_large(event: Event, largest: int | None) -> Event:
    if largest is None:
        return event
    sizes = {name: len(json.dumps(event.details[name]).encode()) for name in VALUES if name in event.details}
    omitted = {name: size for name, size in sizes.items() if size > largest}
    if not omitted:
        return event
    return replace(event, details={**event.details, **dict.fromkeys(omitted), "omitted": omitted})


def _place(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit():
        return int(cursor)
    message = "the cursor is not one that a page gave as its `next`"
    raise InvalidRequest(message, (("cursor", "unknown"),))
