"""Thousands of seeded runs of the real engine, each checked against the invariants.

python -m tests.simulation.test_simulation WORKFLOW SEED     repeats one run and prints its trace
python -m tests.simulation.test_simulation --seconds 600     soaks: new seeds until the time is over
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lanes import seeds
from tests.simulation.first_seeds import FIRST
from tests.simulation.invariants import check
from tests.simulation.workflows import WORKFLOWS
from tests.simulation.world import World

GATE = int(os.environ.get("STEPFAST_SEEDS", "60"))
"""Runs of each workflow in the gate, of about 40 ms each; fewer on Pythons that are tested besides."""
NIGHT = 500


@contextmanager
def ran(workflow: str, seed: int) -> Iterator[World]:
    """The world after its run, which kept every invariant; it is closed at the end of the block."""
    world = World(workflow, seed)
    try:
        try:
            check(world, world.run())
        except Exception as error:
            error.add_note(f"repeat it with: python -m tests.simulation.test_simulation {workflow} {seed}")
            error.add_note("\n".join(world.trace[-60:]))
            raise
        yield world
    finally:
        world.close()


def attempts(workflow: str, seed: int) -> int:
    with ran(workflow, seed) as world:
        return world.watch.runs.total()


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS))
def test_every_invariant_holds_under_crashes_duplicates_and_operators(workflow: str) -> None:
    """The gate's seeds, and those that notice a mutant: what it takes to see each kind of fault is tried every time."""
    tried = {*seeds(GATE, NIGHT), *(seed for name, seed in FIRST.values() if name == workflow)}
    assert sum(attempts(workflow, seed) for seed in sorted(tried)) > len(tried), (
        "the simulation did not run the steps it is about"
    )


def test_a_clean_run_needs_no_resume_and_runs_every_step_once() -> None:
    with ran("linear", 0) as world:
        assert world.promised.get("generation", 0) == 0
        assert max(world.watch.runs.values()) <= 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workflow", nargs="?", choices=sorted(WORKFLOWS))
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--from", dest="first", type=int, default=NIGHT)
    options = parser.parse_args()
    if options.workflow and not options.seconds:
        world = World(options.workflow, options.seed)
        try:
            status = world.run()
            check(world, status)
        finally:
            print("\n".join(world.trace))
            world.close()
        print(status)
        return 0
    end, seed, failed = time.monotonic() + options.seconds, options.first, 0
    while time.monotonic() < end:
        for workflow in [options.workflow] if options.workflow else sorted(WORKFLOWS):
            try:
                attempts(workflow, seed)
            except Exception:
                failed += 1
                traceback.print_exc()
        seed += 1
    runs = (seed - options.first) * (1 if options.workflow else len(WORKFLOWS))
    print(f"{runs} runs of the seeds {options.first} to {seed - 1}, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
