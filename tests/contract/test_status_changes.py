"""Which changes of an execution are told, each once and with the same id (rule *event*)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.dynamodb.status_changes import change_in
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.ports import End, NextRun
from stepfast.engine.status_changes import TYPES, StatusChange
from stepfast.model import Execution, Failure, Link, OrderEntry
from stepfast.shown import ShownState
from stepfast.standing import Intervention

ONE = Execution("one", "w", "1", 1000.0, labels={"team": "a"})
FAILED = replace(ONE, status="FAILED", error=Failure("E", "a secret", "pay"), causes=("pay",), ended_at=1002.0)


class Told:
    """What a home tells of the changes of its executions."""

    def __init__(self, backend: Any) -> None:
        self.backend, self.store = backend, backend.store
        self.embedded = hasattr(self.store, "webhooks")
        if self.embedded:
            self.store.webhooks.watch()

    def run(self, call: Any) -> Any:
        return self.backend.run(call)

    def changes(self) -> list[StatusChange]:
        """The changes since the last call. Of the table, those of the records of its stream."""
        if not self.embedded:
            images = [record["dynamodb"].get("NewImage", {}) for record in self.backend.stream()]
            return [change for image in images if (change := change_in(image)) is not None]
        found: list[StatusChange] = []
        self.run(self.store.webhooks.spread(lambda change: found.append(change) or [], 1.0))
        return found

    def types(self) -> list[str]:
        return [change.type for change in self.changes()]


@pytest.fixture
def told(backend: Any) -> Told:
    return Told(backend)


def test_a_start_and_an_end_are_told_with_times_labels_and_the_class_of_the_failure(told: Told) -> None:
    told.run(told.store.create(replace(ONE, created_at=1000.123456789)))
    assert [change.at for change in told.changes()] == [1000.123456789]
    told.run(told.store.create(replace(ONE, created_at=2000.0)))  # the id is taken
    assert told.run(told.store.finish(End(FAILED)))
    assert not told.run(told.store.finish(End(FAILED)))
    assert told.changes() == [
        StatusChange("one", "w", 1, 0, "RUNNING", "FAILED", 1002.0, {"team": "a"}, None, "E", "pay"),
    ]


def test_a_resume_tells_and_a_resume_that_is_refused_does_not(told: Told) -> None:
    told.run(told.store.create(ONE))
    told.run(told.store.finish(End(FAILED)))
    told.changes()
    resumed = replace(ONE, generation=1, resumed_at=1005.0)
    assert told.run(told.store.rewind(resumed, OrderEntry(0, 1, cut=0), [], []))
    assert not told.run(told.store.rewind(resumed, OrderEntry(1, 1, cut=0), [], []))
    (change,) = told.changes()
    assert (change.type, change.at, change.generation, change.error_type) == ("execution.resumed", 1005.0, 1, None)


def test_every_pause_is_an_event_of_its_own(told: Told) -> None:
    told.run(told.store.create(ONE))
    changes = []
    for at in (1001.0, 1003.0):
        paused = replace(ONE, status="PAUSED", intervention=Intervention("pause", at))
        again = replace(ONE, intervention=Intervention("unpause", at + 1))
        number = int(at - 1001) // 2
        assert told.run(told.store.intervene(StatusTurn(ONE, paused)))
        assert told.run(told.store.intervene(StatusTurn(paused, again, OrderEntry(number, 0, cut=0), (), wake=True)))
    changes = told.changes()
    assert [change.type for change in changes] == ["execution.started", *["execution.paused", "execution.unpaused"] * 2]
    assert [change.at for change in changes] == [1000.0, 1001.0, 1002.0, 1003.0, 1004.0]
    assert len({change.id for change in changes}) == 5


def test_a_failure_that_is_closed_and_reopened_tells_both(told: Told) -> None:
    told.run(told.store.create(ONE))
    told.run(told.store.finish(End(FAILED)))
    closed = replace(FAILED, status="CLOSED", intervention=Intervention("close", 1003.0))
    reopened = replace(FAILED, intervention=Intervention("reopen", 1004.0))
    assert told.run(told.store.intervene(StatusTurn(FAILED, closed)))
    assert told.run(told.store.intervene(StatusTurn(closed, reopened)))
    *_, close, reopen = told.changes()
    assert (close.type, close.at, close.previous, close.error_type) == ("execution.closed", 1003.0, "FAILED", None)
    assert (reopen.type, reopen.at, reopen.error_type) == ("execution.reopened", 1004.0, "E")


def test_a_cancel_tells_what_it_was_before(told: Told) -> None:
    told.run(told.store.create(ONE))
    paused = replace(ONE, status="PAUSED", intervention=Intervention("pause", 1001.0))
    told.run(told.store.intervene(StatusTurn(ONE, paused)))
    cancelled = replace(paused, status="CANCELLED", ended_at=1002.0)
    assert told.run(told.store.cancel(End(cancelled), []))
    change = told.changes()[-1]
    assert (change.type, change.previous, change.at) == ("execution.cancelled", "PAUSED", 1002.0)


def test_a_new_run_is_told_as_one_that_continues(told: Told) -> None:
    told.run(told.store.create(ONE))
    begun = replace(ONE, input="2", generation=1, first_generation=1, run=2, began_at=1007.0)
    ended = replace(ONE, status="SUCCEEDED", continued=True, ended_at=1007.0)
    assert told.run(told.store.continue_as_new(NextRun(begun, ended, ())))
    change = told.changes()[-1]
    assert (change.type, change.run, change.at) == ("execution.continued", 2, 1007.0)
    assert told.run(told.store.finish(End(replace(begun, status="SUCCEEDED", ended_at=1008.0))))
    assert told.types() == ["execution.succeeded"]


def test_what_is_no_change_of_status_is_not_told(told: Told) -> None:
    link = Link("zero", "child:w", 0, "zero")
    child = replace(ONE, link=link)
    told.run(told.store.create(child))
    assert told.changes()[0].parent == "zero"
    assert told.run(told.store.note(child, "[1]"))
    assert told.run(told.store.show(child, ShownState("0", labels={"team": "b"})))
    assert told.run(told.store.relink(child, replace(link, left=True)))
    cleaning = replace(child, generation=1, intervention=Intervention("cancel", 1003.0, cleanup=60.0))
    assert told.run(told.store.intervene(StatusTurn(child, cleaning, OrderEntry(0, 1, cut=0), (), wake=True)))
    assert told.types() == []
    ended = replace(cleaning, status="CANCELLED", ended_at=1004.0)
    assert told.run(told.store.finish(End(ended)))
    (change,) = told.changes()
    assert (change.previous, change.generation, change.parent) == ("RUNNING", 1, None)


def test_the_batches_of_a_map_are_not_told(told: Told) -> None:
    batch = replace(ONE, workflow="stepfast.map")
    told.run(told.store.create(batch))
    told.run(told.store.finish(End(replace(batch, status="SUCCEEDED", ended_at=1001.0))))
    assert told.types() == []


def test_an_event_carries_no_value_and_every_type_is_listed() -> None:
    change = StatusChange("one", "w", 1, 0, "RUNNING", "FAILED", 1002.5, {"team": "a"}, None, "E", "pay")
    assert change.timestamp == "1970-01-01T00:16:42.500000Z"
    assert change.data() == {
        "execution_id": "one",
        "workflow": "w",
        "run": 1,
        "generation": 0,
        "status": "FAILED",
        "previous_status": "RUNNING",
        "labels": {"team": "a"},
        "parent": None,
        "error": {"type": "E", "step": "pay"},
    }
    assert change.type in TYPES
    assert len(set(TYPES)) == len(TYPES) == 10
