"""Lists the children of an execution: run by run, the latest first, and in each by the ids of the parent's commands.

A command's record names its children, also those that the parent has left or that a resume has replaced. So a page
reads records of the parent, and the children that these name. Its cost does not grow with the number of either.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace

from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.family import is_child_of
from stepfast.engine.listing import fits
from stepfast.engine.ports import Page, Query, Store
from stepfast.engine.record_reader import RecordPage, RecordQuery
from stepfast.errors import ExecutionNotFound
from stepfast.model import Execution
from stepfast.records import dataclass

RECORD_PAGES_READ = 5
"""How often a page goes back to the records, where few of them match."""


@dataclass(frozen=True, slots=True)
class _Position:
    """Behind which record of which run a page begins. run: None stands for the current one."""

    run: int | None = None
    after: str = ""


async def children_page(store: Store, query: Query) -> Page:
    """The children of query.parent that its filters take; ExecutionNotFound, and InvalidRequest for a foreign cursor.

    The children of one command stay together, so that a page may have a few more than the limit.
    """
    assert query.parent is not None
    position: _Position | None = _position(query.cursor)
    current = next(iter(await store.read_many([query.parent])), None)
    if current is None:
        raise ExecutionNotFound(f"no execution has the id {query.parent!r}, so no children of it are known")
    shown: list[Execution] = []
    room = query.bytes
    for _ in range(RECORD_PAGES_READ):
        if position is None or len(shown) >= query.limit:
            break
        run = await _run(store, current, position.run)
        if run is None:
            return Page(tuple(shown), None)
        after = position.after if position.run in (None, run.run) else ""
        wanted = RecordQuery(kind="child", limit=query.limit - len(shown), after=after, largest=0)
        page = await store.reader.page(run, wanted)
        by_record = await _children(store, run, page, query)
        if query.values:
            by_record = await _whole(store, by_record, room, at_least=not shown)
        children = [child for some in by_record for child in some]
        shown += children
        room -= sum(map(_size, children))
        if len(by_record) < len(page.records):
            position = await _behind(store, run, replace(wanted, limit=len(by_record)))
            break
        position = _following(run, page)
    return Page(tuple(shown), None if position is None else _cursor(position))


async def _behind(store: Store, run: Execution, query: RecordQuery) -> _Position | None:
    """The position behind the last record of a query. Only its page tells it."""
    if query.limit == 0:
        return _Position(run.run, query.after)
    return _following(run, await store.reader.page(run, query))


def _following(run: Execution, page: RecordPage) -> _Position | None:
    if page.next is not None:
        return _Position(run.run, page.next)
    return _Position(run.run - 1) if run.run > 1 else None


async def _run(store: Store, current: Execution, run: int | None) -> Execution | None:
    """This run of the parent, or the next earlier one that is kept."""
    if run is None or run == current.run:
        return current
    return next(iter(await store.runs(current.execution_id, 1, run + 1)), None)


async def _children(store: Store, run: Execution, page: RecordPage, query: Query) -> list[list[Execution]]:
    """The matching children of each record, without their values."""
    ids = list(dict.fromkeys(id for record in page.records for id in record.children))
    held = {child.execution_id: child for child in await store.read_many(ids)} if ids else {}
    return [
        [
            held[id]
            for id in record.children
            if id in held and is_child_of(held[id], run.execution_id, record.id) and _takes(query, held[id], run)
        ]
        for record in page.records
    ]


def _takes(query: Query, child: Execution, run: Execution) -> bool:
    of_run = child.link is not None and child.link.run == run.run
    return (
        of_run
        and child.execution_id.startswith(query.prefix)
        and query.contains in child.execution_id
        and fits(query, child)
    )


async def _whole(store: Store, by_record: list[list[Execution]], room: int, *, at_least: bool) -> list[list[Execution]]:
    """The same with their values, of as many records from the first on as there is room for.

    at_least: there is room for the first children in any case.
    """
    whole: list[list[Execution]] = []
    for brief in by_record:
        some = [child for held in brief if (child := await store.read(held.execution_id)) is not None]
        room -= sum(map(_size, some))
        if room < 0 and some and not at_least:
            return whole
        at_least = at_least and not some
        whole.append(some)
    return whole


def _size(execution: Execution) -> int:
    return len(execution.input.encode()) + len((execution.result or "").encode())


def _cursor(position: _Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(["children", position.run, position.after]).encode()).decode()


def _position(cursor: str | None) -> _Position:
    if cursor is None:
        return _Position()
    try:
        kind, run, after = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        after.encode()  # a lone surrogate is JSON, but no text that a store takes
        if kind == "children" and type(run) is int and 0 < run < 1 << 31 and "\0" not in after:
            return _Position(run, after)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise foreign_cursor()
