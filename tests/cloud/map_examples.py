"""Maps of a few items, and runs with children, for the exploration of crashes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from stepfast import ContinueAsNew, MapFailed, MapReport, Retry, child, map_items, step, workflow
from stepfast.testing import MotoCloud
from stepfast.testing.runs import Run
from tests.cloud.exploration import Example

BROKEN: set[int] = set()
"""Numbers whose step fails while an outage lasts."""
RAN: list[int] = []
"""The numbers of all attempts that returned."""


@step(retry=Retry(max_attempts=1))
def halve(number: int) -> float:
    if number < 0 or number in BROKEN:
        raise ValueError(f"no {number}")
    RAN.append(number)
    return number / 2


async def told(report: MapReport[float]) -> list[Any]:
    """What a report says: its counts, its failures and its results."""
    failures = [[failure.item, failure.error_type] for failure in report.failures]
    return [report.succeeded, report.failed, report.tolerated, failures, [one async for one in report.results]]


@workflow("tolerant-map")
async def tolerant_map(numbers: list[int]) -> list[Any]:
    return await told(await map_items(halve, numbers, batch=2, tolerate=1))


@workflow("caught-map")
async def caught_map(numbers: list[int]) -> list[Any]:
    try:
        await map_items(halve, numbers, batch=2, concurrency=4)
    except MapFailed as failed:
        return await told(failed.report)
    return []


@workflow("strict-map")
async def strict_map(numbers: list[int]) -> list[Any]:
    return await told(await map_items(halve, numbers, batch=2, concurrency=4))


@step(retry=Retry(max_attempts=1))
def add(total: int, number: int) -> int:
    return total + number


@workflow("counting-down")
async def counting_down(state: list[int]) -> int:
    left, total = state
    total = await add(total, left)
    if left > 1:
        raise ContinueAsNew([left - 1, total])
    return total


@workflow("lineage")
async def lineage(totals: list[int]) -> list[int]:
    """Two runs, each with a child of two runs."""
    totals = [*totals, await child(counting_down, [2, len(totals)])]
    if len(totals) < 2:
        raise ContinueAsNew(totals)
    return totals


def _nothing(cloud: MotoCloud) -> None:
    RAN.clear()


def _broken(cloud: MotoCloud) -> None:
    RAN.clear()
    BROKEN.add(3)


def _redriven(cloud: MotoCloud, run: Run[Any]) -> None:
    """The outage is over when the execution has failed; the operator redrives until it goes on."""
    assert cloud.run_until(run).status == "FAILED"
    BROKEN.clear()
    for _ in range(15):
        cloud.advance(timedelta(minutes=1))
        if run.status != "FAILED":
            break
        cloud.redrive()
    cloud.run_until(run)


def _result(run: Run[Any], folder: Path) -> Any:
    return run.result, sorted(set(RAN))


def _resumed(run: Run[Any], folder: Path) -> Any:
    return run.result, run.generation


def _runs(run: Run[Any], folder: Path) -> Any:
    return run.result


NUMBERS = [1, 2, -3, 4, 5]
FAILURE = [[2, "ValueError"]]
HALVES = [0.5, 1.0, 2.0, 2.5]
MAPS = {
    example.name: example
    for example in (
        Example("map tolerant", tolerant_map, NUMBERS, _nothing, _result),
        Example("map caught", caught_map, NUMBERS, _nothing, _result),
        Example("map redriven", strict_map, [1, 2, 3, 4, 5], _broken, _resumed, play=_redriven),
        Example("lineage", lineage, [], _nothing, _runs, others=(counting_down,)),
    )
}
EXPECTED: dict[str, Any] = {
    "map tolerant": ([4, 1, 1, FAILURE, HALVES], [1, 2, 4, 5]),
    "map caught": ([4, 1, 0, FAILURE, HALVES], [1, 2, 4, 5]),
    "map redriven": ([5, 0, 0, [], [0.5, 1.0, 1.5, 2.0, 2.5]], 1),
    "lineage": [3, 4],
}
