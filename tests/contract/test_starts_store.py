"""What the stores promise of starts: each write under its condition, all of it or nothing (rule *turn*)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.ports import End
from stepfast.engine.start_items import Hold, LinePlace, StartKey, TurnedAway, place_of
from stepfast.errors import ExecutionDeleted
from stepfast.model import Execution, OrderEntry
from stepfast.standing import StartInfo

ID = StartKey("flow", "customer/1")
ONE = Execution("one", "flow", '"in"', 1001.0, sent="f", start=StartInfo("started", ID.key))
TWO = replace(ONE, execution_id="two", created_at=1002.0)


def held(backend: Any) -> Hold:
    hold: Hold = backend.run(backend.store.starts.hold(ID))
    return hold


def test_of_two_that_take_a_key_one_is_created(backend: Any) -> None:
    free = held(backend)
    assert free == Hold(ID)
    assert backend.run(backend.store.create_in_turn(ONE, free)) is ONE
    assert backend.run(backend.store.create_in_turn(TWO, free)) is None
    assert backend.run(backend.store.read("two")) is None
    assert held(backend).holder == "one"
    stored = backend.run(backend.store.read("one"))
    assert stored.start == ONE.start
    assert backend.run(backend.store.create_in_turn(ONE, held(backend))) == stored


def test_a_key_is_passed_on_from_what_was_read_alone(backend: Any) -> None:
    backend.run(backend.store.create_in_turn(ONE, held(backend)))
    read = held(backend)
    assert backend.run(backend.store.starts.pass_on(read, "two"))
    assert not backend.run(backend.store.starts.pass_on(read, ""))
    assert held(backend).holder == "two"
    assert backend.run(backend.store.starts.pass_on(held(backend), ""))
    assert held(backend) == Hold(ID)


def test_a_line_is_by_priority_and_then_by_time(backend: Any) -> None:
    waits = StartInfo("waiting", ID.key, waits=True)
    made = [
        replace(ONE, execution_id=id, created_at=at, start=replace(waits, priority=priority))
        for id, at, priority in (("a", 1003.5, 0), ("b", 1002.25, 0), ("c", 1004.0, 7), ("d", 1001.0, 70))
    ]
    for execution in made:
        assert backend.run(backend.store.create_in_turn(execution, None)) is execution
    order = list[LinePlace]()
    while (first := backend.run(backend.store.starts.first(ID))) is not None:
        order.append(first)
        backend.run(backend.store.starts.leave(ID, first))
    assert [place.execution_id for place in order] == ["d", "c", "b", "a"]
    assert order[-1] == place_of(made[0])
    backend.run(backend.store.starts.leave(ID, order[0]))


def test_a_start_that_was_turned_away_is_kept_and_its_id_is_taken(backend: Any) -> None:
    backend.run(backend.store.create_in_turn(ONE, held(backend)))
    turned = TurnedAway("two", "flow", "skipped", "one", "f", 1002.0)
    assert not backend.run(backend.store.starts.turn_away(turned, Hold(ID)))
    assert not backend.run(backend.store.starts.turn_away(replace(turned, execution_id="one"), held(backend)))
    assert backend.run(backend.store.starts.turn_away(turned, held(backend)))
    assert not backend.run(backend.store.starts.turn_away(turned, held(backend)))
    assert backend.run(backend.store.starts.turned_away("two")) == turned
    assert backend.run(backend.store.starts.turned_away("one")) is None
    assert backend.run(backend.store.create_in_turn(TWO, held(backend))) is None
    assert held(backend).holder == "one"


def test_a_beginning_and_another_input_need_the_start_as_it_was_read(backend: Any) -> None:
    start = StartInfo("waiting", waits=True, begins_at=1030.0, debounce="k")
    waiting = replace(ONE, start=start)
    backend.run(backend.store.create_in_turn(waiting, held(backend)))
    moved = replace(start, begins_at=1040.0)
    turned = TurnedAway("two", "flow", "debounced", "one", "f", 1002.0)
    assert backend.run(backend.store.fold(waiting, moved, '"other"', turned))
    assert not backend.run(backend.store.fold(waiting, moved, '"late"', replace(turned, execution_id="three")))
    assert backend.run(backend.store.starts.turned_away("three")) is None
    assert not backend.run(backend.store.fold(replace(waiting, start=moved), moved, '"again"', turned))
    assert not backend.run(backend.store.begin(waiting, replace(moved, waits=False)))
    stored = backend.run(backend.store.read("one"))
    assert (stored.input, stored.start) == ('"other"', moved)
    assert backend.run(backend.store.begin(stored, replace(moved, waits=False)))
    assert not backend.run(backend.store.fold(stored, moved, '"late"', None))
    assert not backend.run(backend.store.read("one")).waits


def test_what_has_ended_does_not_begin(backend: Any) -> None:
    start = StartInfo("waiting", ID.key, waits=True)
    waiting = replace(ONE, start=start)
    backend.run(backend.store.create_in_turn(waiting, None))
    backend.run(backend.store.cancel(End(replace(waiting, status="CANCELLED", ended_at=1003.0)), []))
    assert not backend.run(backend.store.begin(waiting, replace(start, waits=False)))


@pytest.mark.parametrize("fresh", [True, False])
def test_a_resume_takes_its_key_or_changes_nothing(backend: Any, fresh: bool) -> None:
    backend.run(backend.store.create_in_turn(ONE, held(backend)))
    backend.run(backend.store.finish(End(replace(ONE, status="FAILED", ended_at=1003.0))))
    read = held(backend)
    if not fresh:
        backend.run(backend.store.starts.pass_on(read, ""))
    resumed = replace(ONE, generation=1, resumed_at=1004.0)
    cut = OrderEntry(0, 1, cut=0)
    assert backend.run(backend.store.rewind(resumed, cut, [], [], None, read)) is fresh
    assert backend.run(backend.store.read("one")).status == ("RUNNING" if fresh else "FAILED")
    assert held(backend).holder == ("one" if fresh else "")
    if fresh:
        assert held(backend).version != read.version


def test_an_execution_of_a_deleted_ones_id_begins_above_it(backend: Any) -> None:
    backend.run(backend.store.create_in_turn(ONE, held(backend)))
    ended = replace(ONE, status="SUCCEEDED", ended_at=1003.0)
    backend.run(backend.store.finish(End(ended)))
    assert backend.run(backend.store.erase(ended))
    with pytest.raises(ExecutionDeleted):
        backend.run(backend.store.create_in_turn(ONE, held(backend)))
    again = replace(ONE, generation=1, first_generation=1)
    assert backend.run(backend.store.create_in_turn(again, held(backend))) is again
