"""Deletion, in both homes: all of an execution is gone, and nothing that is left of it acts on a later one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.metrics import Tally
from stepfast.engine.ports import Commit, End, Query
from stepfast.errors import ExecutionDeleted, ExecutionNotFound
from stepfast.model import Cursor, Event, Execution, ExecutionStatus, Failure, OrderEntry, Record, Signal

LARGE = '"' + "x" * 300_000 + '"'
ONE = Execution("one", "w", LARGE, 1000.0, labels={"team": "finance"})
STEP = Record("pay", "step", "pay", "RUNNING", 0, token="t", lease=1300.0, started_at=1000.0, input='{"n":1}')
DONE = replace(STEP, revision=2, status="SUCCEEDED", output=LARGE, lease=None, ended_at=1001.0)
ENTRY = OrderEntry(0, 0, ("pay",), ("other",))
ENDS: dict[ExecutionStatus, Execution] = {
    "SUCCEEDED": replace(ONE, status="SUCCEEDED", result=LARGE, ended_at=1002.0),
    "FAILED": replace(ONE, status="FAILED", error=Failure("E", "down", "pay"), causes=("pay",), ended_at=1002.0),
    "CANCELLED": replace(ONE, status="CANCELLED", ended_at=1002.0),
}
ANEW = replace(ONE, generation=1, first_generation=1, input="2", created_at=1010.0, labels={})


def filled(backend: Any, end: Execution) -> Execution:
    """An execution with everything that executions have, at this end; returns how it stands."""
    store = backend.store
    for write in (store.create(ONE), store.commit("one", Commit(STEP, wake=False)), store.append("one", ENTRY)):
        assert backend.run(write)
    assert backend.run(store.commit("one", Commit(DONE, wake=False)))
    assert backend.run(store.add_signal("one", Signal("s", "go", LARGE, 1001.0)))
    assert backend.run(store.finish(End(ENDS["FAILED"])))
    assert backend.run(
        store.rewind(replace(ONE, generation=1), OrderEntry(1, 1, cut=0), [], [Event(1.0, "execution-resumed")])
    )
    ended = replace(end, generation=1)
    if end.status == "CANCELLED":
        assert backend.run(store.cancel(End(ended, {"CANCELLED": Tally(1)}), [], 2))
    else:
        assert backend.run(store.finish(End(ended, {end.status: Tally(1)})))
    return ended


def gone(backend: Any) -> bool:
    """True where nobody sees anything of the execution."""
    store = backend.store
    seen = (
        backend.run(store.read("one")),
        backend.run(store.load("one")),
        backend.run(store.peek("one", "pay")),
        *backend.run(store.read_many(["one"])),
        *backend.run(store.history("one")),
        *backend.run(store.page(Query())).executions,
        *backend.run(store.page(Query(labels={"team": "finance"}))).executions,
        *backend.run(store.faults(None, 10))[0],
        *backend.run(store.idle(10))[0],
    )
    return not any(seen)


@pytest.mark.parametrize("status", ENDS)
def test_an_execution_is_deleted_with_all_that_is_of_it(backend: Any, status: ExecutionStatus) -> None:
    ended = filled(backend, ENDS[status])
    assert backend.run(backend.store.erase(ended))
    assert gone(backend)


def test_what_its_figures_have_counted_stays(backend: Any) -> None:
    ended = filled(backend, ENDS["SUCCEEDED"])
    assert backend.run(backend.store.erase(ended))
    assert backend.run(backend.store.figures("w", 0, 1)) == {0: {"SUCCEEDED": Tally(1)}}


def test_an_execution_that_runs_is_not_deleted(backend: Any) -> None:
    assert backend.run(backend.store.create(ONE))
    assert not backend.run(backend.store.erase(ONE))
    assert not backend.run(backend.store.erase(ENDS["FAILED"]))
    assert backend.run(backend.store.read("one")) == ONE


def test_an_execution_that_was_resumed_meanwhile_is_not_deleted(backend: Any) -> None:
    ended = filled(backend, ENDS["FAILED"])
    resumed = replace(ONE, generation=2)
    assert backend.run(backend.store.rewind(resumed, OrderEntry(2, 2, cut=0), [], []))
    assert not backend.run(backend.store.erase(ended))
    assert backend.run(backend.store.read("one")) == resumed


def test_of_two_deletions_one_does_it(backend: Any) -> None:
    ended = filled(backend, ENDS["FAILED"])
    done = backend.run_all(*[lambda: backend.store.erase(ended)] * 4)
    assert sorted(done) == [False, False, False, True]


def test_another_execution_keeps_what_is_equal(backend: Any) -> None:
    """Both have the same large input."""
    ended = filled(backend, ENDS["SUCCEEDED"])
    other = replace(ONE, execution_id="one-more")
    assert backend.run(backend.store.create(other)) is other
    assert backend.run(backend.store.erase(ended))
    assert backend.run(backend.store.read("one-more")) == other
    assert [one.execution_id for one in backend.run(backend.store.page(Query())).executions] == ["one-more"]


# -- the id, started anew ----------------------------------------------------------------------------------


def deleted(backend: Any) -> None:
    assert backend.run(backend.store.erase(filled(backend, ENDS["CANCELLED"])))


def started_anew(backend: Any) -> Execution:
    deleted(backend)
    with pytest.raises(ExecutionDeleted) as told:
        backend.run(backend.store.create(replace(ONE, input="2")))
    assert told.value.generation == 1
    first = told.value.generation + 1
    anew = replace(ANEW, generation=first, first_generation=first)
    backend.woken.clear()
    assert backend.run(backend.store.create(anew)) is anew
    return anew  # type: ignore[no-any-return]


def test_its_id_is_free_for_a_later_generation(backend: Any) -> None:
    anew = started_anew(backend)
    assert backend.woken == ["one"]
    assert backend.run(backend.store.read("one")) == anew
    found = backend.run(backend.store.load("one"))
    assert (found.execution, found.records, found.signals, found.cursor) == (anew, {}, (), Cursor())
    assert backend.run(backend.store.history("one")) == []
    assert backend.run(backend.store.create(replace(anew, input="3"))) == anew


def test_it_can_be_deleted_again_and_again(backend: Any) -> None:
    anew = started_anew(backend)
    ended = replace(anew, status="SUCCEEDED", result="1", ended_at=1012.0)
    assert backend.run(backend.store.finish(End(ended)))
    assert backend.run(backend.store.erase(ended))
    assert gone(backend)
    with pytest.raises(ExecutionDeleted) as told:
        backend.run(backend.store.create(anew))
    assert told.value.generation == anew.generation


WRITES = {
    "a claim": lambda store: store.commit("one", Commit(replace(STEP, id="late"), wake=True)),
    "an outcome": lambda store: store.commit("one", Commit(replace(DONE, revision=3), wake=True)),
    "an order": lambda store: store.append("one", replace(ENTRY, number=1)),
    "a first order": lambda store: store.append("one", ENTRY),
    "an end": lambda store: store.finish(End(replace(ENDS["SUCCEEDED"], generation=1))),
    "a cancel": lambda store: store.cancel(End(replace(ENDS["CANCELLED"], generation=1)), [], 1),
    "a resume": lambda store: store.rewind(replace(ONE, generation=2), OrderEntry(9, 2, cut=0), [], []),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_still_worked_for_it_brings_nothing_of_it_back(backend: Any, write: Any) -> None:
    deleted(backend)
    backend.run(write(backend.store))
    assert gone(backend)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_still_worked_for_it_does_not_act_on_its_successor(backend: Any, write: Any) -> None:
    anew = started_anew(backend)
    backend.run(write(backend.store))
    found = backend.run(backend.store.load("one"))
    assert (found.execution, found.records, found.cursor) == (anew, {}, Cursor())


def test_a_worker_of_it_does_not_record_into_its_successor(backend: Any) -> None:
    """The records of both have the same ids and revisions."""
    anew = started_anew(backend)
    mine = replace(STEP, generation=anew.generation, token="mine")
    assert backend.run(backend.store.commit("one", Commit(mine, wake=False)))
    assert backend.run(backend.store.append("one", replace(ENTRY, generation=anew.generation)))
    assert not backend.run(backend.store.commit("one", Commit(DONE, wake=True)))
    backend.run(backend.store.append("one", replace(ENTRY, number=1)))  # it is nobody's, if it is written
    assert backend.run(backend.store.load("one")).cursor.revision == 1
    assert backend.run(backend.store.append("one", replace(ENTRY, number=1, generation=anew.generation)))
    found = backend.run(backend.store.load("one"))
    assert found.records == {"pay": mine}
    assert found.cursor.generation == anew.generation


def test_a_claim_for_it_that_came_late_does_not_stop_its_successor(backend: Any) -> None:
    anew = started_anew(backend)
    backend.run(backend.store.commit("one", Commit(STEP, wake=False)))
    assert backend.run(backend.store.peek("one", "pay")) == (anew, None)
    mine = replace(STEP, generation=anew.generation, token="mine")
    assert backend.run(backend.store.commit("one", Commit(mine, wake=False)))
    assert backend.run(backend.store.peek("one", "pay")) == (anew, mine)


def test_a_signal_for_what_is_deleted_is_seen_by_nobody(backend: Any) -> None:
    deleted(backend)
    try:
        backend.run(backend.store.add_signal("one", Signal("late", "go", "1", 1005.0)))
    except ExecutionNotFound:
        pass
    assert gone(backend)
