"""Simulated time stands still while an async step waits for a thread, whoever has started the thread."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import anyio.to_thread
import pytest

from stepfast import step, workflow
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
