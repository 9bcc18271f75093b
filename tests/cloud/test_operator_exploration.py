"""What operators do comes to the same whatever dies when, in both homes.

All AWS calls: `python -m tests.cloud.explore job fork shown "cleaned up"`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast.testing import Environment
from tests.cloud.exploration import WHENS, calls_of, explore, pairs
from tests.cloud.operator_examples import OPERATED, UP
from tests.lanes import SOAK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
EVERY = 1 if SOAK else 150
"""Of so many AWS calls the gate dies at one."""
EVERY_WRITE = 1 if SOAK else 6


def played(name: str, at: int | None) -> tuple[Any, list[str]]:
    example, UP["is"] = OPERATED[name], False
    with Environment(example.workflow, *example.others) as env:
        if at is not None:
            env.crash(at=at)
        run = env.start(example.workflow, example.input, "explored")
        example.play(env, run)  # type: ignore[arg-type]
        env.advance(timedelta(minutes=15))
        assert run.status == example.status, run
        return example.outcome(run, Path()), env.points


@pytest.mark.parametrize("name", OPERATED)
def test_a_process_that_dies_at_any_write_changes_no_result(name: str) -> None:
    expected, points = played(name, None)
    assert len(points) > 5
    for number in range(0, len(points), EVERY_WRITE):
        assert played(name, number)[0] == expected, f"{number}: {points[number]}"


@pytest.mark.parametrize("name", OPERATED)
def test_a_function_that_dies_at_an_aws_call_changes_no_result(name: str) -> None:
    example = OPERATED[name]
    expected, calls = calls_of(example)
    for when in WHENS:
        for number in range(WHENS.index(when), calls, EVERY):
            assert explore(example, {number: when})[0] == expected, (number, when)


@pytest.mark.parametrize("name", OPERATED if SOAK else ["fork"])
def test_functions_that_die_twice_in_a_disorderly_world_change_no_result(name: str) -> None:
    example = OPERATED[name]
    expected, _ = calls_of(example)
    for number, kills in enumerate(pairs(example, seed=1, count=60 if SOAK else 1)):
        assert explore(example, kills, seed=number + 1)[0] == expected, kills
