"""Every AWS call of an example is a place to die. All of them, in every way: `python -m tests.cloud.explore`."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.exploration import calls_of, explore, pairs, points
from tests.cloud.explored import EXAMPLES
from tests.lanes import SOAK

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # each of these runs its example a hundred times
Told = Callable[[str, object], None]
NAMES = [*EXAMPLES]
MANY = 60
"""Calls of an example from which on the gate leaves some out."""


def turn_of(name: str, step: int) -> int:
    """The first point that is tried: the examples are in pairs that begin alike (explored.py)."""
    return NAMES.index(name) % 2 * (step // 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_dying_at_any_call_changes_no_result(name: str, when: Any, record_property: Told) -> None:
    """What dies before a call leaves mostly what was there after the call before it: the gate tries a quarter of those.

    Of the others it tries every second one, every third where there are many; each night all of them. Two examples that
    begin alike take turns, so that each call of what they have in common is tried in one of them.
    """
    example = EXAMPLES[name]
    with example.world():
        expected, calls = calls_of(example)
        everywhere = [*points(example, (when,))]
        step = 1 if SOAK else 4 if when == "before" else 3 if calls > MANY else 2
        for kills in (tried := everywhere[turn_of(name, step) :: step]):
            assert explore(example, kills)[0] == expected, kills
    record_property("crash points", len(tried))
    assert len(everywhere) == calls > 10


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_is_lost_changes_no_result(name: str, record_property: Told) -> None:
    example, step = EXAMPLES[name], 1 if SOAK else 4
    with example.world():
        expected, _ = calls_of(example)
        for kills in (lost := [*points(example, ("lost",))][turn_of(name, step) :: step]):
            assert explore(example, kills)[0] == expected, kills
    record_property("crash points", len(lost))


@pytest.mark.parametrize("name", NAMES)
def test_dying_twice_changes_no_result(name: str, record_property: Told) -> None:
    example = EXAMPLES[name]
    with example.world():
        expected, _ = calls_of(example)
        for number, kills in enumerate(twice := [*pairs(example, seed=1, count=60 if SOAK else 6)]):
            assert explore(example, kills, seed=number + 1)[0] == expected, kills
    record_property("crash points", len(twice))
