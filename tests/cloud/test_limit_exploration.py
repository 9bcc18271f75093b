"""Steps behind limits and a gate come to the same whatever dies when, and leave no slot taken.

All AWS calls: `python -m tests.cloud.explore limited gated`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.exploration import WHENS, calls_of, explore, pairs
from tests.cloud.limit_examples import LIMITED
from tests.lanes import SOAK

pytestmark = pytest.mark.slow

EXPECTED = [11, 21, 31]
EVERY = 1 if SOAK else 170
"""Of so many AWS calls the gate dies at one."""


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("name", LIMITED)
def test_a_function_that_dies_at_an_aws_call_leaves_no_slot_and_fails_nothing(name: str, when: Any) -> None:
    expected, calls = calls_of(LIMITED[name])
    assert expected == EXPECTED
    for number in range(20 + 30 * WHENS.index(when), calls, EVERY):
        assert explore(LIMITED[name], {number: when})[0] == EXPECTED, (number, when)


@pytest.mark.parametrize("name", LIMITED)
def test_functions_that_die_twice_in_a_disorderly_world_come_to_the_same(name: str) -> None:
    for number, kills in enumerate(pairs(LIMITED[name], seed=1, count=60 if SOAK else 1)):
        assert explore(LIMITED[name], kills, seed=number + 1)[0] == EXPECTED, kills
