"""Steps that come later than their moments, on both homes: the rate is kept, it is used, and nobody starves."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Limit
from stepfast.engine.limit_items import LimitId
from tests.simulation.late_world import Lateness, LateWorld, check_rate

RATE: Limit[Any] = Limit("late", rate=20, per=10)
COUNT = 60


@pytest.mark.parametrize("sole", [True, False], ids=["one process", "three processes"])
@pytest.mark.parametrize("late", [Lateness(messages=3.0), Lateness(jitter=0.8, busy=0.3)])
def test_a_step_that_misses_its_moment_takes_another(backend: Any, late: Lateness, sole: bool) -> None:
    world = LateWorld(backend.store.limits, RATE, COUNT, 1, late, sole=sole)
    check_rate(world.play(), RATE, 0.95, warm=4.0)


@pytest.mark.parametrize("sole", [True, False], ids=["one process", "three processes"])
def test_steps_that_come_together_use_the_rate_and_none_is_left_behind(backend: Any, sole: bool) -> None:
    limit: Limit[Any] = Limit("crowded", rate=100)
    world = LateWorld(backend.store.limits, limit, 150, 1, Lateness(), sole=sole)
    check_rate(world.play(), limit, 0.97)
    assert world.refused < 150  # All but one at most, and none of them again and again.


def test_what_late_steps_have_put_off_is_kept_with_the_item(backend: Any) -> None:
    world = LateWorld(backend.store.limits, RATE, COUNT, 2, Lateness(messages=3.0), sole=False)
    begun = world.play()
    item = backend.run(backend.store.limits.read(LimitId("late")))
    assert item.put_off > 0
    assert item.front > begun[0]
