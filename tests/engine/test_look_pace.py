"""How often a worker looks at the execution of a step that runs."""

from __future__ import annotations

import itertools

import pytest

from stepfast.engine.step_watch import EVERY_TIME, LookPace


def looks(pace: LookPace, seconds: int) -> list[int]:
    """The ages at which a watch that is asked once a second looks."""
    due, ages = 0.0, []
    for age in range(1, seconds + 1):
        if age >= due:
            ages.append(age)
            due = age + pace.pause(age)
    return ages


def test_without_a_pace_every_second_is_looked_at() -> None:
    assert looks(EVERY_TIME, 30) == list(range(1, 31))


@pytest.mark.parametrize("age", [1, 7, 20, 99, 149])
def test_no_look_is_later_than_a_share_of_the_age(age: int) -> None:
    pace = LookPace(share=0.2, longest=30.0)
    after = next(each for each in looks(pace, 1000) if each > age)
    assert after - age <= 0.2 * age + 1


def test_looks_are_at_most_so_many_seconds_apart() -> None:
    ages = looks(LookPace(share=0.2, longest=30.0), 3600)
    assert max(later - earlier for earlier, later in itertools.pairwise(ages)) == 30


def test_looks_grow_with_the_logarithm_of_the_age() -> None:
    pace = LookPace(share=0.2, longest=1e9)
    assert len(looks(pace, 10_000)) - len(looks(pace, 1_000)) <= len(looks(pace, 1_000)) - len(looks(pace, 100)) + 1
