"""The end of a child wakes an advance that reports it. It reads no commands where no child of it may run."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from stepfast import child, signal, step, workflow
from stepfast.testing import MotoCloud


@step
async def add(number: int) -> int:
    return number + 1


@workflow("adds")
async def adds(times: int) -> int:
    number = 0
    for _ in range(times):
        number = await add(number)
    return number


@workflow("asks-to-add")
async def asks_to_add(times: int) -> int:
    return await child(adds, times)


@workflow("listens")
async def listens() -> None:
    await signal("never")


@workflow("hurries")
async def hurries() -> str:
    try:
        async with asyncio.timeout(5):
            await child(listens)
    except TimeoutError:
        pass
    return "over"


@workflow("asks-to-hurry")
async def asks_to_hurry() -> str:
    return await child(hurries)


def queries(cloud: MotoCloud) -> int:
    """How often the advancer has read all items of an execution, or the paused workflows, once in five seconds."""
    return sum(call.operation == "Query" and call.function.startswith("advancer") for call in cloud.calls)


@pytest.mark.parametrize("times", [1, 6])
def test_the_end_of_a_child_without_children_is_reported_from_its_meta(times: int) -> None:
    with MotoCloud(asks_to_add, adds) as cloud:
        run = cloud.run(asks_to_add, times, execution_id="p")
        assert run.result == times
        cloud.advance(timedelta(seconds=5))
        assert queries(cloud) == 3 + 1


def test_a_child_that_ends_with_children_ends_them() -> None:
    with MotoCloud(asks_to_hurry, hurries, listens) as cloud:
        run = cloud.run(asks_to_hurry, execution_id="p")
        assert run.result == "over"
        cloud.advance(timedelta(seconds=5))
        assert run.children[0].children[0].status == "CANCELLED"
