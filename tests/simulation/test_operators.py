"""Operators who do everything at any moment, and the engine broken in each of the rules of what they do.

python -m tests.simulation.test_operators WORKFLOW SEED [MANY]     repeats one run and prints its trace, or runs many
"""

from __future__ import annotations

import itertools
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stepfast.backends.sqlite import deletion, rows
from stepfast.engine import answering, children, job_runner
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited, shown
from tests.simulation.mutants_of_forks import a_fork_moves_the_records, copies_belong_to_the_origin
from tests.simulation.operator_world import InTurn, OperatorWorld
from tests.simulation.test_pausing import a_closed_one_is_resumed
from tests.simulation.test_pausing_families import an_advance_pauses_no_children

FLOWS = ("approving", "in-turn", "side-by-side", "compensating", "deep", "generations")
SEEDS = seeds(8, 300)
MOST_RUNS = 100


def played(workflow: str, seed: int, *, trace: bool = False) -> OperatorWorld:
    world = OperatorWorld(workflow, seed)
    try:
        status = world.play(40_000)
        assert status in ("SUCCEEDED", "CANCELLED"), status
        world.verdict()
        return world
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_operators {workflow} {seed}")
        error.add_note("\n".join(world.trace[-200 if trace else -60 :]))
        raise
    finally:
        world.close()


@contextmanager
def without_a_loop() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_runner, "asyncio", InTurn)
        patch.setattr(job_runner.log, "disabled", True)
        yield


@pytest.mark.parametrize("workflow", FLOWS)
def test_whatever_operators_do_the_invariants_hold(workflow: str) -> None:
    with without_a_loop():
        worlds = [played(workflow, seed) for seed in SEEDS]
    did = sum((world.did + world.done for world in worlds), Counter[str]())
    assert {"pause", "unpause", "job", "by a job", "fork"} <= did.keys(), did
    if workflow == "approving":
        assert {"link", "close", "reopen", "repair", "erase"} <= did.keys(), did


# -- broken on purpose ---------------------------------------------------------------------------------------


def a_repair_is_overwritten_by_the_attempt_before_it(patch: Patch) -> None:
    text = rows.UPDATE_RECORD.replace("revision = ?", "? > 0")
    assert text != rows.UPDATE_RECORD
    patch.setattr(rows, "UPDATE_RECORD", text)


def a_link_takes_each_answer(patch: Patch) -> None:
    numbers = itertools.count()
    patch.setattr(answering, "signal_id_of", lambda link: f"{link}-{next(numbers)}")


def a_repeated_job_undoes_what_others_have_done(patch: Patch) -> None:
    patch.setattr(job_runner, "hand_mark", lambda hand: None)


def a_job_leaves_some_of_its_list_out(patch: Patch) -> None:
    edited(patch, job_runner, "_choose", ('skipped.append([id, f"no execution has the id {id!r}"])', "pass"))


def a_resumed_child_does_not_look_at_its_parent(patch: Patch) -> None:
    async def rests(self: Any, child: Any) -> bool:
        return False

    patch.setattr(children.Children, "_rests_with_parent", rests)


def an_unpause_leaves_children_that_were_resumed_alone(patch: Patch) -> None:
    edited(patch, children.Children, "rests", ("if snapshot.execution.unpaused_at is not None:", "if False:"))


def the_end_of_a_parent_releases_no_children(patch: Patch) -> None:
    edited(patch, children.Children, "settle", ("if snapshot.execution.intervention is None:", "if True:"))


def a_deletion_leaves_signals(patch: Patch) -> None:
    patch.setattr(deletion, "TABLES", [table for table in deletion.TABLES if table != "signals"])


MUTANTS: list[tuple[str, Callable[[Patch], None], str, int]] = [
    ("a-closed-one-is-not-resumed", a_closed_one_is_resumed, "approving", 1),
    ("a-family-is-paused-as-one", an_advance_pauses_no_children, "generations", 8),
    ("a-family-is-paused-as-one", a_resumed_child_does_not_look_at_its_parent, "generations", 301),
    ("a-family-is-paused-as-one", an_unpause_leaves_children_that_were_resumed_alone, "compensating", 2076),
    ("no-child-is-left-running", the_end_of_a_parent_releases_no_children, "compensating", 2007),
    ("a-repair-stands", a_repair_is_overwritten_by_the_attempt_before_it, "deep", 14),
    ("a-link-works-once", a_link_takes_each_answer, "approving", 0),
    ("a-job-acts-once", a_repeated_job_undoes_what_others_have_done, "deep", 1),
    ("a-job-acts-once", a_job_leaves_some_of_its_list_out, "approving", 0),
    ("a-fork-leaves-its-origin-alone", a_fork_moves_the_records, "side-by-side", 0),
    ("a-deletion-takes-its-own-alone", copies_belong_to_the_origin, "deep", 3),
    ("a-deletion-takes-its-own-alone", a_deletion_leaves_signals, "approving", 0),
]
"""The invariant that is broken, what goes wrong, and the first run that has shown it."""


@pytest.mark.parametrize(("invariant", "broken", "workflow", "seed"), MUTANTS)
def test_it_is_noticed_when_what_operators_do_is_broken(
    invariant: str,
    broken: Callable[[Patch], None],
    workflow: str,
    seed: int,
    monkeypatch: Patch,
    record_property: Callable[[str, object], None],
) -> None:
    runs = [(workflow, seed), *((flow, other) for other in range(MOST_RUNS) for flow in FLOWS)]
    with without_a_loop():
        shown(invariant, broken, monkeypatch, runs, lambda run: played(*run), record_property)


def main() -> int:
    workflow, first, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    wrong, did = 0, Counter[str]()
    with without_a_loop():
        for seed in range(first, first + many):
            for flow in FLOWS if workflow == "all" else (workflow,):
                try:
                    did += played(flow, seed, trace=many == 1).did
                except Exception as error:
                    wrong += 1
                    if many == 1:
                        traceback.print_exc()
                    else:
                        print(flow, seed, type(error).__name__, str(error)[:300], flush=True)
    print(f"{many} seeds, {wrong} wrong; {dict(did)}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
