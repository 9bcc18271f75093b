"""Thousands of seeded runs of the real engine, each checked against the protocol's invariants.

python -m tests.simulation.test_simulation WORKFLOW SEED     repeats one run and prints its trace
python -m tests.simulation.test_simulation --seconds 600     soaks: new seeds until the time is over
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from stepfast.figures import added, hour_of
from stepfast.history import history_of
from stepfast.model import ENDED
from stepfast.replay import Replay
from tests.simulation.workflows import WORKFLOWS
from tests.simulation.world import ID, Violation, World

SEEDS = 60
"""Runs of each workflow in CI."""


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a read waited")


def check(world: World, status: str) -> None:
    """What must hold at the end of every run, whatever happened in it."""
    if status not in ("SUCCEEDED", "CANCELLED"):
        raise Violation(f"no-execution-is-stuck: it ended {status}")
    snapshot = finished(world.backend.load(ID))
    execution, kept = snapshot.execution, finished(world.backend.history(ID))
    if (status == "CANCELLED") != bool(world.promised.get("cancelled")) and not world.cancelling:
        raise Violation(f"promises-are-kept: {status}, though nobody cancelled it")
    if world.promised.get("created_at", execution.created_at) != execution.created_at:
        raise Violation("promises-are-kept: the execution that a client was told of is gone")
    if world.promised.get("generation", 0) > execution.generation:
        raise Violation("promises-are-kept: a resume that was accepted is gone")
    stored = {one.signal_id for one in snapshot.signals}
    if lost := {name for name in world.promised if name.startswith("signal-")} - stored:
        raise Violation(f"promises-are-kept: signals were lost: {lost}")
    if history_of(snapshot, kept) != history_of(finished(world.backend.load(ID)), kept):
        raise Violation("history-reads-alike-twice")
    resumed = [one for one in kept if one.type == "execution-resumed"]
    if len(resumed) != execution.generation:
        raise Violation(f"a-failure-is-resumed-once: {execution.generation} generations, {len(resumed)} resumes")
    failed = {one.details["generation"] for one in kept if one.type == "execution-failed"}
    if failed - world.parked:
        raise Violation(f"every-failure-has-its-dead-letter: generations {failed - world.parked} have none")
    hours = finished(world.backend.figures(world.workflow, 0, hour_of(execution.ended_at or 0.0) + 1))
    counted = {name: one.count for name, one in added(hours.values()).items() if name in ENDED}
    if counted != {status: 1} | ({"FAILED": execution.generation} if execution.generation else {}):
        raise Violation(f"every-end-is-counted-once: {counted} after {execution.generation} resumes and {status}")
    if status == "SUCCEEDED":
        replay = Replay(WORKFLOWS[world.workflow], execution)
        replay.advance(snapshot.records, snapshot.cursor.applied)
        replay.close()
        if replay.result != execution.result:
            raise Violation(f"replay-reproduces: {execution.result} is recorded, {replay.result} replayed")


def run(workflow: str, seed: int) -> World:
    world = World(workflow, seed)
    try:
        check(world, world.run())
    except Exception as error:
        error.add_note(f"repeat it with: python -m tests.simulation.test_simulation {workflow} {seed}")
        error.add_note("\n".join(world.trace[-60:]))
        raise
    return world


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS))
def test_every_invariant_holds_under_crashes_duplicates_and_operators(workflow: str) -> None:
    generations = attempts = 0
    for seed in range(SEEDS):
        world = run(workflow, seed)
        generations += world.promised.get("generation", 0)
        attempts += sum(world.runs.values())
    assert attempts > SEEDS, "the simulation did not run the steps it is about"


def test_a_clean_run_needs_no_resume_and_runs_every_step_once() -> None:
    world = run("linear", 0)
    assert world.promised.get("generation", 0) == 0
    assert max(world.runs.values()) <= 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workflow", nargs="?", choices=sorted(WORKFLOWS))
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--from", dest="first", type=int, default=SEEDS)
    options = parser.parse_args()
    if options.workflow and not options.seconds:
        world = World(options.workflow, options.seed)
        try:
            status = world.run()
            print("\n".join(world.trace), status, sep="\n")
            check(world, status)
        except BaseException:
            print("\n".join(world.trace))
            raise
        return 0
    end, seed, failed = time.monotonic() + options.seconds, options.first, 0
    while time.monotonic() < end:
        for workflow in [options.workflow] if options.workflow else sorted(WORKFLOWS):
            try:
                run(workflow, seed)
            except Exception as error:
                failed += 1
                print(f"{workflow} {seed}: {type(error).__name__}: {error}", file=sys.stderr)
        seed += 1
    print(f"{(seed - options.first) * len(WORKFLOWS)} runs, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
