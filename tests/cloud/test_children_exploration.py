"""Parents and children come to the same whatever dies when, in both homes.

All AWS calls: `python -m tests.cloud.explore family`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stepfast.testing import Environment
from tests.cloud.exploration import WHENS, calls_of, explore, pairs
from tests.cloud.families import EXPECTED, FAMILY, MEMBERS, family, outcome_of
from tests.lanes import SOAK

EVERY = 1 if SOAK else 90
"""Of so many AWS calls the gate dies at one."""


def played(at: int | None) -> tuple[Any, list[str]]:
    with Environment(family, *MEMBERS) as env:
        if at is not None:
            env.crash(at=at)
        run = env.run(family, 0)
        env.advance(timedelta(minutes=15))
        return outcome_of(run), env.points


def test_a_process_that_dies_at_any_write_changes_no_result() -> None:
    outcome, points = played(None)
    assert outcome == EXPECTED
    assert len(points) > 50
    for number in range(0, len(points), 1 if SOAK else 9):
        assert played(number)[0] == EXPECTED, f"{number}: {points[number]}"


@pytest.mark.parametrize("when", WHENS)
def test_a_function_that_dies_at_an_aws_call_changes_no_result(when: Any) -> None:
    expected, calls = calls_of(FAMILY)
    assert expected == EXPECTED
    for number in range(WHENS.index(when), calls, EVERY):
        assert explore(FAMILY, {number: when})[0] == EXPECTED, (number, when)


def test_functions_that_die_twice_in_a_disorderly_world_change_no_result() -> None:
    for number, kills in enumerate(pairs(FAMILY, seed=1, count=60 if SOAK else 1)):
        assert explore(FAMILY, kills, seed=number + 1)[0] == EXPECTED, kills
