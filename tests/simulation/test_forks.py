"""Forks in the simulated world of families, and the engine broken in each of their rules.

python -m tests.simulation.test_forks WORKFLOW SEED        repeats one run and prints its trace
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.simulation.breaking import Patch
from tests.simulation.family_watch import Violation
from tests.simulation.fork_world import ForkingWorld
from tests.simulation.mutants_of_forks import WRONG

FLOWS = ("in-turn", "side-by-side", "compensating", "deep", "generations")
GATE = 10
SEEDS = 40
"""Runs of each workflow at most until a mutant is noticed."""


def played(workflow: str, seed: int) -> ForkingWorld:
    world = ForkingWorld(workflow, seed)
    try:
        status = world.play(40_000)
        assert status in ("SUCCEEDED", "CANCELLED"), status
        return world
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_forks {workflow} {seed}")
        error.add_note("\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()


@pytest.mark.parametrize("workflow", FLOWS)
def test_forks_and_their_origins_leave_each_other_alone(workflow: str) -> None:
    worlds = [played(workflow, seed) for seed in range(GATE)]
    done = sum((world.done for world in worlds), Counter[str]())
    assert done["fork"] > GATE
    assert done["copy"] > 0
    assert done["erase"] > 0


@pytest.mark.parametrize(
    ("invariant", "wrong"), [(name, wrong) for name, mutants in WRONG.items() for wrong in mutants]
)
def test_it_is_noticed_when_forks_are_broken(invariant: str, wrong: object, monkeypatch: Patch) -> None:
    assert callable(wrong)
    wrong(monkeypatch)
    with pytest.raises(Violation) as noticed:
        _play_all()
    assert noticed.value.invariant == invariant


def _play_all() -> None:
    for seed in range(SEEDS):
        for workflow in ("compensating", "side-by-side"):
            played(workflow, seed)


if __name__ == "__main__":
    print("\n".join(played(sys.argv[1], int(sys.argv[2])).trace))
