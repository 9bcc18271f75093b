"""Operators who do everything at any moment, and the engine broken in each of the rules of what they do.

python -m tests.simulation.test_operators WORKFLOW SEED [MANY]     repeats one run and prints its trace, or runs many
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from stepfast.engine import job_runner
from tests.lanes import seeds
from tests.simulation.breaking import Patch
from tests.simulation.family_watch import Violation
from tests.simulation.operator_world import InTurn, OperatorWorld

FLOWS = ("approving", "in-turn", "side-by-side", "compensating", "deep", "generations")
SEEDS = seeds(8, 300)


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
        yield


@pytest.mark.parametrize("workflow", FLOWS)
def test_whatever_operators_do_the_invariants_hold(workflow: str) -> None:
    with without_a_loop():
        did = sum((played(workflow, seed).did for seed in SEEDS), Counter[str]())
    assert {"pause", "unpause", "close", "reopen", "repair", "job", "by a job"} <= did.keys(), did


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
