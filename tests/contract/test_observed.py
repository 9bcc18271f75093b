"""What a listener around a store is told: all that is written, nothing that is refused, on both homes alike."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.observed import StoreListener, observed
from stepfast.engine.ports import Commit, Committed, End, Store
from stepfast.model import Event, Execution, Failure, OrderEntry, Record

ONE = Execution("one", "orders", '{"a": 1}', 1000.0)
STEP = Record("pay", "step", "pay", "RUNNING", 0, attempt=1)
DONE = replace(STEP, status="SUCCEEDED", revision=2, output="1", ended_at=1001.0)
SUCCEEDED = replace(ONE, status="SUCCEEDED", result="1", ended_at=1001.0)
FAILED = replace(ONE, status="FAILED", error=Failure("ValueError", "bad", "pay"), ended_at=1001.0)
CANCELLED = replace(ONE, status="CANCELLED", ended_at=1001.0)
RESUMED = replace(ONE, generation=1, resumed_at=1002.0)


class Notes(StoreListener):
    def __init__(self) -> None:
        self.taken: list[str] = []

    def on_started(self, execution: Execution) -> None:
        self.taken.append(f"started {execution.execution_id}")

    def on_attempt(self, execution_id: str, record: Record) -> None:
        self.taken.append(f"{record.id} {record.status}")

    def on_ended(self, execution: Execution) -> None:
        self.taken.append(f"ended {execution.status}")

    def on_resumed(self, execution: Execution) -> None:
        self.taken.append(f"resumed {execution.generation}")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def store(backend: Any, notes: Notes) -> Any:
    return observed(backend.store, notes)


def test_a_start_is_told_of_once(backend: Any, store: Any, notes: Notes) -> None:
    assert backend.run(store.create(ONE)) is ONE
    assert backend.run(store.create(replace(ONE))) == ONE
    assert notes.taken == ["started one"]


def test_a_commit_that_ends_the_execution_is_told_of_in_its_order(backend: Any, store: Any, notes: Notes) -> None:
    backend.run(store.create(ONE))
    assert backend.run(store.commit("one", Commit(STEP, wake=False)))
    assert backend.run(store.commit("one", Commit(DONE, End(SUCCEEDED), wake=False))) == Committed(True, True)
    assert notes.taken[1:] == ["pay RUNNING", "pay SUCCEEDED", "ended SUCCEEDED"]


def test_an_end_that_is_refused_is_not_told_of_though_its_record_is_written(
    backend: Any, store: Any, notes: Notes
) -> None:
    """The embedded home used to log that such an execution had succeeded, after it had failed."""
    backend.run(store.create(ONE))
    backend.run(store.commit("one", Commit(STEP, wake=False)))
    assert backend.run(store.finish(End(FAILED)))
    assert backend.run(store.commit("one", Commit(DONE, End(SUCCEEDED), wake=False))) == Committed(True, False)
    assert notes.taken[2:] == ["ended FAILED", "pay SUCCEEDED"]
    assert backend.run(store.read("one")).status == "FAILED"


def test_nothing_that_is_refused_is_told_of(backend: Any, store: Any, notes: Notes) -> None:
    backend.run(store.create(ONE))
    backend.run(store.commit("one", Commit(STEP, wake=False)))
    backend.run(store.finish(End(FAILED)))
    before = list(notes.taken)
    assert not backend.run(store.commit("one", Commit(replace(DONE, revision=3), End(SUCCEEDED), wake=False)))
    assert not backend.run(store.finish(End(SUCCEEDED)))
    assert not backend.run(store.cancel(End(CANCELLED), []))
    assert not backend.run(store.rewind(replace(RESUMED, generation=2), OrderEntry(0, 2, cut=0), [], []))
    assert notes.taken == before


def test_a_cancel_is_told_of_like_every_other_end(backend: Any, store: Any, notes: Notes) -> None:
    backend.run(store.create(ONE))
    assert backend.run(store.cancel(End(CANCELLED), []))
    assert notes.taken == ["started one", "ended CANCELLED"]


def test_a_resume_is_told_of(backend: Any, store: Any, notes: Notes) -> None:
    backend.run(store.create(ONE))
    backend.run(store.finish(End(FAILED)))
    assert backend.run(store.rewind(RESUMED, OrderEntry(0, 1, cut=0), [], [Event(1002.0, "resumed")]))
    assert notes.taken[-1] == "resumed 1"


def test_timers_and_signals_are_no_attempts(backend: Any, store: Any, notes: Notes) -> None:
    backend.run(store.create(ONE))
    assert backend.run(store.commit("one", Commit(Record("nap", "timer", "timer", "SUCCEEDED", 0), wake=True)))
    assert notes.taken == ["started one"]


def test_every_method_of_the_port_goes_through(backend: Any, store: Any) -> None:
    methods = [name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")]
    assert "commit" in methods
    assert [name for name in methods if not callable(getattr(store, name, None))] == []
