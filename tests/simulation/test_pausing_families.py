"""Families whose operator pauses the root, or whatever else runs, at any moment (rule *pause*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepfast.engine import children, pausing
from stepfast.model import Execution
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited
from tests.simulation.families import FAMILIES
from tests.simulation.family_watch import ROOT, Violation
from tests.simulation.family_world import FamilyWorld

SEEDS = seeds(8, 80)


class PausingFamily(FamilyWorld):
    """pauses: how often something was paused, at most six times."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.pauses = 0
        super().__init__(workflow, seed)

    def _from_outside(self) -> list[Callable[[], object]]:
        choices, members = super()._from_outside(), self.members()
        running = [member.execution_id for member in members if member.status == "RUNNING"]
        paused = [member.execution_id for member in members if member.status == "PAUSED"]
        if running and self.pauses < 6:
            choices += [lambda: self._pause_one(running)] * 2
        if paused:
            choices.append(lambda: self._operate(self._unpause, self.random.choice(paused)))
            if self.cancelling and ROOT in paused and self.random.random() < 0.2:
                choices.append(lambda: self._operate(self._cancel, ROOT))
        return choices

    def _pause_one(self, running: list[str]) -> None:
        self.pauses += 1
        one = ROOT if ROOT in running and self.random.random() < 0.6 else self.random.choice(running)
        self._operate(self._pause, one)

    async def _pause(self, execution_id: str) -> None:
        await self._engine()[2].pause(execution_id)

    async def _unpause(self, execution_id: str) -> None:
        await self._engine()[2].unpause(execution_id)

    def _idle(self) -> Callable[[], object] | None:
        if not self.queue:
            members = self.members()
            self._as_one(members)
            by_hand = [member.execution_id for member in members if member.status == "PAUSED" and not _with(member)]
            if by_hand:
                self.now += self.random.uniform(1, 60)
                return lambda: self._operate(self._unpause, self.random.choice(by_hand))
        return super()._idle()

    def _as_one(self, members: list[Execution]) -> None:
        """Once nothing is under way, children are paused with their parents, and go on with them."""
        statuses = {member.execution_id: member.status for member in members}
        for child in members:
            parent = statuses.get(child.link.parent) if child.link is not None and child.is_child else None
            if child.status == "RUNNING" and parent == "PAUSED":
                self.watch.violated("a-family-is-paused-as-one", f"{child.execution_id} runs: {statuses}")
            if child.status == "PAUSED" and _with(child) and parent == "RUNNING":
                self.watch.violated("a-family-is-paused-as-one", f"{child.execution_id} is PAUSED: {statuses}")


def _with(member: Execution) -> bool:
    return member.intervention is not None and member.intervention.parent is not None


def played(workflow: str, seed: int) -> int:
    world = PausingFamily(workflow, seed)
    try:
        status = world.play()
        assert status in ("SUCCEEDED", "CANCELLED"), status
        return world.pauses
    except Exception as error:
        error.add_note(f"workflow {workflow}, seed {seed}:\n" + "\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()


@pytest.mark.parametrize("workflow", FAMILIES)
def test_families_are_paused_as_one_and_go_on(workflow: str) -> None:
    assert sum(played(workflow, seed) for seed in SEEDS) > 4, "too little was paused to say anything"


# -- broken on purpose ---------------------------------------------------------------------------------------


def an_advance_pauses_no_children(patch: Patch) -> None:
    edited(patch, pausing.Pausing, "follow", ("await self.pause_children(execution, children_of(snapshot))", "pass"))


def a_child_is_taken_up_and_stays_paused(patch: Patch) -> None:
    edited(patch, children.Children, "_take_up", ("if is_paused_with(held):", "if False:"))
    # Each of the two mends what the other leaves out.
    edited(patch, children.Children, "rests", ("if snapshot.execution.unpaused_at is not None:", "if False:"))


MUTANTS: list[tuple[Any, str, int]] = [
    (an_advance_pauses_no_children, "endless", 2),
    (a_child_is_taken_up_and_stays_paused, "compensating", 0),
]
"""What goes wrong, and the first run that has shown it."""


@pytest.mark.parametrize(("broken", "workflow", "seed"), MUTANTS)
def test_it_is_noticed_when_a_family_is_paused_wrongly(
    broken: Callable[[Patch], None], workflow: str, seed: int, monkeypatch: Patch
) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation):
        _play_all(workflow, seed)


def _play_all(workflow: str, seed: int) -> None:
    played(workflow, seed)
    for other in range(80):
        for family in FAMILIES:
            played(family, other)
