"""The simulated world with an operator who cancels at any moment, and code that cleans up (rule *clean up*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepfast.engine import advancer, cancelling, chain, finish, step_handler
from stepfast.replay import issuing
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited
from tests.simulation.invariants import ID, Violation, check
from tests.simulation.world import Handler, World

SEEDS = seeds(50, 300)
FLOWS = ("tidies", "cancels")


class CleaningWorld(World):
    """cleaned: whether the code has begun to clean up. Clean-ups have all the time that they need, or very little."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.cleaned = False
        super().__init__(workflow, seed)
        self.cancelling = True

    def _from_outside(self, status: str | None) -> list[Callable[[], object]]:
        choices = super()._from_outside(status)
        if status == "RUNNING" and self.random.random() < 0.01:
            choices.append(lambda: self._spawn("cancel", self._cancel))
        return choices

    async def _cancel(self, handler: Handler) -> None:
        execution = await self._engine()[2].cancel(ID, cleanup=(100_000.0, 20.0)[self.seed % 5 == 4])
        self.promised["cancelled"] = True
        self.cleaned = self.cleaned or execution.status == "RUNNING"


def run(workflow: str, seed: int, limit: int = 20_000) -> CleaningWorld:
    world = CleaningWorld(workflow, seed)
    try:
        check(world, world.run(limit))
    except BaseException as error:
        error.add_note(f"workflow {workflow}, seed {seed}:\n" + "\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()
    return world


@pytest.mark.parametrize("workflow", FLOWS)
def test_what_is_cancelled_cleans_up_and_ends_cancelled(workflow: str) -> None:
    worlds = [run(workflow, seed) for seed in SEEDS]
    assert sum(one.cleaned for one in worlds) > 5, "too little was cleaned up to say anything"


# -- broken on purpose ---------------------------------------------------------------------------------------


def an_end_does_not_know_of_a_cancel(patch: Patch) -> None:
    edited(patch, finish, "finish", ("if replay.cancelled:", "if False:"))
    for module in (advancer, chain, step_handler):
        patch.setattr(module, "finish", finish.finish)


def what_cleans_up_has_the_ids_of_what_follows(patch: Patch) -> None:
    patch.setattr(issuing, "id_after", lambda id: id)


def a_cancel_begins_no_generation(patch: Patch) -> None:
    edited(patch, cancelling.Cancelling, "_turn", ("execution.generation + 1", "execution.generation"))


def a_cancel_wakes_nobody(patch: Patch) -> None:
    edited(patch, cancelling.Cancelling, "_turn", ("wake=True", "wake=False"))


MUTANTS: list[tuple[Any, int]] = [
    (an_end_does_not_know_of_a_cancel, 0),
    (what_cleans_up_has_the_ids_of_what_follows, 77),
    (a_cancel_begins_no_generation, 0),
    (a_cancel_wakes_nobody, 69),
]
"""What goes wrong, and the first seed that has shown it."""


@pytest.mark.parametrize(("broken", "first"), MUTANTS)
def test_it_is_noticed_when_cleaning_up_is_broken(
    broken: Callable[[Patch], None], first: int, monkeypatch: Patch
) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation):
        _run_all(first)


def _run_all(first: int) -> None:
    for seed in (first, *range(200)):
        for workflow in FLOWS:
            run(workflow, seed, limit=4_000)
