"""What happens to a map on its way: children for items, cancels, large values, hopeless maps, crashes everywhere."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast import JsonLines, Retry, StepFailed, map_items, step, workflow
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
RUN: list[Any] = []
STOPPED: list[int] = []


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    for seen in (RUN, STOPPED):
        seen.clear()
    yield
    for seen in (RUN, STOPPED):
        seen.clear()


@step(retry=Retry(max_attempts=1))
def work(number: int) -> int:
    RUN.append(number)
    if number < 0:
        raise ValueError("below 0")
    return number


@workflow("worked")
async def worked(number: int) -> int:
    return await work(number) + await work(number)


@workflow("worked-each")
async def worked_each(numbers: list[int]) -> list[Any]:
    report = await map_items(worked, numbers, batch=2, tolerate=1)
    return [[result async for result in report.results], [[f.item, f.child_id, f.message] for f in report.failures]]


@pytest.mark.parametrize("kit", KITS)
def test_a_workflow_runs_as_a_child_for_each_item(kit: Any) -> None:
    with kit(worked_each, worked) as env:
        run = env.run(worked_each, [1, -2])
        (batch,) = run.children
        assert run.result == [[2], [[1, f"{batch.execution_id}.worked-1", "below 0"]]]
        assert [child.status for child in batch.children] == ["SUCCEEDED", "FAILED"]
    assert sorted(RUN) == [-2, 1, 1]


@step
async def slow(number: int) -> int:
    RUN.append(number)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        STOPPED.append(number)
        raise
    return number


@workflow("slow-map")
async def slow_map(numbers: list[int]) -> int:
    return (await map_items(slow, numbers, batch=2, concurrency=2)).succeeded


@pytest.mark.parametrize("kit", KITS)
def test_a_cancel_stops_all_batches(kit: Any) -> None:
    with kit(slow_map) as env:
        run = env.start(slow_map, list(range(12)))
        env.run_until(lambda: len(RUN) == 2)
        env.cancel(run)
        env.advance(timedelta(seconds=5))
        assert run.status == "CANCELLED"
        assert [child.status for child in run.children] == ["CANCELLED"] * 2
        assert sorted(STOPPED) == [0, 2]
        env.advance(timedelta(minutes=10))
    assert sorted(RUN) == [0, 2]


@workflow("timed-map")
async def timed_map(numbers: list[int]) -> str:
    try:
        async with asyncio.timeout(30):
            await map_items(slow, numbers, batch=2, concurrency=4)
    except TimeoutError:
        return "too late"
    return "in time"


def test_a_map_that_is_timed_out_takes_its_batches_back() -> None:
    with Environment(timed_map) as env:
        run = env.run(timed_map, list(range(12)))
        env.advance(timedelta(minutes=10))
        assert run.result == "too late"
        assert {child.status for child in run.children} == {"CANCELLED"}
    assert sorted(RUN) == [0, 2, 4, 6]


@workflow("hopeless-map")
async def hopeless_map(numbers: list[int]) -> int:
    return (await map_items(work, numbers, batch=1, concurrency=2)).succeeded


def test_no_more_batches_start_where_nothing_succeeds_at_all() -> None:
    with Environment(hopeless_map) as env:
        run = env.run(hopeless_map, [-number for number in range(1, 20)])
        assert run.error is not None
        assert run.error.message.startswith("map_items(work): 3 of 3 items failed, and 0 may fail: item 0: ValueError")
        assert len(RUN) == 3
        run = env.run(hopeless_map, [1, *(-number for number in range(1, 6))])
        assert run.error is not None
        assert "5 of 6 items failed" in run.error.message


@step
def length(text: str) -> int:
    return len(text)


@workflow("lengths")
async def lengths(source: str | list[str]) -> list[int]:
    report = await map_items(length, JsonLines(source) if isinstance(source, str) else source, batch=3)
    return [result async for result in report.results]


@pytest.mark.parametrize("kit", KITS)
def test_an_item_of_399_kb_stands_among_small_ones(kit: Any, tmp_path: Path) -> None:
    sizes = [1, 399 * 1024, 2]
    items, file = ["x" * size for size in sizes], tmp_path / "items.jsonl"
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    with kit(lengths) as env:
        assert env.run(lengths, str(file)).result == sizes
        assert env.run(lengths, items).result == sizes


@step
def grown(size: int) -> str:
    return "x" * size


@workflow("grown-each")
async def grown_each(sizes: list[int]) -> list[int]:
    report = await map_items(grown, sizes)
    gathered = await asyncio.gather(*(grown(size) for size in sizes))
    return [*[len(result) async for result in report.results], *map(len, gathered)]


@pytest.mark.parametrize("kit", KITS)
def test_a_result_of_5_mb_stands_among_small_ones_of_a_map_and_of_a_gather(kit: Any) -> None:
    sizes = [1, 5 * 1024 * 1024, 2]
    with kit(grown_each) as env:
        assert env.run(grown_each, sizes).result == [*sizes, *sizes]


@workflow("two-maps")
async def two_maps(numbers: list[int]) -> list[int]:
    first, second = await asyncio.gather(map_items(work, numbers, batch=2), map_items(work, numbers[1:], batch=1))
    third = await map_items(work, numbers[:1])
    return [first.succeeded, second.succeeded, third.succeeded]


@pytest.mark.parametrize("kit", KITS)
def test_several_maps_of_a_step_stand_side_by_side(kit: Any) -> None:
    with kit(two_maps) as env:
        assert env.run(two_maps, [1, 2]).result == [2, 1, 1]


@workflow("caught-map")
async def caught_map(path: str) -> str:
    try:
        await map_items(work, JsonLines(path), batch=2, concurrency=2)
    except Exception as error:
        return f"{type(error).__name__} {isinstance(error, StepFailed)}"
    return "done"


def crashed(at: int | None, path: Path) -> tuple[list[str], str]:
    RUN.clear()
    with Environment(caught_map, check_replays=False) as env:
        if at is not None:
            env.crash(at=at)
        result = env.run(caught_map, str(path)).result
    assert set(RUN) == {1, 2, -3, 4, 5}
    assert len(RUN) <= 7, "what is recorded never runs again"
    return env.points, result


def test_a_crash_changes_nothing_about_the_result(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text("1\n2\n-3\n4\n5\n")
    points, undisturbed = crashed(None, file)
    assert undisturbed == "MapFailed False"
    for at in range(0, len(points), 9):
        assert crashed(at, file)[1] == undisturbed, points[at]
