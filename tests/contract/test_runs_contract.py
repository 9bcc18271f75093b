"""The runs of an execution, in both homes: what the turn to a new run writes, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, Delete, Delivery, End, NextRun
from stepfast.engine.timer_handler import TimerHandler
from stepfast.errors import TooManySignals
from stepfast.model import Execution, OrderEntry, Record, Signal, SignalLimits
from tests.contract.test_store_contract import ONE

DONE = Record("poll", "step", "poll", "SUCCEEDED", 0, input='{"n": 1}', output="2", first_at=1.0, ended_at=2.0)
TAKEN = Record("signal:go", "signal", "go", "SUCCEEDED", 0, output="1", signal="first", ended_at=2.0)
LARGE = '"' + "x" * 300_000 + '"'


def after(execution: Execution, input: str = '"next"', *taken: str) -> NextRun:
    generation = execution.generation + 1
    begun = replace(
        execution,
        input=input,
        generation=generation,
        first_generation=generation,
        run=execution.run + 1,
        began_at=5.0 + execution.run,
    )
    ended = replace(execution, status="SUCCEEDED", continued=True, ended_at=5.0 + execution.run)
    return NextRun(begun, ended, taken)


@pytest.fixture
def store(backend: Any) -> Any:
    backend.run(backend.store.create(ONE))
    return backend.store


def written(backend: Any, run_id: str, record: Record) -> bool:
    return bool(backend.run(backend.store.commit(run_id, Commit(record, wake=True))))


def test_a_new_run_has_no_records_and_no_order_and_the_earlier_ones_are_kept(backend: Any, store: Any) -> None:
    assert written(backend, "one", DONE)
    assert backend.run(store.append("one", OrderEntry(0, 0, ("poll",), ("more",))))
    turn = after(ONE, LARGE)
    assert backend.run(store.continue_as_new(turn))
    snapshot = backend.run(store.load("one"))
    assert snapshot.execution == turn.execution
    assert (snapshot.records, snapshot.cursor.revision) == ({}, 0)
    earlier = backend.run(store.load_run("one", 1))
    assert earlier.records == {"poll": DONE}
    assert earlier.cursor.applied == ("poll",)
    assert (earlier.execution.run, earlier.execution.continued, earlier.execution.input) == (1, True, ONE.input)
    assert backend.run(store.load_run("one", 2)) is None


def test_the_turn_wakes_the_execution(backend: Any, store: Any) -> None:
    backend.woken.clear()
    assert backend.run(store.continue_as_new(after(ONE)))
    assert "one" in backend.woken


def test_of_two_turns_of_one_run_one_is_made(backend: Any, store: Any) -> None:
    assert backend.run(store.continue_as_new(after(ONE, '"a"')))
    assert not backend.run(store.continue_as_new(after(ONE, '"b"')))
    assert backend.run(store.read("one")).input == '"a"'
    assert [run.run for run in backend.run(store.runs("one", 10))] == [1]


def test_a_run_that_has_ended_does_not_continue(backend: Any, store: Any) -> None:
    assert backend.run(store.finish(End(replace(ONE, status="CANCELLED", ended_at=4.0))))
    assert not backend.run(store.continue_as_new(after(ONE)))
    assert backend.run(store.runs("one", 10)) == []


def test_what_an_earlier_run_writes_is_not_seen_by_a_later_one(backend: Any, store: Any) -> None:
    claim = replace(DONE, status="RUNNING", output=None, ended_at=None, token="t", lease=60.0)
    assert written(backend, "one", claim)
    turn = after(ONE)
    assert backend.run(store.continue_as_new(turn))
    written(backend, "one", replace(DONE, revision=2))
    written(backend, "one", replace(DONE, id="other"))
    assert backend.run(store.load("one")).records == {}
    assert backend.run(store.peek(turn.execution.run_id, "poll"))[1] is None
    own = replace(DONE, generation=1, output="3")
    assert written(backend, turn.execution.run_id, own)
    assert backend.run(store.load("one")).records == {"poll": own}
    assert backend.run(store.peek("one", "poll"))[1] is None


def test_an_entry_of_an_earlier_run_is_not_in_the_order_of_a_later_one(backend: Any, store: Any) -> None:
    turn = after(ONE)
    assert backend.run(store.continue_as_new(turn))
    backend.run(store.append("one", OrderEntry(0, 0, dispatched=("late",))))
    assert backend.run(store.load("one")).cursor.revision == 0
    assert backend.run(store.append(turn.execution.run_id, OrderEntry(0, 1, dispatched=("own",))))
    assert backend.run(store.load("one")).cursor.dispatched == {"own"}


def test_signals_that_were_not_taken_go_along_and_the_others_stay(backend: Any, store: Any) -> None:
    first, second = Signal("first", "go", "1", 2.0), Signal("second", "go", LARGE, 3.0)
    for signal in (first, second):
        backend.run(store.add_signal("one", signal))
    assert written(backend, "one", TAKEN)
    turn = after(ONE, '"next"', "first")
    assert backend.run(store.continue_as_new(turn))
    assert list(backend.run(store.load("one")).signals) == [second]
    assert list(backend.run(store.signals(turn.execution.run_id))) == [second]
    assert list(backend.run(store.load_run("one", 1)).signals) == [first]
    assert backend.run(store.signal("one", "first")) == first


def test_a_signal_that_an_earlier_run_has_taken_is_not_put_again(backend: Any, store: Any) -> None:
    first = Signal("first", "go", "1", 2.0)
    backend.run(store.add_signal("one", first))
    assert written(backend, "one", TAKEN)
    assert backend.run(store.continue_as_new(after(ONE, '"next"', "first")))
    again = Signal("first", "go", "1", 9.0)
    assert backend.run(store.add_signal("one", again)) == first
    assert list(backend.run(store.load("one")).signals) == []


def test_the_limits_of_signals_count_those_of_the_run_and_numbers_go_on(backend: Any, store: Any) -> None:
    limits, execution = SignalLimits(count=3, bytes=1000), ONE
    for number in range(3):
        backend.run(store.add_signal("one", Signal(f"s{number}", "go", "1", 2.0), limits))
    with pytest.raises(TooManySignals):
        backend.run(store.add_signal("one", Signal("more", "go", "1", 2.0), limits))
    turn = after(execution, '"next"', "s0", "s2")
    assert backend.run(store.continue_as_new(turn))
    for number in (3, 4):
        backend.run(store.add_signal("one", Signal(f"s{number}", "go", "1", 2.0), limits))
    with pytest.raises(TooManySignals):
        backend.run(store.add_signal("one", Signal("more", "go", "1", 2.0), limits))
    assert [signal.signal_id for signal in backend.run(store.load("one")).signals] == ["s1", "s3", "s4"]


def test_runs_are_listed_by_the_page_the_latest_first(backend: Any, store: Any) -> None:
    execution = ONE
    for _ in range(4):
        turn = after(execution)
        assert backend.run(store.continue_as_new(turn))
        execution = turn.execution
    assert [run.run for run in backend.run(store.runs("one", 3))] == [4, 3, 2]
    page = backend.run(store.runs("one", 3, 2))
    assert [(run.run, run.input, run.ended_at) for run in page] == [(1, ONE.input, 6.0)]
    assert backend.run(store.runs("one", 3, 1)) == []
    assert backend.run(store.runs("nobody", 3)) == []


def test_deleting_an_execution_deletes_its_earlier_runs(backend: Any, store: Any) -> None:
    assert written(backend, "one", DONE)
    turn = after(ONE, LARGE)
    assert backend.run(store.continue_as_new(turn))
    ended = replace(turn.execution, status="SUCCEEDED", ended_at=9.0)
    assert backend.run(store.finish(End(ended)))
    assert backend.run(store.erase(ended))
    assert backend.run(store.load("one")) is None
    assert backend.run(store.load_run("one", 1)) is None
    again = replace(ONE, generation=2, first_generation=2, created_at=20.0)
    backend.clock.time = backend.clock.now() + 7200
    assert backend.run(store.create(again)) == again
    assert backend.run(store.load("one")).records == {}
    assert backend.run(store.runs("one", 10)) == []


def test_a_new_run_is_resumed_and_cancelled_under_its_own_name(backend: Any, store: Any) -> None:
    turn = after(ONE)
    assert backend.run(store.continue_as_new(turn))
    run_id = turn.execution.run_id
    assert written(backend, run_id, replace(DONE, generation=1))
    failed = replace(turn.execution, status="FAILED", ended_at=9.0, causes=("poll",))
    assert backend.run(store.finish(End(failed)))
    resumed = replace(turn.execution, generation=2, resumed_at=10.0)
    opened = replace(DONE, status="OPEN", generation=2, revision=2, output=None)
    assert backend.run(store.rewind(resumed, OrderEntry(0, 2, cut=0), [opened], []))
    snapshot = backend.run(store.load("one"))
    assert snapshot.execution == resumed
    assert snapshot.records == {"poll": opened}
    ended = replace(resumed, status="CANCELLED", ended_at=11.0)
    stopped = replace(opened, status="CANCELLED", revision=3, ended_at=11.0)
    assert backend.run(store.cancel(End(ended), [stopped], 1))
    assert backend.run(store.load("one")).records == {"poll": stopped}


def test_a_timer_of_a_later_run_is_recorded_though_its_message_names_no_run(backend: Any, store: Any) -> None:
    turn = after(ONE)
    assert backend.run(store.continue_as_new(turn))
    opened = Record(":timer", "timer", "timer", "OPEN", 1, due=4.0)
    assert written(backend, turn.execution.run_id, opened)
    handler = TimerHandler(store, backend.queue, backend.clock)
    assert backend.run(handler.handle(Delivery(Message("timer", "one", ":timer", 1), 3.0))) == Delete()
    assert backend.run(store.load("one")).records[":timer"].status == "SUCCEEDED"
    late = Message("timer", "one", ":timer", 0)
    assert backend.run(handler.handle(Delivery(late, 3.0))) == Delete()
