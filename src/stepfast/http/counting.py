"""How many executions match a query, counted by the page up to a bound; alike in both homes."""

from __future__ import annotations

from dataclasses import replace

from stepfast.engine.operations import Operations
from stepfast.engine.ports import Query

MAX_COUNT = 10_000
"""Executions that are counted at the most."""
PAGE_SIZE = 1000
MAX_PAGES = 20
"""Pages that are read at the most: on AWS a page may be short, or empty, where few match."""


async def count(operations: Operations, query: Query) -> tuple[int, bool]:
    """How many match, wherever the query's own page begins, and whether these are all."""
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
