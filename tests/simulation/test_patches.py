"""An edit behind `patched` is deployed at any moment of a run in which everything else happens as well (rule *patch*).

python -m tests.simulation.test_patches SEED     repeats one run and prints its trace
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import patched
from stepfast.engine import order as orders
from stepfast.language.context import StepContext
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.model import Snapshot
from stepfast.replay.patches import answers_in
from stepfast.replay.patching import Patching
from stepfast.replay.replay import Replay
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited
from tests.simulation.invariants import Violation, Watch, check
from tests.simulation.workflows import do
from tests.simulation.world import World

SEEDS = seeds(12, 1500)
TOLD = {"q": "fee", "refund": "tidy", "work": "late", "note": "late", "end": "late"}
"""Steps whose argument ends with the answer to a patch, or False where the code does not ask yet."""


async def edited_flow(new: bool) -> Any:
    """It asks in tasks side by side, on the way down from a failure, and between two steps of a chain."""
    await do("s0")

    async def branch(index: int) -> Any:
        await do("p", index)
        return await do("q", [index, new and patched("fee")])

    async with asyncio.TaskGroup() as group:
        for index in range(3):
            group.create_task(branch(index))
    try:
        await asyncio.gather(do("down", 1), do("slow"))
    except Exception:
        await do("refund", [1, new and patched("tidy")])
        raise
    await do("s1")
    late = new and patched("late")
    await do("work" if late else "note", [1, late])
    ended = await do("end", [1, late])
    return ended[1][-1]


async def before() -> Any:
    return await edited_flow(False)


async def after() -> Any:
    return await edited_flow(True)


class EditWatch(Watch):
    """answers: by patch, those by which steps have begun, in any generation and of any code."""

    def __init__(self, world: PatchedWorld) -> None:
        super().__init__(world)
        self._edit = world
        self.answers: dict[str, set[bool]] = defaultdict(set)

    def begun(self, step: Step[..., Any], context: StepContext, arguments: inspect.BoundArguments) -> None:
        super().begun(step, context, arguments)
        if step.name not in TOLD:
            return
        patch, answer = TOLD[step.name], arguments.arguments["argument"][-1]
        self.answers[patch].add(answer)
        if len(self.answers[patch]) > 1:
            self.violated("an-edit-goes-one-way", f"{context.step_id} begins with {answer}, others with another answer")
        snapshot = self._edit.snapshot()
        assert snapshot is not None
        if answer and answers_in(snapshot.cursor.applied).get(patch) is not True:
            self.violated("an-edit-goes-one-way", f"{context.step_id} begins, and the answer is not durable")

    def _replayed(self, snapshot: Snapshot) -> Replay:
        found = self._edit.registry.get(snapshot.execution.workflow)
        assert found is not None
        replay = Replay(found, snapshot.execution)
        replay.sent = snapshot.cursor.dispatched
        try:
            replay.advance(snapshot.records, snapshot.cursor.applied)
        finally:
            replay.close()
        return replay


class PatchedWorld(World):
    """A deployment is a restart with the new code. moment: the turn before which it comes."""

    def __init__(self, seed: int) -> None:
        super().__init__("edited", seed)
        self.moment = (0, 40, 80, 160, 320)[seed % 5] + self.random.randrange(80)
        self.outage += self.random.choice((0, 400, 1500))  # so that it fails, and is resumed, now and then repeatedly
        self.registry = Registry([Workflow(before, "edited")])
        self.watch = self.answers_watch = EditWatch(self)
        self.deployed = False
        self._open()

    def _choose(self, status: str | None) -> Callable[[], object] | None:
        if not self.deployed and self.turns >= self.moment and status is not None:
            return self._deploy
        return super()._choose(status)

    def _deploy(self) -> None:
        self.note("the edit is deployed")
        self.deployed, self.registry = True, Registry([Workflow(after, "edited")])
        self._restart()


def run(seed: int, *, trace: bool = False) -> str:
    """How the run ended: by the new code or the old."""
    world = PatchedWorld(seed)
    try:
        status = world.run()
        check(world, status)
        snapshot = world.snapshot()
        assert snapshot is not None
        if snapshot.execution.error is not None:
            raise Violation("an-edit-goes-one-way", f"it has failed: {snapshot.execution.error}")
        if status == "CANCELLED":
            return "cancelled"
        took = snapshot.execution.result == "true"
        if world.answers_watch.answers["late"] != {took}:
            raise Violation("an-edit-goes-one-way", f"it ended by {took}, its steps by {world.answers_watch.answers}")
        return "new" if took else "old"
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_patches {seed}")
        error.add_note("\n".join(world.trace[-200 if trace else -60 :]))
        raise
    finally:
        world.close()


def test_whenever_an_edit_is_deployed_each_execution_goes_one_way() -> None:
    went = Counter(run(seed) for seed in SEEDS)
    assert min(went["new"], went["old"]) >= len(SEEDS) / 10, went


# -- broken on purpose ---------------------------------------------------------------------------------------


def what_is_recorded_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(Patching, "_is_past", lambda self: False)


def an_answer_is_not_in_the_order(patch: Patch) -> None:
    edited(patch, Patching, "_answer", ("self.applied.append(mark_for(patch, not past))", "pass"))


def a_worker_follows_an_answer_that_is_not_durable(patch: Patch) -> None:
    edited(patch, Patching, "_answer", ("self._begin_choices()", "pass"))


def a_cut_takes_answers_back(patch: Patch) -> None:
    patch.setattr(orders, "marks_in", lambda applied: [])


MUTANTS: list[tuple[Any, int]] = [
    (what_is_recorded_is_not_looked_at, 4),
    (an_answer_is_not_in_the_order, 0),
    (a_worker_follows_an_answer_that_is_not_durable, 1),
    (a_cut_takes_answers_back, 10),
]
"""What goes wrong, and the first run that has shown it."""


@pytest.mark.parametrize(("broken", "seed"), MUTANTS)
def test_it_is_noticed_when_an_answer_does_not_hold(
    broken: Callable[[Patch], None], seed: int, monkeypatch: Patch
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        _run_all(seed)


def _run_all(first: int) -> None:
    for seed in (first, *range(300)):
        run(seed)


if __name__ == "__main__":
    print(run(int(sys.argv[1]), trace=True))
