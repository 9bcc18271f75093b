"""Cancels of more items than a transaction takes: the execution ends first, and then its commands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfast.engine.ports import Commit, End
from stepfast.model import Execution, Record
from tests.backends.chunks import Killed, kill_at, recorded
from tests.backends.cloud import Cloud

ONE = Execution("one", "w", "1", 1000.0)
CANCELLED = replace(ONE, status="CANCELLED", ended_at=1010.0)


def running(cloud: Cloud, count: int) -> list[Record]:
    cloud.run(cloud.store.create(ONE))
    made = [Record(f"a#{number}", "step", "a", "RUNNING", 0, token=f"t{number}") for number in range(count)]
    for one in made:
        assert cloud.run(cloud.store.commit("one", Commit(one, wake=False)))
    return [replace(one, status="CANCELLED", revision=2) for one in made]


def statuses(cloud: Cloud) -> dict[str, int]:
    found = [one.status for one in cloud.run(cloud.store.load("one")).records.values()]
    return {status: found.count(status) for status in found}


def test_a_cancel_of_many_commands_turns_the_execution_first(hooked: Cloud) -> None:
    cancelled = running(hooked, 230)
    wire = recorded(hooked)
    assert hooked.run(hooked.store.cancel(End(CANCELLED), cancelled))
    calls = wire.take()
    assert [len(call.params["TransactItems"]) for call in calls] == [100, 98, 34]
    assert "Update" in calls[0].params["TransactItems"][0]


def test_a_cancel_of_many_leaves_those_that_have_gone_on_meanwhile(small: Cloud) -> None:
    cancelled = running(small, 25)
    for number in (12, 20, 21):
        done = replace(cancelled[number], status="SUCCEEDED")
        assert small.run(small.store.commit("one", Commit(done, wake=False)))
    assert small.run(small.store.cancel(End(CANCELLED), cancelled))
    assert statuses(small) == {"CANCELLED": 22, "SUCCEEDED": 3}


def test_a_cancel_of_many_is_refused_whole_while_the_first_have_gone_on(small: Cloud) -> None:
    cancelled = running(small, 15)
    assert small.run(small.store.commit("one", Commit(replace(cancelled[5], status="SUCCEEDED"), wake=False)))
    assert not small.run(small.store.cancel(End(CANCELLED), cancelled))
    assert statuses(small) == {"RUNNING": 14, "SUCCEEDED": 1}
    assert small.run(small.store.read("one")) == ONE


def test_a_cancel_that_dies_in_between_has_ended_the_execution(small: Cloud) -> None:
    cancelled = running(small, 23)
    revive = kill_at(small.dynamodb, 2, before=True)
    with pytest.raises(Killed):
        small.run(small.store.cancel(End(CANCELLED), cancelled))
    revive()
    assert small.run(small.store.read("one")) == CANCELLED
    assert statuses(small) == {"CANCELLED": 8, "RUNNING": 15}
    assert not small.run(small.store.finish(End(replace(ONE, status="SUCCEEDED"))))
