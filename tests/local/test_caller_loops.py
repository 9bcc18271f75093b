"""Calls of the engine from threads: those that wait for nothing, and those that do."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from stepfast.errors import Unavailable
from stepfast.local.threads import CallerLoops, LoopThread

NAME = contextvars.ContextVar("NAME", default="")


async def at_once() -> tuple[str, bool]:
    return NAME.get(), asyncio.current_task() is not None


async def later() -> tuple[str, bool]:
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
    return await at_once()


async def leaves_a_callback(done: list[int]) -> None:
    asyncio.get_running_loop().call_soon(done.append, 1)


async def fails() -> None:
    raise LookupError("no such thing")


async def serves() -> None:
    await asyncio.Event().wait()


def made() -> tuple[CallerLoops, LoopThread]:
    shared = LoopThread("shared")
    shared.begin(serves())
    return CallerLoops(lambda: None, shared), shared


def test_a_call_has_a_task_and_the_context_of_its_caller() -> None:
    (loops, shared), token = made(), NAME.set("caller")
    try:
        assert loops.run(at_once()) == ("caller", True)
        assert loops.run(later()) == ("caller", True)
        assert loops.run(at_once()) == ("caller", True)
    finally:
        NAME.reset(token)
        loops.close()
        shared.stop()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_what_a_call_leaves_for_the_next_turn_is_done() -> None:
    (loops, shared), done = made(), list[int]()
    loops.run(leaves_a_callback(done))
    assert done == [1]
    with pytest.raises(LookupError):
        loops.run(fails())
    assert loops.run(at_once()) == ("", True)
    loops.close()
    shared.stop()
    with pytest.raises(Unavailable):
        loops.run(at_once())
