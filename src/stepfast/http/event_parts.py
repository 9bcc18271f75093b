"""The history of a very long execution: command by command, each page at a cost that does not grow with the length.

First come the events of the commands, by the ids of these, then all others. A cursor names a position in the one or in
the other part.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.record_reader import RecordQuery
from stepfast.http import event_pages, parts
from stepfast.http.engine import ApiEngine
from stepfast.model import Event

EVENTS_OF_A_COMMAND = 2
"""Its start and its end; more where it was tried again."""


def is_by_command(engine: ApiEngine, execution_id: str, limit: int | None, cursor: str | None) -> bool:
    """Whether a page of the history comes command by command."""
    if cursor is not None:
        return _place(cursor) is not None
    return limit is not None and engine.call(engine.operations.is_longer(execution_id, parts.MANY))


def page(
    engine: ApiEngine, execution_id: str, limit: int | None, cursor: str | None, largest: int | None
) -> tuple[Sequence[Event], str | None]:
    """Events, and the cursor of the next page or None. InvalidRequest for a cursor that no page gave.

    The events of a command stay together, so that a page may have a few more than the limit.
    """
    limit = limit or event_pages.MAX_EVENTS
    place = "" if cursor is None else _place(cursor)
    if isinstance(place, int):
        others = engine.call(engine.operations.other_events(execution_id))
        events, following = event_pages.page(others, limit, str(place), largest)
        return events, None if following is None else _cursor(int(following))
    query = RecordQuery(limit=max(1, limit // EVENTS_OF_A_COMMAND), after=place or "", largest=largest)
    events, position = engine.call(engine.operations.events_of_records(execution_id, query))
    shown, _ = event_pages.page(events, None, None, largest)
    return shown, _cursor(0 if position is None else position)


def _cursor(place: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"of": place}).encode()).decode()


def _place(cursor: str) -> str | int | None:
    """A position among the commands, a number of other events, or None for another kind of cursor."""
    if cursor.isascii() and cursor.isdigit():
        return None
    try:
        held = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        place = held["of"]
        if isinstance(place, str) and place and "\0" not in place and place.encode():
            return place
        if type(place) is int and place >= 0:
            return place
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise foreign_cursor()
