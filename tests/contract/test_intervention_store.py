"""The one write of an intervention, in both homes (rules *pause*, *close*)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.messages import Message
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.pausing import Pausing
from stepfast.engine.ports import Commit, Delete, Delivery, End, Query, Refuse
from stepfast.language.registry import Registry
from stepfast.model import Event, Execution, Failure, Link, OrderEntry, Record
from stepfast.standing import Intervention

ONE = Execution("one", "w", "1", 1000.0)
BY_HAND = Intervention("pause", 1001.0, "on-call", "look first")
PAUSED = replace(ONE, status="PAUSED", intervention=BY_HAND)
FAILED = replace(ONE, status="FAILED", error=Failure("E", "down", "pay"), causes=("pay",), ended_at=1002.0)
CLOSED = replace(FAILED, status="CLOSED", intervention=Intervention("close", 1003.0))
EVENTS = [Event(1001.0, "execution-paused", None, {"why": "look first"}), Event(1004.0, "execution-unpaused")]


@pytest.fixture
def store(backend: Any) -> Any:
    backend.run(backend.store.create(ONE))
    return backend.store


def test_a_paused_one_is_read_with_who_when_and_why(backend: Any, store: Any) -> None:
    assert backend.run(store.intervene(StatusTurn(ONE, PAUSED, wake=True)))
    assert backend.run(store.read("one")) == PAUSED
    assert backend.run(store.read_many(["one"])) == [replace(PAUSED, input="")]
    assert backend.run(store.page(Query(status="PAUSED"))).executions == (PAUSED,)
    assert backend.run(store.idle(10))[0] == []


def test_of_two_interventions_on_the_same_status_one_is_written(backend: Any, store: Any) -> None:
    assert backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    other = replace(PAUSED, intervention=replace(BY_HAND, by="somebody else"))
    assert not backend.run(store.intervene(StatusTurn(ONE, other)))
    assert backend.run(store.read("one")).intervention == BY_HAND


def test_another_generation_is_left_alone(backend: Any, store: Any) -> None:
    assert not backend.run(store.intervene(StatusTurn(replace(ONE, generation=1), replace(PAUSED, generation=1))))
    assert backend.run(store.read("one")) == ONE


def test_an_unpause_has_its_entry_its_events_and_a_wake_or_nothing(backend: Any, store: Any) -> None:
    backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    backend.run(store.append("one", OrderEntry(0, 0, dispatched=("a", "b"), seal="s")))
    late = StatusTurn(PAUSED, ONE, OrderEntry(0, 0, cut=0), EVENTS, wake=True)
    assert not backend.run(store.intervene(late))
    assert (backend.run(store.read("one")), backend.run(store.history("one"))) == (PAUSED, [])
    assert backend.run(store.intervene(replace(late, entry=OrderEntry(1, 0, cut=0))))
    assert backend.run(store.history("one")) == EVENTS
    assert backend.run(store.load("one")).cursor.dispatched == frozenset()


def test_events_of_later_interventions_come_after_those_of_earlier_ones(backend: Any, store: Any) -> None:
    for number in range(2):
        backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
        assert backend.run(store.intervene(StatusTurn(PAUSED, ONE, OrderEntry(number, 0, cut=0), EVENTS)))
    assert backend.run(store.history("one")) == EVENTS * 2


def test_a_paused_one_records_outcomes_and_does_not_end(backend: Any, store: Any) -> None:
    backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    done = Record("pay", "step", "pay", "SUCCEEDED", 0, output="1", ended_at=1002.0)
    succeeded = End(replace(ONE, status="SUCCEEDED", result="1", ended_at=1002.0))
    committed = backend.run(store.commit("one", Commit(done, succeeded, wake=False)))
    assert (committed.record, committed.end) == (True, False)
    assert not backend.run(store.finish(succeeded))
    assert not backend.run(store.finish(End(FAILED)))
    assert backend.run(store.read("one")) == PAUSED


def test_a_cancel_ends_a_paused_one(backend: Any, store: Any) -> None:
    backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    ended = replace(ONE, status="CANCELLED", ended_at=1005.0, intervention=Intervention("terminate", 1005.0, "ann"))
    assert backend.run(store.cancel(End(ended), []))
    assert backend.run(store.read("one")) == ended


def test_a_closed_one_is_no_dead_letter_and_not_rewound_until_it_is_reopened(backend: Any, store: Any) -> None:
    backend.run(store.finish(End(FAILED)))
    assert backend.run(store.intervene(StatusTurn(FAILED, CLOSED)))
    again = replace(ONE, generation=1, resumed_at=1010.0)
    assert not backend.run(store.rewind(again, OrderEntry(0, 1, cut=0), [], []))
    assert backend.run(store.faults(None, 10)) == ([], True)
    assert backend.run(store.page(Query(status="CLOSED"))).executions == (CLOSED,)
    assert backend.run(store.intervene(StatusTurn(CLOSED, FAILED, events=[Event(1003.0, "execution-closed")])))
    assert [fault.step for fault in backend.run(store.faults(None, 10))[0]] == ["pay"]
    assert backend.run(store.rewind(again, OrderEntry(0, 1, cut=0), [], []))
    assert backend.run(store.read("one")).intervention is None


def test_a_closed_one_is_deleted_like_any_that_has_ended(backend: Any, store: Any) -> None:
    backend.run(store.finish(End(FAILED)))
    backend.run(store.intervene(StatusTurn(FAILED, CLOSED)))
    assert not backend.run(store.erase(FAILED))
    assert backend.run(store.erase(CLOSED))
    assert backend.run(store.load("one")) is None


def test_a_paused_one_is_not_deleted(backend: Any, store: Any) -> None:
    backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    assert not backend.run(store.erase(PAUSED))


def test_a_redrive_of_a_closed_one_is_deleted_and_resumes_nothing(backend: Any, store: Any) -> None:
    parked = replace(CLOSED, error=Failure("E", "down", "pay", parked="p"))
    backend.run(store.finish(End(replace(parked, status="FAILED", intervention=None))))
    backend.run(store.intervene(StatusTurn(FAILED, parked)))
    handler = ParkHandler(store, backend.clock, Registry([]))
    redriven = Delivery(Message("park", "one", "p", 0), 2000.0)
    assert backend.run(handler.handle(redriven)) == Delete()
    assert backend.run(store.read("one")) == parked


def test_the_park_message_of_a_failure_that_a_pause_has_forestalled_stays(backend: Any, store: Any) -> None:
    backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    handler = ParkHandler(store, backend.clock, Registry([]))
    assert backend.run(handler.handle(Delivery(Message("park", "one", "p", 0), 1002.0))) == Refuse()


LINK = Link("one", "child:w", 0, "one")
WITH_PARENT = Intervention("pause", 1001.0, parent="one")


def test_a_child_whose_pause_was_written_late_goes_on_with_its_parent(backend: Any, store: Any) -> None:
    child = replace(ONE, execution_id="two", link=LINK)
    backend.run(store.create(child))
    late = replace(child, status="PAUSED", intervention=WITH_PARENT)
    assert backend.run(store.intervene(StatusTurn(child, late, wake=True)))
    backend.run(Pausing(store, backend.clock).follow(backend.run(store.load("two"))))
    assert backend.run(store.read("two")).status == "RUNNING"


def test_a_child_rests_while_its_parent_is_paused(backend: Any, store: Any) -> None:
    child = replace(ONE, execution_id="two", link=LINK)
    backend.run(store.create(child))
    backend.run(store.intervene(StatusTurn(ONE, PAUSED)))
    backend.run(store.intervene(StatusTurn(child, replace(child, status="PAUSED", intervention=WITH_PARENT))))
    backend.run(Pausing(store, backend.clock).follow(backend.run(store.load("two"))))
    assert backend.run(store.read("two")).status == "PAUSED"
