"""What is left when the main coroutine ends."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.parity.cases import case, unordered
from tests.parity.sides import Log, after


@unordered
async def tasks_left_are_cancelled_and_awaited(say: Log) -> Any:
    async def background(word: str, seconds: float) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            say("tidies", word)
            await asyncio.sleep(seconds)
            say("tidied", word)

    kept = [asyncio.create_task(background("a", 5)), asyncio.create_task(background("b", 3))]
    await asyncio.sleep(1)
    say("returns", len(kept))


@unordered
async def tasks_left_when_it_fails(say: Log) -> Any:
    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(2)
            say("tidied")
            raise KeyError("unseen")

    kept = asyncio.create_task(background())
    await asyncio.sleep(1)
    raise LookupError(f"main fails {kept.done()}")


@case
async def a_task_left_that_refuses_its_cancel(say: Log) -> Any:
    async def stubborn() -> None:
        for turn in range(3):
            try:
                await asyncio.sleep(4)
            except asyncio.CancelledError:
                say("refused")
            say("turn", turn)

    kept = asyncio.create_task(stubborn())
    await asyncio.sleep(1)
    return kept.done()


@case
async def a_task_left_that_has_not_begun(say: Log) -> Any:
    async def background() -> None:
        say("begun")
        try:
            await asyncio.sleep(0)
            say("went on")
            await asyncio.sleep(1000)
        finally:
            say("tidied")

    kept = asyncio.create_task(background())
    return kept.done()


@unordered
async def a_task_left_that_starts_others(say: Log) -> Any:
    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.gather(after(say, 1, "x"), after(say, 2, "y"))
            kept.append(asyncio.create_task(after(say, 50, "not waited for")))
            await asyncio.sleep(1)
            say("tidied")

    kept: list[asyncio.Task[Any]] = []
    kept.append(asyncio.create_task(background()))
    await asyncio.sleep(1)


@unordered
async def shielded_work_left(say: Log) -> Any:
    async def background() -> None:
        try:
            await asyncio.shield(after(say, 9, "shielded"))
        except asyncio.CancelledError:
            say("waiter cancelled")
            raise

    kept = asyncio.create_task(background())
    await asyncio.sleep(1)
    return kept.done()


@case
async def callbacks_left(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    loop.call_later(50, say, "never")
    loop.call_soon(say, "soon")
    loop.call_soon(lambda: loop.call_soon(say, "sooner or later"))
    return "returns"
