"""Parts of an execution, read in both homes: by ranges of keys, and never more than was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.outline import outline_of
from stepfast.engine.ports import Commit, End
from stepfast.engine.record_reader import RecordQuery
from stepfast.model import Chained, Execution, OrderEntry, Record
from stepfast.stored_text import StoredText, text_of
from tests.contract.test_store_contract import ONE

NAMES = ["a/b#2", "fetch", "fetch#10", "fetch#2", "straße", "signal:go", ":timer", "x" * 900]


def done(id: str, **more: Any) -> Record:
    name = id.rpartition("/")[2].partition("#")[0]
    return replace(Record(id, "step", name, "SUCCEEDED", 0, attempt=1, input="{}", output="1", ended_at=2.0), **more)


@pytest.fixture
def put(backend: Any) -> Any:
    backend.run(backend.store.create(ONE))

    def put(*records: Record) -> None:
        for record in records:
            assert backend.run(backend.store.commit("one", Commit(record, wake=False)))

    return put


def pages(backend: Any, query: RecordQuery, execution: Execution = ONE) -> list[list[str]]:
    found = [backend.run(backend.store.reader.page(execution, query))]
    while (following := found[-1].next) is not None:
        found.append(backend.run(backend.store.reader.page(execution, replace(query, after=following))))
    return [[record.id for record in page.records] for page in found]


def test_pages_are_by_the_bytes_of_the_ids(backend: Any, put: Any) -> None:
    put(*map(done, NAMES))
    expected = sorted(NAMES, key=str.encode)
    assert pages(backend, RecordQuery()) == [expected]
    assert [id for page in pages(backend, RecordQuery(limit=3)) for id in page] == expected
    assert [len(page) for page in pages(backend, RecordQuery(limit=3))] == [3, 3, 2]
    assert pages(backend, RecordQuery(after="fetch#10")) == [expected[expected.index("fetch#10") + 1 :]]
    assert pages(backend, RecordQuery(after="fetch#:")) == [expected[expected.index("fetch#2") + 1 :]]
    assert pages(backend, RecordQuery(), replace(ONE, execution_id="nobody")) == [[]]


def test_a_page_has_whole_records(backend: Any, put: Any) -> None:
    record = done("a", then=Chained("b", 9.0, 0, "d", 2.0), output='"' + "y" * 300_000 + '"', input='{"n":1}')
    put(record)
    (held,) = backend.run(backend.store.reader.page(ONE, RecordQuery())).records
    assert replace(held, then=record.then) == record
    assert isinstance(held.output, StoredText)
    assert held.output.size == 300_002
    assert text_of(held.output) == record.output
    assert backend.run(backend.store.reader.named(ONE, ["a", "none"])) == {"a": held}


def test_a_page_ends_before_its_values_are_too_many(backend: Any, put: Any) -> None:
    put(*(done(str(number), output='"' + str(number) * 700_000 + '"') for number in range(5)))
    assert [len(page) for page in pages(backend, RecordQuery())] == [2, 2, 1]
    assert [len(page) for page in pages(backend, RecordQuery(largest=1000))] == [5]


def test_records_are_found_by_status_and_name(backend: Any, put: Any) -> None:
    put(*(done(f"fetch#{number:02}") for number in range(2, 40)), done("pay"), done("zip", status="FAILED"))
    assert pages(backend, RecordQuery(frozenset({"FAILED"}))) == [["zip"]]
    assert pages(backend, RecordQuery(name="pay")) == [["pay"]]
    assert pages(backend, RecordQuery(frozenset({"FAILED", "SUCCEEDED"}), "none")) == [[]]
    found = pages(backend, RecordQuery(frozenset({"SUCCEEDED"}), "fetch", limit=15))
    assert [len(page) for page in found] == [15, 15, 8]


def test_a_page_looks_at_so_many_records_and_no_more(backend: Any, put: Any) -> None:
    put(*(done(f"fetch#{number:02}") for number in range(15)), done("zip", status="FAILED"))
    assert pages(backend, RecordQuery(frozenset({"FAILED"}), reads=10)) == [[], ["zip"]]


@pytest.mark.parametrize(("records", "longer"), [(4, True), (5, False), (6, False)])
def test_whether_there_are_more_records_than_a_number(backend: Any, put: Any, records: int, longer: bool) -> None:
    put(*map(done, "abcde"))
    assert backend.run(backend.store.reader.is_longer("one", records)) is longer
    assert backend.run(backend.store.reader.is_longer("nobody", records)) is False


def test_the_last_entries_come_newest_first(backend: Any, put: Any) -> None:
    entries = [OrderEntry(number, 0, dispatched=(f"s#{number}",)) for number in range(5)]
    for entry in entries:
        assert backend.run(backend.store.append("one", entry))
    assert backend.run(backend.store.reader.last_entries("one", 2)) == [entries[4], entries[3]]
    assert len(backend.run(backend.store.reader.last_entries("one", 9))) == 5
    many = (*(f"f#{number}" for number in range(3, 5000)), "other", "g#1", "g#2")
    assert backend.run(backend.store.append("one", OrderEntry(5, 0, dispatched=many)))
    assert backend.run(backend.store.reader.last_entries("one", 1))[0].dispatched == many[-100:]
    scattered = tuple(f"{number * 7919 % 100_003:x}-" + "y" * 20 for number in range(40_000))
    assert backend.run(backend.store.append("one", OrderEntry(6, 0, dispatched=scattered)))
    assert list(backend.run(backend.store.reader.last_entries("one", 2))) == []  # it would cost too much
    assert backend.run(backend.store.append("one", OrderEntry(7, 0, dispatched=("z",))))
    assert [entry.number for entry in backend.run(backend.store.reader.last_entries("one", 9))] == [7]


def notable(backend: Any, execution: Execution = ONE) -> list[tuple[str, str, str]]:
    outline = backend.run(outline_of(backend.store.reader, execution, RecordQuery(limit=2)))
    return [(record.id, record.kind, record.status) for record in outline.notable]


def test_of_a_failed_execution_the_commands_behind_its_failure_come_first(backend: Any, put: Any) -> None:
    put(*(done(f"fetch#{number}") for number in range(2, 9)), done("fetch#9", status="FAILED"))
    failed = replace(ONE, status="FAILED", causes=("fetch#9",), ended_at=9.0)
    assert backend.run(backend.store.finish(End(failed)))
    assert notable(backend, failed) == [("fetch#9", "step", "FAILED")]
    second = backend.run(outline_of(backend.store.reader, failed, RecordQuery(limit=2, after="fetch#3")))
    assert second.notable == ()
    ended = replace(failed, status="CANCELLED")
    assert notable(backend, ended) == []


def test_of_a_wide_execution_what_the_order_asked_for_last_comes_first(backend: Any, put: Any) -> None:
    first = OrderEntry(0, 0, dispatched=("a", "b", "c", "signal:go", ":timer"))
    put(done("a"), done("b", status="RUNNING", ended_at=None, lease=9.0))
    for entry in (first, OrderEntry(1, 0, applied=("a",), dispatched=("d", "e"), withdrawn=("c",))):
        assert backend.run(backend.store.append("one", entry))
    assert notable(backend) == [
        ("b", "step", "RUNNING"),
        ("e", "step", "OPEN"),
        ("d", "step", "OPEN"),
        (":timer", "timer", "OPEN"),
        ("signal:go", "signal", "OPEN"),
    ]
    later = notable(backend, replace(ONE, generation=1))
    assert later == [("b", "step", "RUNNING")]  # what an older generation asked for does not count


@pytest.mark.parametrize("turns", [1, 2, 37])
def test_of_a_long_loop_the_last_turn_is_found_by_its_number(backend: Any, put: Any, turns: int) -> None:
    def numbered(name: str, number: int) -> str:
        return name if number == 1 else f"{name}#{number}"

    for number in range(1, turns + 1):
        put(done(numbered(":timer", number), kind="timer", name="timer"), done(numbered("poll", number)))
    ended = {(numbered(name, turns), kind, "SUCCEEDED") for name, kind in ((":timer", "timer"), ("poll", "step"))}
    assert set(notable(backend)) == ended  # it waits for a timer, which has no record before its end
    put(done(numbered(":timer", turns + 1), then=Chained(numbered("poll", turns + 1), 99.0, 0, "d", 2.0)))
    assert notable(backend) == [(numbered("poll", turns + 1), "step", "RUNNING")]
    put(done(numbered("poll", turns + 1), status="RETRYING", due=50.0, ended_at=None))
    assert notable(backend) == [(numbered("poll", turns + 1), "step", "RETRYING")]
