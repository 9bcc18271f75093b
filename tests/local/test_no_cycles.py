"""What executions leave to the garbage collector: nothing. Their memory is free as soon as they have ended."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.local.runtime import Runtime

EXECUTIONS = 40


@step
async def plus_one(number: int) -> int:
    return number + 1


async def counted(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield await plus_one(number)


@workflow
async def in_sequence(limit: int) -> int:
    total = 0
    for number in range(limit):
        total += await plus_one(number)
    return total


@workflow
async def of_a_generator(limit: int) -> int:
    return sum([number async for number in counted(limit)])


def _run(runtime: Runtime, name: str) -> None:
    async def started() -> list[str]:
        runs: list[Any] = [await runtime.operations.start(name, 3) for _ in range(EXECUTIONS)]
        return [run.execution.execution_id for run in runs]

    for id in runtime.call(started()):
        while runtime.call(runtime.operations.read(id)).status == "RUNNING":
            time.sleep(0.001)
        assert runtime.call(runtime.operations.read(id)).status == "SUCCEEDED"


@pytest.mark.parametrize("of", [in_sequence, of_a_generator])
def test_an_execution_leaves_no_reference_cycle(of: Workflow[..., Any], tmp_path: Path) -> None:
    runtime = Runtime(Registry([of], [plus_one]), tmp_path / "cycles.db", durability="process", workers=1)
    try:
        _run(runtime, of.name)  # what is made once for all executions
        runtime.call(asyncio.sleep(0))
        gc.collect()
        gc.disable()
        _run(runtime, of.name)
        found = gc.collect()
    finally:
        gc.enable()
        runtime.close()
    assert found < EXECUTIONS, f"{found / EXECUTIONS:.1f} objects of each execution are left in cycles"
