"""The places of a pool whose `def` steps run in processes: what is claimed, what waits, and what goes on next."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from stepfast.engine.embedded import Stored
from stepfast.engine.messages import Message
from stepfast.engine.ports import Delivery
from stepfast.local.pool_calls import MOST_AHEAD, CallPace
from stepfast.local.pool_limits import Limits


@dataclass
class Processes:
    places: int = 2
    refill: int = 1


def message(seq: int, command: str = "compute", pool: str = "cpu") -> Stored:
    return Stored(seq, 0.0, Delivery(Message("step", "one", command, 0, pool), 0.0))


def entered(limits: Limits, *messages: Stored) -> list[int]:
    return [stored.seq for stored in messages if limits.enter(stored)]


def test_def_steps_have_as_many_places_as_processes_and_async_steps_need_none() -> None:
    limits = Limits({}, {"cpu": Processes()}, ["fetch"])
    steps = [message(n, f"task/compute#{n}") for n in (1, 2, 3)]
    others = [message(n, f"fetch#{n}") for n in (4, 5, 6)]
    assert entered(limits, *steps, *others, message(7, pool="free")) == [1, 2, 4, 5, 6, 7]
    assert limits.waits() == {3}
    assert limits.leave(others[0]) == []
    assert limits.leave(steps[0]) == [steps[2]]
    assert limits.waits() == set()


def test_the_limit_of_a_pool_holds_beside_its_processes() -> None:
    limits = Limits({"cpu": 3}, {"cpu": Processes()}, ["fetch"])
    steps, others = [message(n) for n in (1, 2, 3)], [message(n, "fetch") for n in (4, 5)]
    assert entered(limits, *steps, *others) == [1, 2, 4]
    assert limits.leave(others[0]) == [others[1]]
    assert entered(limits, others[1]) == [5]
    assert limits.leave(steps[0]) == [steps[2]]


def test_free_places_are_given_away_together() -> None:
    limits = Limits({}, {"cpu": Processes(places=4, refill=2)})
    steps = [message(n) for n in range(1, 8)]
    assert entered(limits, *steps) == [1, 2, 3, 4]
    assert limits.leave(steps[0]) == []
    assert limits.leave(steps[1]) == [steps[4], steps[5]]


def test_a_message_that_a_second_thread_handles_as_well_holds_one_place() -> None:
    limits = Limits({}, {"cpu": Processes(places=1)})
    first, second = message(1), message(2)
    assert entered(limits, first, first, second) == [1, 1]
    assert limits.leave(first) == []
    assert limits.leave(first) == [second]


@pytest.mark.parametrize(("seconds", "ahead"), [(3600.0, 0), (2.0, 0), (0.5, 1), (0.03, 5), (0.0, MOST_AHEAD)])
def test_only_short_calls_are_claimed_ahead_of_the_processes(seconds: float, ahead: int) -> None:
    pace = CallPace()
    assert (pace.ahead, pace.tick) == (0, 0.0)
    pace.took(seconds)
    assert pace.ahead == ahead
    assert pace.tick <= seconds * ahead / 3
