"""Updates while operators do everything: answered once by their ids, and refused without a trace (rule *update*).

python -m tests.simulation.test_updates_of_operators SEED        repeats one run and prints its trace
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stepfast.engine import updating
from tests.lanes import seeds
from tests.simulation.breaking import Patch, shown
from tests.simulation.test_operators import without_a_loop
from tests.simulation.test_updates import a_resume_opens_an_answer_again
from tests.simulation.updated_world import UpdatedWorld

SEEDS = seeds(12, 300)
MOST_RUNS = 150


def played(seed: int) -> UpdatedWorld:
    world = UpdatedWorld("settling", seed)
    try:
        status = world.play(40_000)
        assert status in ("SUCCEEDED", "CANCELLED"), status
        world.verdict()
        return world
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_updates_of_operators {seed}")
        error.add_note("\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()


def test_updates_are_answered_once_whatever_operators_do() -> None:
    with without_a_loop():
        worlds = [played(seed) for seed in SEEDS]
    assert sum(len(one.told) for one in worlds) > len(SEEDS)
    assert sum(one.refused for one in worlds) > 0
    did = sum((world.did + world.done for world in worlds), Counter[str]())
    assert {"pause", "job", "fork"} <= did.keys(), did


def an_update_is_stored_unchecked(patch: Patch) -> None:
    async def unchecked(self: Any, *about: Any) -> None:
        return None

    patch.setattr(updating.Updating, "_check", unchecked)


MUTANTS: list[tuple[str, Callable[[Patch], None], int]] = [
    ("an-update-is-answered-once", a_resume_opens_an_answer_again, 37),
    ("a-refused-update-leaves-nothing", an_update_is_stored_unchecked, 4),
]
"""The invariant that is broken, what goes wrong, and the first seed that has shown it."""


@pytest.mark.parametrize(("invariant", "broken", "first"), MUTANTS)
def test_it_is_noticed_when_updates_are_broken_among_operators(
    invariant: str,
    broken: Callable[[Patch], None],
    first: int,
    monkeypatch: Patch,
    record_property: Callable[[str, object], None],
) -> None:
    with without_a_loop():
        shown(invariant, broken, monkeypatch, [first, *range(MOST_RUNS)], played, record_property)


if __name__ == "__main__":
    with without_a_loop():
        print("\n".join(played(int(sys.argv[1])).trace))
