"""Sleep, timeout, timeout_at, wait_for: asyncio-task.html#timeouts."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.parity.cases import case, unordered
from tests.parity.sides import HOUR, Log


@case
async def timeout_that_passes_and_one_that_does_not(say: Log) -> Any:
    async with asyncio.timeout(5) as scope:
        await asyncio.sleep(1)
    say(scope.expired(), scope.when() is not None)
    try:
        async with asyncio.timeout(5) as scope:
            await asyncio.sleep(HOUR)
    except TimeoutError as error:
        say(error, scope.expired())


@case
async def timeouts_that_nest(say: Log) -> Any:
    for outer, inner in ((5, 2), (2, 5)):
        try:
            async with asyncio.timeout(outer) as first:
                try:
                    async with asyncio.timeout(inner) as second:
                        await asyncio.sleep(HOUR)
                except TimeoutError:
                    say("inner", first.expired(), second.expired())
        except TimeoutError:
            say("outer", first.expired(), second.expired())


@case
async def timeout_put_off_brought_forward_and_lifted(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(2) as scope:
        await asyncio.sleep(1)
        scope.reschedule(loop.time() + 10)
        await asyncio.sleep(5)
        scope.reschedule(None)
        await asyncio.sleep(HOUR)
        say(scope.when())
    try:
        async with asyncio.timeout(None) as scope:
            await asyncio.sleep(1)
            scope.reschedule(loop.time() + 1)
            await asyncio.sleep(HOUR)
    except TimeoutError as error:
        say(error)
    try:
        scope.reschedule(None)
    except RuntimeError as error:
        say(error)


@case
async def timeout_of_the_past(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    for scope in (asyncio.timeout(0), asyncio.timeout(-1), asyncio.timeout_at(loop.time() - 5)):
        try:
            async with scope:
                say("inside")
                await asyncio.sleep(1)
                say("never")
        except TimeoutError as error:
            say(error)


@case
async def timeout_at_a_time(say: Log) -> Any:
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + 3):
            await asyncio.sleep(HOUR)
    except TimeoutError as error:
        say(error)


@unordered
async def timeout_around_a_group(say: Log) -> Any:
    async def child(word: str) -> None:
        try:
            await asyncio.sleep(HOUR)
        finally:
            say("cancelled", word)

    try:
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            for word in "ab":
                group.create_task(child(word))
    except TimeoutError as error:
        say(error)


@case
async def timeout_inside_a_cancelled_task(say: Log) -> Any:
    async def inner() -> None:
        try:
            async with asyncio.timeout(10):
                await asyncio.sleep(HOUR)
        except TimeoutError:
            say("wrong")

    task = asyncio.create_task(inner())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@case
async def timeout_whose_cancel_is_swallowed(say: Log) -> Any:
    try:
        async with asyncio.timeout(2):
            try:
                await asyncio.sleep(HOUR)
            except asyncio.CancelledError:
                say("swallowed")
            await asyncio.sleep(1)
            say("goes on")
    except TimeoutError as error:
        say(error)


@case
async def timeout_with_another_error_at_the_end(say: Log) -> Any:
    async with asyncio.timeout(2):
        try:
            await asyncio.sleep(HOUR)
        except asyncio.CancelledError:
            raise ValueError("in place of the cancel") from None


@case
async def timeout_used_wrongly(say: Log) -> Any:
    scope = asyncio.timeout(1)
    async with scope:
        pass
    try:
        async with scope:
            pass
    except RuntimeError as error:
        say(error)


@case
async def wait_for_in_time_late_and_for_no_time(say: Log) -> Any:
    async def works(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        finally:
            say("ends", seconds)
        return "worked"

    for seconds, limit in ((1, 5), (5, 1), (1, None), (1, 0)):
        try:
            say(await asyncio.wait_for(works(seconds), limit))
        except TimeoutError as error:
            say(error)
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    done.set_result("already")
    return await asyncio.wait_for(done, 0)


@case
async def wait_for_of_what_tidies_up_slowly(say: Log) -> Any:
    async def slow() -> str:
        try:
            await asyncio.sleep(HOUR)
        except asyncio.CancelledError:
            await asyncio.sleep(5)
            say("tidied")
            raise
        return "never"

    try:
        await asyncio.wait_for(slow(), 2)
    except TimeoutError as error:
        say(error)


@case
async def wait_for_cancelled_from_outside(say: Log) -> Any:
    task = asyncio.create_task(asyncio.wait_for(asyncio.sleep(HOUR), 10))
    await asyncio.sleep(1)
    task.cancel("outside")
    try:
        await task
    except asyncio.CancelledError as error:
        say("cancelled", *error.args)


@case
async def sleeps(say: Log) -> Any:
    say(await asyncio.sleep(2, "result"))
    say(await asyncio.sleep(0, "none"))
    say(await asyncio.sleep(-1, "less"))
    await asyncio.sleep(30 * 24 * HOUR)
    say("a month later")
