"""Workflow bodies that are caught in the middle when their replay is dropped; `tidied` tells what ran then."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from stepfast import signal
from tests.replay.steps import double, echo, note

tidied: list[str] = []


async def in_finally() -> None:
    try:
        await echo(1)
    finally:
        tidied.append("in")
        try:
            await note("never")
        finally:
            tidied.append("out")


async def without_await() -> None:
    try:
        await echo(1)
    finally:
        tidied.append("in")
        try:
            _ = note("never")
        finally:
            tidied.append("out")


async def awaiting_in_finally() -> None:
    try:
        try:
            await echo(1)
        finally:
            tidied.append("in")
            await asyncio.sleep(0)
            await asyncio.sleep(60)
    finally:
        tidied.append("out")
        _ = note("never")


async def swallowing() -> None:
    try:
        for _ in range(5):
            try:
                await echo(1)
            except BaseException:
                tidied.append("in")
    finally:
        tidied.append("out")
        _ = note("never")


async def in_task_group() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(echo(1))
            group.create_task(in_finally())
            await echo(2)
    finally:
        await note("never")


async def in_gather() -> None:
    await asyncio.gather(in_finally(), echo(2), asyncio.shield(echo(3)))


async def under_timeout() -> None:
    async with asyncio.timeout(60):
        await in_finally()


async def starting_tasks() -> None:
    try:
        await echo(1)
    finally:
        tidied.append("in")
        tidied.append("out")
        asyncio.create_task(note("never"))  # noqa: RUF006


@asynccontextmanager
async def held() -> AsyncIterator[None]:
    tidied.append("opened")
    try:
        yield
    finally:
        tidied.append("in")
        tidied.append("out")
        await note("never")


async def in_context_manager() -> None:
    async with held():
        await echo(1)


async def numbers() -> AsyncGenerator[int, None]:
    try:
        yield 1
        yield await echo(2)
    finally:
        tidied.append("in")
        try:
            await asyncio.sleep(0)
        finally:
            tidied.append("out")
            _ = note("never")


async def between_items() -> None:
    async for n in numbers():
        await double(n)


async def inside_a_generator() -> None:
    async for _ in numbers():
        pass


async def with_aclosing() -> None:
    async with aclosing(numbers()) as items:
        async for n in items:
            await double(n)


async def failing_in_finally() -> None:
    try:
        await echo(1)
    finally:
        tidied.append("in")
        tidied.append("out")
        raise ValueError("from the finally block")


async def waiting_for_a_signal() -> None:
    try:
        await signal("go", int, timeout=60)
    finally:
        tidied.append("in")
        tidied.append("out")
        _ = note("never")


BODIES = [
    in_finally,
    without_await,
    awaiting_in_finally,
    swallowing,
    in_task_group,
    in_gather,
    under_timeout,
    starting_tasks,
    in_context_manager,
    between_items,
    inside_a_generator,
    with_aclosing,
    failing_in_finally,
    waiting_for_a_signal,
]
