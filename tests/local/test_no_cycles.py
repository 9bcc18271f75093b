"""What executions leave to the garbage collector: nothing. Their memory is free as soon as they have ended."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import Counter
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


def left_in_cycles(of: Workflow[..., Any], path: Path) -> Counter[str]:
    """The types of the objects that executions leave in cycles, once all that is made only once has been made."""
    runtime = Runtime(Registry([of], [plus_one]), path, durability="process", workers=1)
    try:
        _run(runtime, of.name)
        runtime.call(asyncio.sleep(0))
        gc.collect()
        gc.disable()
        _run(runtime, of.name)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return Counter(type(each).__name__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        runtime.close()


@pytest.mark.parametrize("of", ["in_sequence", "of_a_generator"])
def test_an_execution_leaves_no_reference_cycle(of: str, tmp_path: Path) -> None:
    """In a process of its own: the collector finds what other threads leave as well, such as servers of other tests."""
    asked = [sys.executable, "-m", __name__, of, str(tmp_path / "cycles.db")]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found = Counter(json.loads(ran.stdout))
    assert found.total() < EXECUTIONS, f"{found.total() / EXECUTIONS:.1f} objects of each execution: {found}"


if __name__ == "__main__":
    asked = {"in_sequence": in_sequence, "of_a_generator": of_a_generator}[sys.argv[1]]
    print(json.dumps(left_in_cycles(asked, Path(sys.argv[2]))))
