"""Parents, children, runs, signals and operators in one world, and the engine broken in each rule of them.

python -m tests.simulation.test_families WORKFLOW SEED        repeats one run and prints its trace
python -m tests.simulation.test_families --seconds 600        soaks: new seeds until the time is over
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from stepfast.backends.sqlite import runs
from stepfast.backends.sqlite import store as sqlite
from stepfast.engine import child_ids, children, continuing
from stepfast.engine.ports import End
from tests.simulation.breaking import edited
from tests.simulation.families import FAMILIES
from tests.simulation.family_watch import Violation
from tests.simulation.family_world import FamilyWorld

GATE = 8
"""Runs of each workflow in the gate."""
SEEN: dict[str, tuple[int, ...]] = {"reign": (134, 254), "generations": (12,)}
"""Seeds that have found a fault: a record of an older generation, a failure from before a resume."""
SEEDS = 60
"""Runs of a workflow at most until a mutant is noticed."""
Patch = pytest.MonkeyPatch
Wrong = Callable[[Patch], None]
WRONG: dict[str, tuple[str, str, int, Wrong]] = {}
"""By name: the invariant that is broken, the workflow and the first seed that show it, and what goes wrong."""


def played(workflow: str, seed: int) -> str:
    world = FamilyWorld(workflow, seed)
    try:
        status = world.play()
        assert status in ("SUCCEEDED", "CANCELLED"), status
        return status
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_families {workflow} {seed}")
        error.add_note("\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()


def played_all(workflow: str, seeds: Iterable[int]) -> list[str]:
    return [played(workflow, seed) for seed in seeds]


@pytest.mark.parametrize("workflow", FAMILIES)
def test_families_keep_their_invariants_under_crashes_duplicates_and_operators(workflow: str) -> None:
    ends = played_all(workflow, sorted({*range(GATE), *SEEN.get(workflow, ())}))
    assert ends.count("CANCELLED" if workflow == "endless" else "SUCCEEDED") >= GATE - 1


def breaks(invariant: str, workflow: str, first: int = 0) -> Callable[[Wrong], Wrong]:
    def put(wrong: Wrong) -> Wrong:
        WRONG[wrong.__name__] = invariant, workflow, first, wrong
        return wrong

    return put


@breaks("an-older-generation-reports-nothing", "deep", 14)
def a_report_does_not_look_at_the_generation(patch: Patch) -> None:
    edited(
        patch,
        sqlite.SqliteBackend,
        "report",
        (" AND generation = ?", ""),
        ("(execution_id, generation)", "(execution_id,)"),
    )
    edited(
        patch,
        children.Children,
        "report",
        ('(peeked[0].status, peeked[0].generation) != ("RUNNING", link.generation)', 'peeked[0].status != "RUNNING"'),
    )


@breaks("no-execution-is-stuck", "in-turn")
def the_link_of_a_child_is_not_moved(patch: Patch) -> None:
    async def kept(self: Any, execution: Any, link: Any) -> bool:
        return True

    patch.setattr(sqlite.SqliteBackend, "relink", kept)


@breaks("a-resume-leaves-the-old-failure-behind", "in-turn", 12)
def the_link_of_a_failed_child_is_moved_before_it_is_resumed(patch: Patch) -> None:
    edited(
        patch,
        children.Children,
        "_take_up",
        (
            "return (await self._resuming.rewind(id, held.generation, link=link)).cut is not None",
            "await self._store.relink(held, link); await self._resuming.rewind(id, held.generation); return True",
        ),
    )


@breaks("the-outcome-is-of-what-was-asked", "compensating")
def a_child_is_taken_up_whatever_its_input_was(patch: Patch) -> None:
    edited(
        patch,
        child_ids,
        "standing",
        ("if held.workflow != command.child.workflow.name or not", "if False and not"),
    )
    patch.setattr(children, "standing", child_ids.standing)


@breaks("no-execution-is-stuck", "in-turn")
def the_end_of_a_child_wakes_nobody(patch: Patch) -> None:
    right = End.__init__

    def init(self: End, execution: Any, counts: Any = None, wake: bool = False, *more: Any) -> None:
        right(self, execution, counts or {}, False, *more)

    patch.setattr(End, "__init__", init)


@breaks("no-child-is-left-running", "racing")
def the_children_of_an_ended_execution_run_on(patch: Patch) -> None:
    async def nothing(self: Any, snapshot: Any) -> None:
        pass

    patch.setattr(children.Children, "settle", nothing)
    patch.setattr(children.Children, "release", lambda self, parent, replay: nothing(self, replay))


@breaks("no-child-is-left-running", "endless")
def a_child_is_not_noted_before_it_is_started(patch: Patch) -> None:
    async def noted(self: Any, asked: Any, id: str) -> bool:
        return True

    patch.setattr(children.Children, "_note", noted)


# -- runs and children -----------------------------------------------------------------------------------------


@breaks("no-child-is-left-running", "reign")
def a_run_does_not_end_what_it_has_taken_back(patch: Patch) -> None:
    async def nothing(self: Any, parent: Any, replay: Any) -> None:
        replay.withdrawn.children.clear()

    patch.setattr(children.Children, "release", nothing)


@breaks("a-signal-is-taken-once", "reign", 4)
def a_signal_that_an_earlier_run_has_taken_goes_along(patch: Patch) -> None:
    edited(patch, continuing, "next_run", ("return NextRun(begun, ended, taken,", "return NextRun(begun, ended, (),"))


@breaks("no-execution-is-stuck", "heirs", 6)
def a_signal_that_no_wait_has_returned_stays_behind(patch: Patch) -> None:
    sql = "UPDATE signals SET execution_id = ? WHERE execution_id = ?"
    patch.setattr(runs, "_renumber", lambda tx, id, archive: tx.execute(sql, (archive, id)))


@breaks("a-resume-leaves-the-old-failure-behind", "heirs", 7)
def a_child_of_a_later_run_is_known_by_its_input(patch: Patch) -> None:
    edited(
        patch,
        child_ids,
        "_same_input",
        ("if before.asked == link.asked or held.run > 1:", "if False:"),
    )


@pytest.mark.parametrize("name", WRONG)
def test_the_simulation_notices_when_a_rule_of_children_is_broken(name: str, monkeypatch: Patch) -> None:
    invariant, workflow, first, wrong = WRONG[name]
    wrong(monkeypatch)
    with pytest.raises(Violation) as noticed:
        played_all(workflow, range(first, first + SEEDS))
    assert noticed.value.invariant == invariant, noticed.value


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--seconds"]:
        until, seed = time.monotonic() + float(arguments[1]), int(arguments[2]) if arguments[2:] else GATE
        while time.monotonic() < until:
            for workflow in FAMILIES:
                played(workflow, seed)
            seed += 1
        print(f"{seed} seeds")
        return
    world = FamilyWorld(arguments[0], int(arguments[1]))
    try:
        print(world.play())
    finally:
        print("\n".join(world.trace))


if __name__ == "__main__":
    main(sys.argv[1:])
