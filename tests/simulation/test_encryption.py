"""Encrypted executions in the simulated world, and encryption broken in each of its rules (rule *encryption*).

python -m tests.simulation.test_encryption WORKFLOW SEED        repeats one run and prints its trace
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from stepfast.engine import sealed_store
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited, shown
from tests.simulation.encrypted_world import EncryptedWorld

FLOWS = ("side-by-side", "compensating", "deep")
SEEDS = seeds(6, 200)
MOST_RUNS = 60


def played(workflow: str, seed: int) -> EncryptedWorld:
    world = EncryptedWorld(workflow, seed)
    try:
        status = world.play(40_000)
        assert status in ("SUCCEEDED", "CANCELLED"), status
        world.last_look()
        return world
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_encryption {workflow} {seed}")
        error.add_note("\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()


@pytest.mark.parametrize("workflow", FLOWS)
def test_no_value_is_in_the_clear_and_keys_go_with_their_executions_alone(workflow: str) -> None:
    worlds = [played(workflow, seed) for seed in SEEDS]
    assert sum(one.seen for one in worlds) > 100
    assert sum(one.destroyed for one in worlds) > 3, "too little was deleted to say anything"
    assert sum(one.tidied for one in worlds) > 0, "nobody died between a key and its execution"


# -- broken on purpose ---------------------------------------------------------------------------------------


def a_fork_takes_its_records_over_in_the_clear(patch: Patch) -> None:
    edited(
        patch,
        sealed_store,
        "_sealed_copy",
        ("tuple(_sealed_records(key, copy.records, copy.execution.run))", "tuple(copy.records)"),
    )


def a_fork_takes_the_key_of_its_origin(patch: Patch) -> None:
    right = sealed_store.SealedStore._new_key

    async def shared(self: Any, execution: Any) -> Any:
        if execution.forked is None:
            return await right(self, execution)
        return await self.keys.look_up(execution.forked.execution_id)

    patch.setattr(sealed_store.SealedStore, "_new_key", shared)


def results_are_written_as_they_are(patch: Patch) -> None:
    edited(patch, sealed_store.SealedStore, "commit", ("sealing.seal_record(key, commit.record, run)", "commit.record"))


def the_sweep_destroys_keys_of_starts_under_way(patch: Patch) -> None:
    edited(patch, sealed_store.SealedStore, "unused_keys", ("if entry.made_at < before", ""))


def a_deletion_leaves_the_key(patch: Patch) -> None:
    edited(patch, sealed_store.SealedStore, "erase", ("if erased:", "if False:"))


def a_deletion_begins_with_the_key(patch: Patch) -> None:
    edited(
        patch,
        sealed_store.SealedStore,
        "erase",
        (
            "erased = await self._store.erase(execution)\n",
            "await self._ring.destroy(ids); erased = await self._store.erase(execution)\n",
        ),
    )


MUTANTS: list[tuple[str, Callable[[Patch], None], str, int]] = [
    ("nothing-is-in-the-clear", a_fork_takes_its_records_over_in_the_clear, "side-by-side", 0),
    ("nothing-is-in-the-clear", results_are_written_as_they_are, "side-by-side", 0),
    ("a-living-one-keeps-its-key", a_fork_takes_the_key_of_its_origin, "side-by-side", 0),
    ("a-living-one-keeps-its-key", the_sweep_destroys_keys_of_starts_under_way, "compensating", 1),
    ("a-living-one-keeps-its-key", a_deletion_begins_with_the_key, "compensating", 1),
    ("a-deleted-one-is-unreadable", a_deletion_leaves_the_key, "side-by-side", 1),
]
"""The invariant that is broken, what goes wrong, and the first run that has shown it."""


@pytest.mark.parametrize(("invariant", "broken", "workflow", "seed"), MUTANTS)
def test_it_is_noticed_when_encryption_is_broken(
    invariant: str,
    broken: Callable[[Patch], None],
    workflow: str,
    seed: int,
    monkeypatch: Patch,
    record_property: Callable[[str, object], None],
) -> None:
    runs = [(workflow, seed), *((flow, other) for other in range(MOST_RUNS) for flow in FLOWS)]
    shown(invariant, broken, monkeypatch, runs, lambda run: played(*run), record_property)


if __name__ == "__main__":
    print("\n".join(played(sys.argv[1], int(sys.argv[2])).trace))
