"""The write of a fork, and what its readers find, in both homes (rule *fork*)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.ports import Commit, End
from stepfast.engine.record_reader import RecordQuery
from stepfast.errors import ExecutionConflict, ExecutionDeleted
from stepfast.model import Execution, Link, OrderEntry, Record, Signal
from stepfast.standing import ForkedFrom

FROM = ForkedFrom("origin", 1, 0, ("last",), 1000.0, "ann", "a try", "digest", 900.0, (("origin", 3),))
FORK = Execution("fork", "w", "1", 1000.0, labels={"kind": "test"}, forked=FROM)
MANY = 250


def record(number: int, **more: Any) -> Record:
    return Record(f"s#{number}", "step", "s", "SUCCEEDED", 0, input="{}", output=str(number), ended_at=1.0, **more)


RECORDS = [record(number) for number in range(MANY)]
COPY = ForkCopy(FORK, RECORDS, ("s#1", "s#0"), (Signal("one", "go", "5", 950.0, 1),))


@pytest.fixture
def store(backend: Any) -> Any:
    assert backend.run(backend.store.fork(COPY)) is FORK
    return backend.store


def test_all_of_it_is_loaded(backend: Any, store: Any) -> None:
    snapshot = backend.run(store.load("fork"))
    assert snapshot.execution == FORK
    assert {id: each.output for id, each in snapshot.records.items()} == {each.id: each.output for each in RECORDS}
    assert snapshot.cursor.applied == ("s#1", "s#0")
    assert [signal.signal_id for signal in snapshot.signals] == ["one"]
    assert backend.run(store.read_many(["fork"]))[0].forked == FROM


def test_an_id_is_given_once(backend: Any, store: Any) -> None:
    other = replace(FORK, forked=replace(FROM, request="other"))
    assert backend.run(store.fork(ForkCopy(other, [record(999)]))) == FORK
    assert "s#999" not in backend.run(store.load("fork")).records


def test_records_are_paged_with_those_that_are_written_later(backend: Any, store: Any) -> None:
    new = Record("s#0a", "step", "s", "SUCCEEDED", 0, output="7")
    assert backend.run(store.commit("fork", Commit(new, wake=False)))
    ids: list[str] = []
    after = ""
    while True:
        page = backend.run(store.reader.page(FORK, RecordQuery(limit=60, after=after)))
        ids += [each.id for each in page.records]
        if page.next is None:
            break
        after = page.next
    assert ids == sorted([*(each.id for each in RECORDS), "s#0a"])
    named = backend.run(store.reader.named(FORK, ["s#3", "s#0a", "s#none"]))
    assert {id: each.output for id, each in named.items()} == {"s#3": "3", "s#0a": "7"}
    assert backend.run(store.reader.is_longer("fork", MANY))
    assert not backend.run(store.reader.is_longer("fork", MANY + 1))
    assert backend.run(store.peek("fork", "s#3"))[1].output == "3"


def test_a_record_that_was_taken_over_is_opened_once(backend: Any, store: Any) -> None:
    failed = replace(FORK, status="FAILED", ended_at=1001.0)
    assert backend.run(store.finish(End(failed)))
    held = backend.run(store.load("fork")).records["s#3"]
    opened = Record("s#3", "step", "s", "OPEN", 1, revision=held.revision + 1)
    resumed = replace(FORK, generation=1, resumed_at=1002.0)
    cut = OrderEntry(1, 1, cut=2)
    assert backend.run(store.rewind(resumed, cut, [opened], []))
    assert not backend.run(store.rewind(resumed, cut, [opened], []))
    snapshot = backend.run(store.load("fork"))
    assert snapshot.records["s#3"].status == "OPEN"
    assert len(snapshot.records) == MANY
    query = RecordQuery(statuses=frozenset({"SUCCEEDED"}), limit=1000)
    assert len(backend.run(store.reader.page(resumed, query)).records) == MANY - 1
    query = RecordQuery(statuses=frozenset({"OPEN"}), limit=1000)
    assert [each.id for each in backend.run(store.reader.page(resumed, query)).records] == ["s#3"]


def test_a_fork_under_the_id_of_a_deleted_one_begins_above_it(backend: Any, store: Any) -> None:
    ended = replace(FORK, status="SUCCEEDED", ended_at=1001.0)
    assert backend.run(store.finish(End(ended)))
    assert backend.run(store.erase(ended))
    assert backend.run(store.load("fork")) is None
    with pytest.raises(ExecutionDeleted):
        backend.run(store.fork(COPY))
    above = replace(FORK, generation=1, first_generation=1)
    copy = ForkCopy(above, [replace(record(1), generation=1)])
    assert backend.run(store.fork(copy)) is above
    assert list(backend.run(store.load("fork")).records) == ["s#1"]


def test_the_copy_of_a_child_needs_its_id(backend: Any) -> None:
    link = Link("fork", "child:w", 0, "fork")
    child = Execution("kid", "w", "1", 900.0, status="SUCCEEDED", result="5", ended_at=950.0, link=link, forked=FROM)
    backend.run(backend.store.create(Execution("kid", "other", "1", 900.0)))
    fork = ForkCopy(FORK, [record(1)])
    with pytest.raises(ExecutionConflict, match="kid"):
        backend.run(backend.store.fork(fork, [ForkCopy(child, [record(2)])]))
    assert backend.run(backend.store.read("fork")) is None
    free = replace(child, execution_id="kid2")
    assert backend.run(backend.store.fork(fork, [ForkCopy(free, [record(2)])])) is FORK
    assert backend.run(backend.store.load("kid2")).records["s#2"].output == "2"
