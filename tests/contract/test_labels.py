"""Lists of executions by labels and by a part of their ids, in both homes (rule *labels*)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.listing import fits
from stepfast.engine.ports import End, Query
from stepfast.model import Execution, Failure
from stepfast.shown import ShownState, mark_of
from tests.contract.conftest import Embedded

FAILURE = Failure("ValueError", "no", "work")


@pytest.fixture(scope="module", params=["sqlite", "dynamodb by the listing", "dynamodb by the index"])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """40 executions, some of them FAILED or SUCCEEDED; on AWS before the labels' index is complete, and after.

    All tests share them, since they take seconds to write. A test that changes some has them for itself: e01 to e05.
    """
    if request.param == "sqlite":
        embedded = Embedded(tmp_path_factory.mktemp("labels") / "contract.db")
        yield filled(embedded)
        embedded.ports.close()
        return
    from moto import mock_aws  # here, so that runs of SQLite alone do not wait for it

    from tests.backends.cloud import Cloud

    with mock_aws():
        cloud = Cloud()
        if request.param == "dynamodb by the index":
            cloud.index_labels()
        yield filled(cloud)


def filled(backend: Any) -> Any:
    for number in range(40):
        labels = {"parity": str(number % 2), "team": "abc"[number % 3], "one": str(number)}
        made = Execution(f"e{number:02}", f"w{number % 4}", "1", 1000.0 + number // 2, labels=labels)
        backend.run(backend.store.create(made))
        if number % 5 == 0:
            backend.run(backend.store.finish(End(replace(made, status="FAILED", error=FAILURE, ended_at=2000.0))))
        if number % 7 == 0 and number % 5:
            backend.run(backend.store.finish(End(replace(made, status="SUCCEEDED", result="1", ended_at=2000.0))))
    backend.run(backend.store.create(Execution("plain", "w0", "1", 1005.0)))
    return backend


def pages(backend: Any, query: Query) -> list[list[str]]:
    found: list[list[str]] = []
    while True:
        page = backend.run(backend.store.page(query))
        found.append([each.execution_id for each in page.executions])
        if page.next is None:
            return found
        query = replace(query, cursor=page.next)


def ids(backend: Any, query: Query) -> list[str]:
    return [id for page in pages(backend, query) for id in page]


@pytest.mark.parametrize(
    "query",
    [
        Query(labels={"parity": "1"}),
        Query(labels={"parity": "1"}, limit=3),
        Query(labels={"parity": "0", "team": "b"}, limit=2),
        Query(labels={"parity": "0", "team": "b"}, status="FAILED"),
        Query(labels={"parity": "0"}, status="RUNNING", limit=4),
        Query(labels={"team": "a"}, status="SUCCEEDED", limit=1),
        Query(labels={"team": "a"}, workflow="w3", values=False),
        Query(labels={"team": "c"}, patterns=("w1", "w2*"), limit=5),
        Query(labels={"team": "c"}, since=1003.0, until=1015.0, roots=True),
        Query(labels={"one": "17"}),
        Query(labels={"one": "17", "team": "a"}),
        Query(labels={"nothing": "1"}),
        Query(labels={"team": "b"}, prefix="e1"),
        Query(labels={"team": "b"}, contains="3", limit=2),
        Query(contains="e1"),
        Query(contains="7", limit=1),
        Query(contains="9", status="FAILED"),
        Query(contains="x"),
        Query(contains="lai"),
    ],
)
def test_pages_hold_what_the_query_takes_newest_first_and_once(many: Any, query: Query) -> None:
    everything = many.run(many.store.page(Query(limit=1000))).executions
    expected = [
        each.execution_id
        for each in everything
        if fits(query, each) and each.execution_id.startswith(query.prefix) and query.contains in each.execution_id
    ]
    assert ids(many, query) == expected


def test_a_page_looks_at_so_many_ids_for_a_part_of_them_and_the_next_goes_on(
    many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.backends.sqlite.listing.SCANNED", 10)
    monkeypatch.setattr("stepfast.backends.dynamodb.listing.FILTERED", 2)
    found = pages(many, Query(contains="00"))
    assert [id for page in found for id in page] == ["e00"]
    assert len(found) > 1


def shown(calls: int, labels: Mapping[str, str]) -> ShownState:
    return ShownState(mark_of(1, 0, calls), None, labels, {})


def test_labels_that_code_changes_are_found_and_those_before_are_not(many: Any) -> None:
    one = many.run(many.store.read("e01"))
    assert many.run(many.store.show(one, shown(1, {"team": "new", "parity": "1"})))
    assert ids(many, Query(labels={"team": "new"})) == ["e01"]
    assert "e01" not in ids(many, Query(labels={"team": "b"}))
    assert ids(many, Query(labels={"one": "1"})) == []
    again = many.run(many.store.read("e01"))
    assert not many.run(many.store.show(again, shown(1, {"team": "late"})))
    assert ids(many, Query(labels={"team": "late"})) == []
    ended = replace(again, status="SUCCEEDED", result="1", ended_at=3000.0)
    assert many.run(many.store.finish(End(ended, shown=shown(2, {"team": "b"}))))
    assert "e01" in ids(many, Query(labels={"team": "b"}))
    assert ids(many, Query(labels={"team": "new"})) == []


def test_a_deleted_one_is_found_by_no_label(many: Any) -> None:
    failed = many.run(many.store.read("e05"))
    assert many.run(many.store.erase(failed))
    assert ids(many, Query(labels={"one": "5"})) == []
    anew = replace(failed, status="RUNNING", error=None, ended_at=None, labels={"one": "new"}, created_at=1100.0)
    anew = replace(anew, generation=1, first_generation=1)
    assert many.run(many.store.create(anew)) is anew
    assert ids(many, Query(labels={"one": "new"})) == ["e05"]


def test_a_start_that_is_repeated_with_other_labels_leaves_no_trace(many: Any) -> None:
    held = many.run(many.store.read("e03"))
    again = replace(held, labels={"one": "other"})
    assert many.run(many.store.create(again)) == held
    assert ids(many, Query(labels={"one": "other"})) == []
