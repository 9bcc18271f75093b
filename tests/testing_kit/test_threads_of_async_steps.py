"""Simulated time stands still while an async step waits for a thread, whoever has started the thread."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import anyio.to_thread
import pytest

from stepfast import step, workflow
from stepfast.simulator.simulated_loop import SimulatedLoop
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
gone_on = threading.Event()


def busy() -> str:
    gone_on.wait(0.05)  # real time, in which an idle loop would let hours of simulated time pass
    return "done"


@step(timeout=20)
async def by_asyncio() -> str:
    return await asyncio.to_thread(busy)


@step(timeout=20)
async def by_anyio() -> str:
    return await anyio.to_thread.run_sync(busy)


@workflow("threads")
async def threads() -> list[str]:
    return [await by_asyncio(), await by_anyio()]


@pytest.mark.parametrize("kit", KITS)
def test_no_time_passes_while_a_thread_works(kit: Any) -> None:
    with kit(threads) as env:
        start = env.now
        run = env.run(threads)
        assert run.result == ["done", "done"]
        assert env.now - start < timedelta(seconds=10)
    assert [call.attempt for call in run.steps] == [1, 1]


def ending(after: float) -> float:
    gone_on.wait(after)
    return after


@step
async def ends_by_asyncio(after: float) -> float:
    return await asyncio.to_thread(ending, after)


@step
async def ends_by_anyio(after: float) -> float:
    return await anyio.to_thread.run_sync(ending, after)


@workflow("ends-of-threads")
async def ends_of_threads(times: list[float]) -> list[float]:
    """The times of the first half are waited for by asyncio, the others by anyio, in the order in which they end."""
    middle = len(times) // 2
    ends = [*map(ends_by_asyncio, times[:middle]), *map(ends_by_anyio, times[middle:])]
    return [await first for first in asyncio.as_completed(ends)]


def test_threads_of_async_steps_end_in_the_order_in_which_they_began() -> None:
    times = [0.02, 0.0, 0.01, 0.03, 0.0, 0.015]
    with Environment(ends_of_threads) as env:
        assert env.run(ends_of_threads, times).result == times


async def calls_back(loop: asyncio.AbstractEventLoop) -> float:
    return loop.time()


@step
async def thread_that_needs_the_loop() -> bool:
    loop = asyncio.get_running_loop()
    return await asyncio.to_thread(
        lambda: asyncio.run_coroutine_threadsafe(calls_back(loop), loop).result(5) == loop.time()
    )


@workflow("calling-back")
async def calling_back() -> bool:
    return await thread_that_needs_the_loop()


def test_a_thread_that_needs_the_loop_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedLoop, "hold_seconds", 60.0)
    with Environment(calling_back) as env:
        assert env.run(calling_back).result
