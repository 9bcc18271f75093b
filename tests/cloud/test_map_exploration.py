"""Maps, and runs with children, come to the same whatever dies when, in both homes.

All AWS calls: `python -m tests.cloud.explore "map tolerant" "map caught" "map redriven" lineage`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stepfast.testing import Environment
from tests.cloud.exploration import WHENS, Example, calls_of, explore, pairs
from tests.cloud.map_examples import BROKEN, EXPECTED, MAPS
from tests.lanes import SOAK

SAMPLE = {"before": 0.2, "after": 0.5, "lost": 0.8}
"""The AWS call at which the gate kills, in each way: a fraction of an example's calls."""


def played(example: Example, at: int | None) -> tuple[Any, list[str]]:
    """What an example comes to in the embedded home, whose process dies at this point; and all points."""
    with Environment(example.workflow, *example.others, check_replays=at is None) as env:
        example.prepare(env)  # type: ignore[arg-type]
        if at is not None:
            env.crash(at=at)
        run = env.run(example.workflow, example.input)
        BROKEN.clear()
        for _ in range(2):  # the process may die in the middle of a resume
            if run.status == "FAILED":
                env.resume(run)
                env.run_until(run)
        env.advance(timedelta(minutes=15))
        assert at is None or env.crashes, f"{at} was not reached"
        return example.outcome(run, None), env.points  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MAPS)
def test_a_process_that_dies_at_any_write_changes_no_result(name: str) -> None:
    outcome, points = played(MAPS[name], None)
    assert outcome == EXPECTED[name]
    for number in range(0, len(points), 1 if SOAK else 1 + len(points) // 15):
        assert played(MAPS[name], number)[0] == EXPECTED[name], f"{number}: {points[number]}"


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("when", WHENS)
def test_a_function_that_dies_at_an_aws_call_changes_no_result(name: str, when: Any) -> None:
    expected, calls = calls_of(MAPS[name])
    assert expected == EXPECTED[name]
    for number in range(calls) if SOAK else [int(SAMPLE[when] * calls)]:
        assert explore(MAPS[name], {number: when})[0] == EXPECTED[name], (number, when)


@pytest.mark.parametrize("name", MAPS)
def test_functions_that_die_twice_in_a_disorderly_world_change_no_result(name: str) -> None:
    for number, kills in enumerate(pairs(MAPS[name], seed=1, count=60 if SOAK else 1)):
        assert explore(MAPS[name], kills, seed=number + 1)[0] == EXPECTED[name], kills
