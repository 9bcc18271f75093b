"""Pages of executions as a limited key sees them, in both homes: full pages of what the key is for, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.ports import Query
from stepfast.model import Execution

NAMES = ("report-a", "salary", "report-b", "report", "Report-c", "reportx")


@pytest.fixture
def many(backend: Any) -> Any:
    for number in range(24):
        labels = {"team": "billing" if number % 2 else "payroll"}
        made = Execution(f"e{number:02}", NAMES[number % 6], "1", 1000.0 + number, labels=labels)
        backend.run(backend.store.create(made))
    return backend


def pages(backend: Any, query: Query) -> list[list[str]]:
    shown = [backend.run(backend.store.page(query))]
    while (cursor := shown[-1].next) is not None:
        shown.append(backend.run(backend.store.page(replace(query, cursor=cursor))))
    return [[found.workflow for found in page.executions] for page in shown]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("report-*",), {"report-a", "report-b"}),
        (("report",), {"report"}),
        (("report*",), {"report-a", "report-b", "report", "reportx"}),
        (("salary", "report-a"), {"salary", "report-a"}),
        (("none", "none-*"), set()),
        ((), set(NAMES)),
    ],
)
@pytest.mark.parametrize("values", [True, False])
def test_a_page_has_only_workflows_that_the_patterns_name(
    many: Any, patterns: tuple[str, ...], expected: set[str], values: bool
) -> None:
    found = pages(many, Query(patterns=patterns, values=values))
    assert {name for page in found for name in page} == expected
    assert sum(map(len, found)) == 4 * len(expected)


def test_pages_are_full_and_end(many: Any) -> None:
    query = Query(patterns=("report-*",), limit=3)
    found = pages(many, query)
    assert [len(page) for page in found if page] == [3, 3, 2]


def test_patterns_and_the_other_filters_all_hold(many: Any) -> None:
    query = Query(patterns=("report-*",), workflow="report-a", labels={"team": "payroll"})
    assert [name for page in pages(many, query) for name in page] == ["report-a"] * 4
    assert not any(pages(many, replace(query, workflow="salary")))
    assert not any(pages(many, replace(query, labels={"team": "billing"})))
