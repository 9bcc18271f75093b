"""Tallies are added with the end that they are of, once, and read back by hour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.metrics import Tally
from stepfast.engine.ports import Commit, End
from stepfast.model import Execution, Failure, OrderEntry, Record

HOUR = 3600
ONE = Execution("one", "w", "null", 1000.0)
DONE = replace(ONE, status="SUCCEEDED", result="1", ended_at=2 * HOUR + 5.0)
FAILED = replace(ONE, status="FAILED", error=Failure("E", "down"), ended_at=2 * HOUR + 1.0)
STEP = Record("pay", "step", "pay", "SUCCEEDED", 0)
TALLIES = {
    "SUCCEEDED": Tally(1),
    "took:17": Tally(1),
    "step:pay": Tally(3, failures=2, given_up=1, succeeded=1, seconds=0.25),
}


@pytest.fixture
def store(backend: Any) -> Any:
    backend.run(backend.store.create(ONE))
    return backend.store


def figures(backend: Any, workflow: str = "w", since: int = 0, until: int = 100) -> Any:
    return backend.run(backend.store.figures(workflow, since, until))


def test_nothing_has_been_counted_at_first(backend: Any, store: Any) -> None:
    assert figures(backend) == {}


def test_an_end_is_counted_in_its_hour(backend: Any, store: Any) -> None:
    assert backend.run(store.finish(End(DONE, TALLIES)))
    assert figures(backend) == {2: TALLIES}
    assert figures(backend, "another") == {}
    assert figures(backend, since=2, until=3) == {2: TALLIES}
    assert figures(backend, since=3) == {}
    assert figures(backend, until=2) == {}


def test_an_end_that_is_refused_is_not_counted(backend: Any, store: Any) -> None:
    assert backend.run(store.finish(End(DONE, TALLIES)))
    assert not backend.run(store.finish(End(DONE, TALLIES)))
    assert not backend.run(store.finish(End(replace(FAILED, generation=1), TALLIES)))
    assert not backend.run(store.cancel(End(replace(FAILED, status="CANCELLED"), TALLIES), []))
    assert figures(backend) == {2: TALLIES}


def test_an_end_with_the_last_result_is_counted(backend: Any, store: Any) -> None:
    assert backend.run(store.commit("one", Commit(STEP, wake=False, end=End(DONE, TALLIES))))
    assert figures(backend) == {2: TALLIES}
    other = replace(STEP, output="2")
    assert not backend.run(store.commit("one", Commit(other, wake=False, end=End(DONE, TALLIES))))
    assert figures(backend) == {2: TALLIES}


def test_a_cancel_is_counted(backend: Any, store: Any) -> None:
    cancelled = replace(ONE, status="CANCELLED", ended_at=HOUR + 1.0)
    assert backend.run(store.cancel(End(cancelled, {"CANCELLED": Tally(1)}), [STEP]))
    assert figures(backend) == {1: {"CANCELLED": Tally(1)}}


def test_each_end_of_a_resumed_execution_is_counted(backend: Any, store: Any) -> None:
    assert backend.run(store.finish(End(FAILED, {"FAILED": Tally(1), "step:pay": Tally(2, failures=2)})))
    assert backend.run(store.rewind(replace(ONE, generation=1), OrderEntry(0, 1, cut=0), [], []))
    assert backend.run(store.finish(End(replace(DONE, generation=1), TALLIES)))
    assert figures(backend) == {
        2: {**TALLIES, "FAILED": Tally(1), "step:pay": replace(TALLIES["step:pay"], count=5, failures=4)}
    }


def test_ends_of_many_executions_add_up(backend: Any) -> None:
    for number in range(10):
        one = replace(ONE, execution_id=f"x{number}")
        backend.run(backend.store.create(one))
        backend.run(backend.store.finish(End(replace(DONE, execution_id=f"x{number}"), TALLIES)))
    ten = {name: sum([one] * 10, Tally()) for name, one in TALLIES.items()}
    assert figures(backend) == {2: ten}


def test_figures_survive_the_process(embedded: Any) -> None:
    embedded.run(embedded.store.create(ONE))
    embedded.run(embedded.store.finish(End(DONE, TALLIES)))
    embedded.reopen()
    assert figures(embedded) == {2: TALLIES}
