"""Answers about long executions, from a part of their records: the same cost whatever their length."""

from __future__ import annotations

import base64
import json

from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.outline import Outline
from stepfast.engine.record_reader import RecordQuery
from stepfast.http import etag, timeline
from stepfast.http.engine import ApiEngine
from stepfast.http.models import CommandView
from stepfast.model import Cursor, Execution, Record, Snapshot
from stepfast.records import dataclass

FEW = 1000
"""Records up to which an execution is replayed for any look at it."""
MANY = 10_000
"""Records up to which it is replayed for a page of its commands, unless the caller wants a quick answer."""
FIRST_PAGE_COMMANDS = 100
"""Commands of the first page of an execution with more than FEW."""
LARGEST = 16_000
"""Bytes of the largest value of a notable command that is shown."""


@dataclass(frozen=True, slots=True)
class Part:
    """A page of commands by their ids; see http/page_models.py::CommandList."""

    outline: Outline
    commands: list[CommandView]
    notable: list[CommandView]
    next: str | None
    tag: str

    @property
    def overdue(self) -> int:
        return sum(
            command.overdue for command in {shown.id: shown for shown in [*self.commands, *self.notable]}.values()
        )


def part_of(
    engine: ApiEngine, execution: Execution, query: RecordQuery, now: float, *asked: object, only: str | None = None
) -> Part:
    """A part of an execution. only: the id of the one command wanted. asked: what else changes the answer."""
    operations = engine.operations
    if only is None:
        outline = engine.call(operations.outline(execution, query))
    else:
        outline = engine.call(operations.outline_of_one(execution, only))
    records, notable = outline.page.records, outline.notable
    following = None if outline.page.next is None else cursor_of(outline.page.next)
    held = Snapshot(execution, Cursor(), {record.id: record for record in (*notable, *records)})
    late = timeline.overdue_in(held, now)
    tag = etag.tag_of(held, engine.edition, "part", query, only, asked, late, following)

    def views(shown: tuple[Record, ...], largest: int | None) -> list[CommandView]:
        entries = timeline.of_records(execution, shown)
        return timeline.views_of(entries, execution, engine.registry, largest, now)

    first = views(notable, LARGEST if query.largest is None else min(query.largest, LARGEST))
    return Part(outline, views(records, query.largest), first, following, tag)


def cursor_of(position: str) -> str:
    """The cursor of a page by ids."""
    return base64.urlsafe_b64encode(json.dumps({"after": position}).encode()).decode()


def position_in(cursor: str | None) -> str | None:
    """The position that a cursor of a page by ids names; None for any other cursor. InvalidRequest for a broken one."""
    if cursor is None:
        return None
    try:
        held = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict):
        return None
    after = held.get("after")
    if not isinstance(after, str) or not after or "\0" in after or not _is_unicode(after):
        raise foreign_cursor()
    return after


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can encode it: JSON may hold half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
