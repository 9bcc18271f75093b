"""The earlier runs of an execution that continues as new, page by page from a server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from stepfast.client import Execution

PAGE_RUNS = 100


def earlier_runs(execution: Execution[Any], current: int, most: int | None = None) -> Iterator[dict[str, Any]]:
    """Summaries of the runs before the current one that are kept, the latest first; all or at most so many."""
    return islice(_all(execution, current, PAGE_RUNS if most is None else min(PAGE_RUNS, most)), most)


def _all(execution: Execution[Any], current: int, limit: int) -> Iterator[dict[str, Any]]:
    before: int | None = current
    while before is not None and before > 1:
        page = execution.runs(limit, before)
        yield from page["runs"]
        before = page["next"]
