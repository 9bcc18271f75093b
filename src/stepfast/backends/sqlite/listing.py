"""Pages of executions, and what is known of the failed ones, from the file's indexes."""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

from stepfast.backends.sqlite import rows
from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.ports import Fault, Page, Query
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.model import Execution

_NEWEST = "ORDER BY created_at DESC, execution_id DESC"


SCANNED = 100_000
"""Ids that one page looks at for a part of them."""
FEW = ("RUNNING", "PAUSED", "FAILED", "CLOSED")
"""Statuses that few executions have for long: their index is shorter than that of most labels."""


def page(db: sqlite3.Connection, query: Query) -> Page:
    source, asked = _source(query)
    # The inner SELECT takes its ids from an index alone; only the rows of these ids are read.
    ids = f"{source} LIMIT ?"
    if query.contains:
        ids = f"SELECT execution_id FROM ({source} LIMIT {SCANNED}) WHERE instr(execution_id, ?) {_NEWEST} LIMIT ?"
        asked = (*asked, query.contains)
    else:
        ids = f"SELECT execution_id FROM ({ids})"
    asked = (*asked, query.limit + 1)
    if query.values:
        shown, more = _fitting(db, f"{rows.SELECT_BYTES} WHERE execution_id IN ({ids}) {_NEWEST}", asked, query)
    else:
        shown, more = query.limit + 1, False
    select = rows.SELECT_EXECUTION if query.values else rows.SELECT_BRIEF
    sql = f"{select} WHERE execution_id IN ({ids}) {_NEWEST} LIMIT ?"
    executions = [rows.execution(row) for row in db.execute(sql, (*asked, shown))]
    more = more or len(executions) > query.limit
    executions = executions[: query.limit]
    if not more and query.contains:
        return Page(tuple(executions), _scanned_to(db, query))
    return Page(tuple(executions), _cursor_after(executions[-1]) if more else None)


def _scanned_to(db: sqlite3.Connection, query: Query) -> str | None:
    """The cursor after the last id that was looked at; None if that was the last of all."""
    source, asked = _source(query)
    last = db.execute(f"{source} LIMIT 2 OFFSET {SCANNED - 1}", asked).fetchall()
    return _cursor_at(last[0][1], last[0][0]) if len(last) == 2 else None


def _fitting(db: sqlite3.Connection, sql: str, values: tuple[Any, ...], query: Query) -> tuple[int, bool]:
    """How many executions fit into a page, counted before any value is read, and whether there are more."""
    sizes = [size for _, size in db.execute(sql, values)]
    shown, room = 0, query.bytes
    for size in sizes[: query.limit]:
        room -= size
        if shown and room < 0:
            break
        shown += 1
    return shown, len(sizes) > shown


def faults(db: sqlite3.Connection, workflow: str | None, limit: int) -> tuple[Sequence[Fault], bool]:
    where, named = ("<> ?", JOB_WORKFLOW) if workflow is None else ("= ?", workflow)
    sql = f"{rows.SELECT_FAULT} WHERE status = 'FAILED' AND parent IS NULL AND workflow {where} {_NEWEST} LIMIT ?"
    failed = db.execute(sql, (named, limit + 1)).fetchall()
    return [rows.fault(row) for row in failed[:limit]], len(failed) <= limit


def _source(query: Query) -> tuple[str, tuple[Any, ...]]:
    """Ids and times of what the query takes but for `contains`, newest first, with the values that it asks with.

    With labels it goes along the index of the first, unless there is a status that few have.
    """
    labels = list(query.labels.items())
    by_label = bool(labels) and query.status not in FEW
    where, values = _conditions(query, labels[by_label:], "l" if by_label else "e")
    tables = "executions AS e"
    if by_label:
        # SQLite does not reorder the tables of a CROSS JOIN (sqlite.org/optoverview.html#crossjoin).
        tables = "labels AS l CROSS JOIN executions AS e ON e.execution_id = l.execution_id"
        where, values = ["l.key = ?", "l.value = ?", *where], [*labels[0], *values]
    place = "l" if by_label else "e"
    order = f"ORDER BY {place}.created_at DESC, {place}.execution_id DESC"
    columns = f"{place}.execution_id AS execution_id, {place}.created_at AS created_at"
    return f"SELECT {columns} FROM {tables} WHERE {' AND '.join(where)} {order}", tuple(values)


def _conditions(query: Query, labels: Sequence[tuple[str, str]], place: str) -> tuple[list[str], list[Any]]:
    """place: the table whose index has the executions in order."""
    where: list[str] = ["1"]
    values: list[Any] = []
    for column, value in (("workflow", query.workflow), ("status", query.status)):
        if value is not None:
            where.append(f"e.{column} = ?")
            values.append(value)
    if query.patterns:
        terms = ["substr(workflow, 1, ?) = ?" if name.endswith("*") else "workflow = ?" for name in query.patterns]
        where.append(f"({' OR '.join(terms)})")
        for name in query.patterns:
            values += [len(name) - 1, name[:-1]] if name.endswith("*") else [name]
    for key, value in labels:
        where.append(
            "EXISTS (SELECT 1 FROM labels AS o WHERE o.key = ? AND o.value = ? AND o.created_at = e.created_at "
            "AND o.execution_id = e.execution_id)"
        )
        values += [key, value]
    for comparison, at in ((">=", query.since), ("<", query.until)):
        if at is not None:
            where.append(f"{place}.created_at {comparison} ?")
            values.append(at)
    if query.roots:
        where.append("parent IS NULL")
    if query.jobs is not None:
        where.append(f"workflow {'=' if query.jobs else '<>'} ?")
        values.append(JOB_WORKFLOW)
    if query.cursor is not None:
        where.append(f"({place}.created_at, {place}.execution_id) < (?, ?)")
        values += _position(query.cursor)
    if query.prefix:
        # A unary + keeps a term from choosing the index (sqlite.org/optoverview.html). SQLite would else read all ids
        # with this prefix and sort them, where the index by time has them in order.
        where.append("+e.execution_id > ? AND +e.execution_id < ?")
        values += [query.prefix, query.prefix + chr(sys.maxunicode)]
    return where, values


def _cursor_after(execution: Execution) -> str:
    return _cursor_at(execution.created_at, execution.execution_id)


def _cursor_at(created_at: float, execution_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([created_at, execution_id]).encode()).decode()


def _position(cursor: str) -> list[Any]:
    try:
        created_at, execution_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        str(execution_id).encode()  # a lone surrogate is JSON, but no text that SQLite takes
        return [float(created_at), str(execution_id)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise foreign_cursor() from error
