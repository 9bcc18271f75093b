"""Async generators, context managers and exit stacks: who closes them, when, and in which order."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from tests.parity.cases import case, goes_further
from tests.parity.sides import HOUR, Log

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def pages(say: Log, word: str = "pages", pause: float = 1) -> AsyncGenerator[int, None]:
    say("opens", word)
    try:
        for number in range(5):
            await asyncio.sleep(pause)
            yield number
    finally:
        say("closes", word)
        await asyncio.sleep(pause)
        say("closed", word)


@case
async def left_by_break(say: Log) -> Any:
    async for page in pages(say):
        if page == 2:
            break
    say("after the loop")
    await asyncio.sleep(5)
    return page


@goes_further
async def left_by_break_at_the_very_end(say: Log) -> Any:
    async for page in pages(say):
        if page == 2:
            break
    return page


@case
async def left_by_return(say: Log) -> Any:
    async def first() -> int:
        async for page in pages(say):
            return page
        return -1

    found = await first()
    say("found", found)
    await asyncio.sleep(10)


@case
async def left_by_an_error(say: Log) -> Any:
    with contextlib.suppress(LookupError):
        async for _ in pages(say):
            raise LookupError
    await asyncio.sleep(5)


@case
async def left_in_a_task_that_is_cancelled(say: Log) -> Any:
    async def reads() -> None:
        async for _ in pages(say, pause=2):
            await asyncio.sleep(HOUR)

    task = asyncio.create_task(reads())
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.wait([task])
    say("cancelled")
    await asyncio.sleep(10)


@goes_further
async def held_until_the_end(say: Log) -> Any:
    held = [pages(say, word) for word in ("a", "b")]
    for generator in held:
        await anext(generator)
    say("returns")
    return len(held)


@goes_further
async def held_by_a_cycle_until_the_end(say: Log) -> Any:
    class Reader:
        def __init__(self) -> None:
            self.pages = pages(say)
            self.me = self

    await anext(Reader().pages)
    await asyncio.sleep(1)
    say("returns")


@goes_further
async def held_by_a_task_left_at_the_end(say: Log) -> Any:
    async def reads() -> None:
        async for _ in pages(say):
            await asyncio.sleep(HOUR)

    task = asyncio.create_task(reads())
    await asyncio.sleep(3)
    return task.done()


@case
async def run_to_its_end_and_never_begun(say: Log) -> Any:
    unused = pages(say, "unused")
    seen = [page async for page in pages(say, "used")]
    await unused.aclose()
    return seen


@case
async def closed_by_hand(say: Log) -> Any:
    generator = pages(say)
    await anext(generator)
    await generator.aclose()
    say("closed by hand")
    try:
        await anext(generator)
    except StopAsyncIteration:
        say("nothing more")
    await generator.aclose()


@case
async def sent_to_and_thrown_into(say: Log) -> Any:
    async def echo() -> AsyncGenerator[str, str]:
        word = "begins"
        while True:
            try:
                word = yield word
            except KeyError as error:
                await asyncio.sleep(1)
                word = f"caught {error}"

    generator = echo()
    say(await generator.asend(None))  # type: ignore[arg-type]
    say(await generator.asend("sent"))
    say(await generator.athrow(KeyError("thrown")))
    try:
        await generator.athrow(ValueError("let out"))
    except ValueError as error:
        say(error)


@case
async def aclosing(say: Log) -> Any:
    async with contextlib.aclosing(pages(say)) as generator:
        async for page in generator:
            if page == 1:
                break
    say("closed at once")


@case
async def generators_of_generators(say: Log) -> Any:
    async def doubled() -> AsyncGenerator[int, None]:
        try:
            async for page in pages(say, "inner"):
                yield 2 * page
        finally:
            say("outer closes")

    async for page in doubled():
        if page == 4:
            break
    await asyncio.sleep(20)


@case
async def several_left_at_once(say: Log) -> Any:
    async def reads(word: str, seconds: float) -> int:
        await asyncio.sleep(seconds)
        async for page in pages(say, word, pause=10):
            return page
        return -1

    say(await asyncio.gather(reads("a", 1), reads("b", 2), reads("c", 3)))
    await asyncio.sleep(100)


@goes_further
async def errors_while_closing_are_nobodys(say: Log) -> Any:
    async def broken() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            say("breaks")
            raise ValueError("in finally")

    async for _ in broken():
        break
    await asyncio.sleep(5)
    held = broken()
    await anext(held)
    return "returns"


@case
async def one_that_ignores_its_close(say: Log) -> Any:
    async def stubborn() -> AsyncGenerator[int, None]:
        try:
            yield 1
        except GeneratorExit:
            say("goes on")
            yield 2

    generator = stubborn()
    await anext(generator)
    try:
        await generator.aclose()
    except RuntimeError as error:
        say(error)


@case
async def iterated_by_two_tasks(say: Log) -> Any:
    generator = pages(say)
    results = await asyncio.gather(anext(generator), anext(generator), return_exceptions=True)
    say([type(result).__name__ for result in results])
    found = await anext(generator)
    await generator.aclose()
    return found


@case
async def context_managers_and_exit_stacks(say: Log) -> Any:
    @contextlib.asynccontextmanager
    async def held(word: str) -> AsyncIterator[str]:
        await asyncio.sleep(1)
        say("opens", word)
        try:
            yield word
        except LookupError:
            say("sees it", word)
            raise
        finally:
            await asyncio.sleep(1)
            say("closes", word)

    async def farewell(word: str) -> None:
        await asyncio.sleep(1)
        say("farewell", word)

    try:
        async with contextlib.AsyncExitStack() as stack:
            for word in "ab":
                await stack.enter_async_context(held(word))
            stack.push_async_callback(farewell, "x")
            stack.callback(say, "plain callback")
            await stack.enter_async_context(contextlib.aclosing(pages(say)))
            raise LookupError("out")
    except LookupError as error:
        say(error)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(held("kept"))
        kept = stack.pop_all()
    await kept.aclose()


@case
async def context_variables_in_generators(say: Log) -> Any:
    async def sets() -> AsyncGenerator[str, None]:
        variable.set("generator")
        try:
            yield variable.get()
        finally:
            say("closes with", variable.get())

    async for _ in sets():
        say("sees", variable.get())
        variable.set("loop")
        break
    await asyncio.sleep(1)
    return variable.get()


@case
async def left_in_a_group_that_fails(say: Log) -> Any:
    async def reads(word: str) -> None:
        async for _ in pages(say, word, pause=4):
            pass

    async def fails() -> None:
        await asyncio.sleep(6)
        raise ValueError("x")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(reads("a"))
            group.create_task(fails())
    except* ValueError as errors:
        say(errors)
