"""Simulated time: it jumps to what is due next, and stands still while something really runs."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import httpx
import pytest

from stepfast import Retry, step, workflow
from stepfast.testing import Environment
from tests.examples.processes import PdfService
from tests.testing_kit.flows import Order, pay, polling, price, purchase

DAYS = timedelta(days=30)


def test_a_month_of_sleep_and_hours_of_retries_are_over_at_once() -> None:
    with Environment(purchase) as env:
        env.fail(pay, times=15)
        run = env.run(purchase, Order(item="tea", pieces=2))
    assert run.status == "SUCCEEDED"
    # 1 + 2 + 4 + 8 + 16 + 32 minutes, then an hour each
    retries = timedelta(minutes=63, hours=9)
    assert env.now - run.steps[0].started_at == retries + DAYS
    assert [call.attempt for call in run.calls(pay)] == list(range(1, 17))


def test_retry_delays_are_those_of_the_policy() -> None:
    with Environment(purchase) as env:
        env.fail(pay, times=4)
        calls = env.run(purchase, Order(item="tea")).calls(pay)
    waits = [later.started_at - sooner.started_at for sooner, later in pairwise(calls)]
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]


def test_time_starts_where_it_is_told_to_and_advances_as_far_as_it_is_told_to() -> None:
    start = datetime(2028, 2, 29, 12, tzinfo=UTC)
    with Environment(purchase, start=start) as env:
        run = env.start(purchase, Order(item="tea"))
        assert (env.now, run.steps) == (start, [])
        env.advance(DAYS - timedelta(seconds=1))
        assert (env.now, run.status) == (start + DAYS - timedelta(seconds=1), "RUNNING")
        env.run_until(start + DAYS)
        assert (env.now, run.status) == (start + DAYS, "SUCCEEDED")
        assert run.steps[-1].started_at == start + DAYS


def test_time_passes_even_when_there_is_nothing_to_do() -> None:
    with Environment(purchase) as env:
        start = env.now
        env.advance(timedelta(days=400))
        assert env.now == start + timedelta(days=400)


def test_run_until_a_condition_stops_there() -> None:
    with Environment(purchase) as env:
        run = env.start(purchase, Order(item="tea"))
        env.run_until(lambda: run.calls(pay))
        assert (env.now, run.status) == (env.runs[0].steps[0].started_at, "RUNNING")
        assert [one.kind for one in run.waiting] != []


let_go = threading.Event()


@step(timeout=60)
async def doze(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "awake"


@step(timeout=0.2, retry=Retry(max_attempts=1))
def hang() -> None:
    let_go.wait(30)


@step
def block(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@step
async def in_executor() -> int:
    await asyncio.to_thread(time.sleep, 0.05)
    return 7


@step(timeout=20)
async def get(url: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).status_code


@workflow("dozing")
async def dozing(seconds: float) -> str:
    return await doze(seconds)


@workflow("hanging")
async def hanging() -> None:
    await hang()


@workflow("blocking")
async def blocking() -> list[float]:
    return list(await asyncio.gather(block(0.05), block(0.0), block(1.1)))


@workflow("using-an-executor")
async def using_an_executor() -> int:
    return await in_executor()


@workflow("getting")
async def getting(url: str) -> int:
    return await get(url)


def test_what_an_async_step_sleeps_is_simulated_and_its_timeout_with_it() -> None:
    with Environment(dozing) as env:
        run = env.run(dozing, 50)
        (call,) = run.calls(doze)
        assert call.ended_at is not None
        assert call.ended_at - call.started_at == timedelta(seconds=50)
        slow = env.run(dozing, 70)
    assert slow.status == "FAILED"
    assert slow.error is not None
    assert slow.error.message == "no result within 60 s"


def test_a_step_that_blocks_its_thread_runs_into_its_timeout_in_real_time() -> None:
    try:
        with Environment(hanging) as env:
            run = env.run(hanging)
    finally:
        let_go.set()
    assert run.error is not None
    assert run.error.type == "StepTimeout"


def test_threads_are_waited_for_while_time_stands_still() -> None:
    with Environment(blocking, using_an_executor) as env:
        start = env.now
        assert env.run(blocking).result == [0.05, 0.0, 1.1]
        assert env.run(using_an_executor).result == 7
        assert env.now - start < timedelta(seconds=2)


def test_real_connections_are_waited_for_while_time_stands_still(pdf_service: PdfService) -> None:
    with Environment(getting) as env:
        start = env.now
        assert env.run(getting, pdf_service.url + "/nothing").result in (404, 405)
        assert env.now == start


@pytest.fixture
def pdf_service() -> Iterator[PdfService]:
    service = PdfService()
    service.start()
    yield service
    service.stop()


def test_a_step_that_polls_takes_the_time_of_its_polling() -> None:
    answers = iter([Decimal(0)] * 90 + [Decimal(1)])
    with Environment(polling) as env:
        env.fake(price, lambda item: next(answers))
        start = env.now
        assert env.run(polling).status == "SUCCEEDED"
        assert env.now - start == timedelta(minutes=90)
