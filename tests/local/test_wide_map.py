"""A map of very many items in one process: of those that fail, a resume runs each once more, and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stepfast import JsonLines, Retry, map_items, step, workflow
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.lanes import SOAK
from tests.waiting import until

pytestmark = pytest.mark.slow

ITEMS, FAILING = (100_000 if SOAK else 10_000), 300
ATTEMPTS: Counter[int] = Counter()
BROKEN: set[int] = set()


@step(retry=Retry(max_attempts=1))
async def squared(number: int) -> int:
    ATTEMPTS[number] += 1
    if number in BROKEN:
        raise ValueError(f"{number} is broken")
    return number * number


@workflow("squares")
async def squares(path: str) -> list[int]:
    report = await map_items(squared, JsonLines(path))
    return [report.succeeded, report.failed]


def ended(runtime: Runtime, generation: int) -> str:
    def status() -> str:
        execution = runtime.call(runtime.operations.read("wide"))
        return execution.status if execution.generation == generation and execution.status != "RUNNING" else ""

    return str(until(status, 800.0, pause=0.05, what="the map"))


def test_a_resume_of_a_wide_map_runs_the_300_items_that_failed_and_no_others(tmp_path: Path) -> None:
    """100,000 items each night, 10,000 in the gate."""
    file = tmp_path / "numbers.jsonl"
    file.write_text("".join(f"{number}\n" for number in range(ITEMS)))
    broken = range(7, ITEMS, ITEMS // FAILING)[:FAILING]
    ATTEMPTS.clear()
    BROKEN.update(broken)
    with Runtime(Registry([squares]), tmp_path / "wide.db", durability="process") as runtime:
        runtime.call(runtime.operations.start("squares", str(file), "wide"))
        assert ended(runtime, 0) == "FAILED"
        assert Counter(range(ITEMS)) == ATTEMPTS, "each item ran once"
        failed = runtime.call(runtime.operations.read("wide"))
        assert f"300 of {ITEMS:,} items failed, and 0 may fail" in str(failed.error)
        ATTEMPTS.clear()
        BROKEN.clear()
        runtime.call(runtime.operations.resume("wide"))
        assert ended(runtime, 1) == "SUCCEEDED"
        assert Counter(broken) == ATTEMPTS
        assert runtime.call(runtime.operations.read("wide")).result == f"[{ITEMS},0]"
