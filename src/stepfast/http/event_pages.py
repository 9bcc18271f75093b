"""Pages of a history: which events a page holds, and where the next page begins. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from stepfast.engine.arguments import foreign_cursor
from stepfast.http import values
from stepfast.http.paging import MOST_VALUES
from stepfast.model import Event
from stepfast.stored_text import StoredText

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
    return [_read(event) for event in shown], str(end) if end < len(events) else None


def _fitting(events: list[Event]) -> list[Event]:
    total = 0
    for index, event in enumerate(events):
        stored = (value for value in event.details.values() if isinstance(value, StoredText))
        total += sum(values.size_of(text) or values.UNKNOWN_BYTES for text in stored)
        total += len(json.dumps(dict(event.details), default=str))
        if index and total > MOST_VALUES:
            return events[:index]
    return events


def _without_large(event: Event, largest: int | None) -> Event:
    if largest is None:
        return event
    sizes = {name: _size_of(event.details[name]) for name in VALUES if name in event.details}
    omitted = {name: size for name, size in sizes.items() if (values.UNKNOWN_BYTES if size is None else size) > largest}
    if not omitted:
        return event
    return replace(event, details={**event.details, **dict.fromkeys(omitted), "omitted": omitted})


def _size_of(value: object) -> int | None:
    return values.size_of(value if isinstance(value, StoredText) else json.dumps(value))


def _read(event: Event) -> Event:
    """The event with its values: those that are stored apart are read now."""
    stored = {name: value for name, value in event.details.items() if isinstance(value, StoredText)}
    if not stored:
        return event
    return replace(event, details={**event.details, **{name: json.loads(text.read()) for name, text in stored.items()}})


def _place(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit():
        return int(cursor)
    raise foreign_cursor()
