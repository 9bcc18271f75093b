"""Verifying maps, their batches, and executions that continue as new runs, in both homes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stepfast import ContinueAsNew, Retry, map_items, signal, step, workflow
from stepfast.engine.verify import verify
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud

HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])


@step(retry=Retry(max_attempts=1))
async def inverse(number: int) -> float:
    return 1 / number


@workflow("inverses")
async def inverses(numbers: list[int]) -> int:
    report = await map_items(inverse, numbers, batch=2, concurrency=2)
    await signal("on")
    return report.succeeded


@workflow("counts-down")
async def counts_down(left: int) -> int:
    await inverse(left)
    await signal("on")
    if left == 1:
        return 0
    raise ContinueAsNew(left - 1)


WORKFLOWS = (inverses, counts_down)


@HOMES
def test_verify_reproduces_maps_and_their_batches(home: Any) -> None:
    with home(*WORKFLOWS) as env:
        failed = env.run(inverses, [1, 2, 0, 4, 5])
        waits = env.start(inverses, [1, 2, 3])
        env.run_until(lambda: waits.waiting)
        env.advance(timedelta(minutes=1))
        runs = [failed, *failed.children, waits, *waits.children]
        assert [run.status for run in runs].count("SUCCEEDED") == 4
        assert failed.status == "FAILED"
        assert {outcome(run) for run in runs} == {("reproduced", None)}


@HOMES
def test_verify_reproduces_the_run_that_has_been_continued_as_new(home: Any) -> None:
    with home(*WORKFLOWS) as env:
        run = env.start(counts_down, 3)
        env.run_until(lambda: run.waiting)
        env.signal(run, "on")
        env.advance(timedelta(minutes=1))
        assert run.status == "RUNNING"
        assert outcome(run) == ("reproduced", None)
        for _ in range(2):
            env.signal(run, "on")
            env.advance(timedelta(minutes=1))
        assert run.status == "SUCCEEDED"
        assert outcome(run) == ("reproduced", None)


def outcome(run: Any) -> tuple[str, Any]:
    verdict = verify(Registry(WORKFLOWS), run._reading.snapshot(run.execution_id))
    return verdict.outcome, verdict.problem
