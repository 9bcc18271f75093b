"""Workflows that are called outside of an engine."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

import pytest

import stepfast
from stepfast import Retry, step, workflow
from stepfast.errors import ForbiddenInWorkflow
from stepfast.language import direct
from stepfast.testing import Environment

threads: list[int] = []


@step
def double(number: int) -> int:
    threads.append(threading.get_ident())
    return 2 * number


@step
async def increase(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


@step
def through_another(number: int) -> int:
    return double(number) + 1  # type: ignore[operator]


@step
async def through_another_async(number: int) -> int:
    return await increase(double(number))  # type: ignore[arg-type]


@step(retry=Retry(max_attempts=5))
def failing() -> None:
    threads.append(0)
    raise ConnectionError("no network")


@workflow("part")
async def part(number: int) -> int:
    return await double(number)


@workflow("whole")
async def whole(number: int) -> list[int]:
    first = await double(number)
    second, third = await asyncio.gather(increase(first), through_another(first))
    return [first, second, third, await through_another_async(first), await part(first)]


@workflow("clocks")
async def clocks() -> bool:
    assert 0 <= stepfast.random() < 1
    assert stepfast.uuid4() != stepfast.uuid4()
    await stepfast.sleep(0)
    return stepfast.now() <= datetime.now(UTC)


@workflow("waits")
async def waits() -> str:
    return await stepfast.signal("go", str)


@workflow("fails")
async def fails() -> None:
    await failing()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    before = [*direct._warned]
    direct._warned.clear()
    threads.clear()
    yield
    direct._warned[:] = before


def test_it_runs_with_def_and_async_steps_and_other_workflows() -> None:
    assert asyncio.run(whole(3)) == [6, 7, 13, 13, 12]
    # In threads, but for the call by an async step, which is a plain call.
    assert [thread == threading.get_ident() for thread in threads].count(True) == 1


def test_it_says_once_that_it_is_not_durable(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        asyncio.run(whole(3))
        asyncio.run(clocks())
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "workflow 'whole' is called outside of an engine and is not durable" in record.getMessage()


def test_in_an_engine_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with Environment(whole) as env:
        assert env.run(whole, 3).result == [6, 7, 13, 13, 12]
    assert not [record for record in caplog.records if "outside of an engine" in record.getMessage()]


def test_clocks_and_chance_are_plain_there() -> None:
    assert asyncio.run(clocks()) is True


def test_a_signal_needs_an_engine_and_says_so() -> None:
    with pytest.raises(ForbiddenInWorkflow, match="needs an engine.*stepfast.Embedded"):
        asyncio.run(waits())


def test_a_step_runs_once_and_its_exception_arrives_as_it_is() -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(fails())
    assert threads == [0]


def test_after_the_workflow_a_step_is_a_function_again() -> None:
    async def main() -> int:
        await part(1)
        return double(4)  # type: ignore[return-value]

    assert asyncio.run(main()) == 8
    assert double(4) == 8


def test_wrong_arguments_are_refused_by_the_call() -> None:
    with pytest.raises(TypeError):
        part()  # type: ignore[call-arg, unused-coroutine]


def test_a_workflow_that_is_dropped_half_way_leaves_nothing_behind() -> None:
    coroutine = waits_for_ever()
    coroutine.send(None)
    del coroutine
    gc.collect()
    assert not direct.in_direct_run()


@workflow("waits-for-ever")
async def waits_for_ever() -> None:
    await Suspended()


class Suspended:
    """Never goes on."""

    def __await__(self) -> Generator[None, None, None]:
        yield
