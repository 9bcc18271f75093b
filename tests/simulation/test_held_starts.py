"""Workflows that are paused in a seeded world: what starts of them begins nothing, and none of it is held for ever."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast.engine.holding import Holding
from stepfast.errors import Unavailable
from tests.simulation.breaking import Patch, edited, noticed
from tests.simulation.held_world import held


@pytest.mark.parametrize("first", range(0, 30, 15))
def test_a_paused_workflow_starts_nothing_and_holds_nothing_for_ever(first: int) -> None:
    worlds = [held(seed) for seed in range(first, first + 15)]
    assert sum(len(world.held) for world in worlds) >= 10


def a_start_does_not_look_whether_its_workflow_is_paused(patch: Patch) -> None:
    async def holds(self: Any, execution: Any, *, begun: bool = False) -> bool:
        return False

    patch.setattr(Holding, "holds", holds)


def what_is_known_of_pauses_is_never_read_again(patch: Patch) -> None:
    patch.setattr("stepfast.engine.advancer.PAUSES_KEPT_SECONDS", 1e9)


def a_hold_that_comes_after_the_unpause_is_not_looked_at_again(patch: Patch) -> None:
    edited(patch, Holding, "follow", ("not in await self._store.workflow_pauses.all(settled=True)", "is None"))


def a_held_one_is_noted_after_the_look(patch: Patch) -> None:
    note = "await self._store.workflow_pauses.note_held(note)"
    edited(
        patch,
        Holding,
        "follow",
        (f"    {note}\n", ""),
        ("    return True", f"    {note}\n    return True"),
    )


def a_held_one_is_not_noted(patch: Patch) -> None:
    edited(patch, Holding, "follow", ("await self._store.workflow_pauses.note_held(note)", "pass"))


def a_hold_wakes_nobody(patch: Patch) -> None:
    edited(patch, Holding, "holds", ("wake=True, untouched=True", "wake=False, untouched=True"))


MUTANTS: dict[Any, int] = {
    a_start_does_not_look_whether_its_workflow_is_paused: 3,
    what_is_known_of_pauses_is_never_read_again: 6,
    a_hold_that_comes_after_the_unpause_is_not_looked_at_again: 0,
    a_held_one_is_noted_after_the_look: 152,
    a_held_one_is_not_noted: 0,
    a_hold_wakes_nobody: 5,
}
"""Each wrong engine, and the seed that shows it soonest."""


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: wrong.__name__)
def test_each_rule_of_held_starts_that_is_broken_is_noticed(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    assert noticed(held, MUTANTS[wrong], 40, Unavailable)
