"""Counts the executions that match a query, page by page up to a bound; the same on SQLite and on AWS."""

from __future__ import annotations

from dataclasses import replace

from stepfast.engine.operations import Operations
from stepfast.engine.ports import Query

MAX_COUNT = 10_000
"""The count stops here."""
PAGE_SIZE = 1000
MAX_PAGES = 20
"""Pages read per count: on AWS a page may be short or empty where few executions match."""


async def count(operations: Operations, query: Query) -> tuple[int, bool]:
    """The number of matches from the first page on, and whether it is complete."""
    query = replace(query, limit=PAGE_SIZE, cursor=None, values=False)
    total = 0
    for _ in range(MAX_PAGES):
        page = await operations.page(query)
        total += len(page.executions)
        if page.next is None:
            return total, True
        if total >= MAX_COUNT:
            break
        query = replace(query, cursor=page.next)
    return total, False
