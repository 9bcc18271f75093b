"""The simulated world with an operator who deletes what has failed, and clients who start it again at once.

What still works for the deleted execution goes on: workers in the middle of a step, advances, resumes, redrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepfast.backends.sqlite import record_writes, rows
from stepfast.model import Execution
from tests.lanes import seeds
from tests.simulation.invariants import ID, Violation, check
from tests.simulation.world import Handler, World

SEEDS = seeds(30, 200)
FLOWS = ("saga", "halves", "only_once", "torn", "approvals")


class DeletingWorld(World):
    """`epoch` counts deletions; what a client was told before one is no promise after it."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.epoch, self.zombies = 0, 0
        super().__init__(workflow, seed)
        self.cancelling = False
        self.outage = max(self.outage, 1060.0)

    def _open(self) -> None:
        super()._open()
        erase = self.backend.erase

        async def counted(execution: Execution) -> bool:
            gone = await erase(execution)
            if gone:
                self.note(f"deleted, generation {execution.generation}")
                self.epoch += 1
                self.deleted.append(execution.status)
                self.watch.deleted()
                self.zombies += sum(one.name == "message" for one in self.live)
                self.promised, self.ended, self.unsent = {}, None, {0, 1, 2}
            return gone

        self.backend.erase = counted  # type: ignore[method-assign]

    def _from_outside(self, status: str | None) -> list[Callable[[], object]]:
        choices = super()._from_outside(status)
        if status == "FAILED" and self.epoch < 3 and self.random.random() < 0.5:
            choices.append(lambda: self._spawn("delete", self._delete))
        if status is None and self.epoch:
            choices.append(lambda: self._spawn("start", self._start))
        return choices

    async def _delete(self, handler: Handler) -> None:
        await self._engine()[2].delete(ID)

    async def _kept(self, work: Callable[[Handler], Any], handler: Handler) -> None:
        """What the client was told counts only if nothing was deleted since it asked."""
        epoch, promised = self.epoch, self.promised
        await work(handler)
        if epoch != self.epoch and promised is not self.promised:
            self.promised = {}

    async def _start(self, handler: Handler) -> None:
        await self._kept(super()._start, handler)

    async def _resume(self, handler: Handler) -> None:
        await self._kept(super()._resume, handler)

    async def _signal(self, handler: Handler) -> None:
        await self._kept(super()._signal, handler)


def run(workflow: str, seed: int) -> DeletingWorld:
    world = DeletingWorld(workflow, seed)
    try:
        check(world, world.run())
    except BaseException as error:
        error.add_note(f"workflow {workflow}, seed {seed}:\n" + "\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()
    return world


@pytest.mark.parametrize("workflow", FLOWS)
def test_the_invariants_hold_for_an_execution_whose_id_was_deleted_before(workflow: str) -> None:
    worlds = [run(workflow, seed) for seed in SEEDS]
    assert sum(one.epoch for one in worlds) > 4, "too little was deleted to say anything"


def test_workers_outlive_what_was_deleted() -> None:
    assert sum(run("saga", seed).zombies for seed in SEEDS) > 5


Patch = pytest.MonkeyPatch


def a_new_one_begins_at_generation_0(patch: Patch) -> None:
    text = rows.INSERT_EXECUTION.replace("generation >= ?", "? IS NULL")
    assert text != rows.INSERT_EXECUTION
    patch.setattr(rows, "INSERT_EXECUTION", text)


def first_records_ask_for_no_execution(patch: Patch) -> None:
    text = rows.INSERT_RECORD.replace("first_generation <= ?", "? NOT NULL")
    assert text != rows.INSERT_RECORD
    patch.setattr(rows, "INSERT_RECORD", text)


def short_first_records_ask_for_no_execution(patch: Patch) -> None:
    for name in ("INSERT_CLAIM", "INSERT_RESULT"):
        text = getattr(record_writes, name).replace("first_generation <= ?", "? NOT NULL")
        assert text != getattr(record_writes, name)
        patch.setattr(record_writes, name, text)


def records_follow_those_of_a_later_generation(patch: Patch) -> None:
    text = rows.UPDATE_RECORD.replace("generation <= ?", "? NOT NULL")
    assert text != rows.UPDATE_RECORD
    patch.setattr(rows, "UPDATE_RECORD", text)


@pytest.mark.parametrize(
    "broken",
    [
        a_new_one_begins_at_generation_0,
        first_records_ask_for_no_execution,
        short_first_records_ask_for_no_execution,
        records_follow_those_of_a_later_generation,
    ],
)
def test_it_is_noticed_when_deletion_is_broken(broken: Callable[[Patch], None], monkeypatch: Patch) -> None:
    broken(monkeypatch)
    with pytest.raises((Violation, AssertionError)):
        _run_all()


def _run_all() -> None:
    for seed in range(150):
        for workflow in FLOWS:
            run(workflow, seed)
