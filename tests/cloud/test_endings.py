"""What workflow code leaves behind ends as under asyncio.run, with the steps of its `finally` blocks. Both homes."""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, StepFailed, signal, step, workflow
from stepfast.testing import Environment, MotoCloud

World = Callable[..., Any]
both_homes = pytest.mark.parametrize("world", [Environment, MotoCloud])


@step
async def fetch(page: int) -> int:
    return page


@step
async def close_cursor(word: str) -> None: ...


@step(retry=Retry(max_attempts=1))
async def broken() -> None:
    raise ConnectionError("down")


async def pages() -> AsyncGenerator[int, None]:
    try:
        for page in range(10):
            yield await fetch(page)
    finally:
        await close_cursor("pages")


@workflow("left-by-break")
async def left_by_break() -> int:
    async for page in pages():
        if page == 2:
            break
    return await fetch(100) + page


@workflow("left-at-the-end")
async def left_at_the_end() -> int:
    async for page in pages():
        if page == 2:
            break
    return page


@workflow("held-at-the-end")
async def held_at_the_end() -> int:
    held = pages()
    return await anext(held)


async def background(word: str) -> None:
    try:
        await asyncio.sleep(86_400)
    finally:
        await close_cursor(word)


@workflow("tasks-left")
async def tasks_left() -> int:
    tasks = [asyncio.create_task(background(word)) for word in ("a", "b")]
    await asyncio.sleep(1)
    return len(tasks)


@workflow("tasks-left-by-a-failure")
async def tasks_left_by_a_failure() -> None:
    task = asyncio.create_task(background("a"))
    await asyncio.sleep(1)
    assert not task.done()
    await broken()


@both_homes
@pytest.mark.parametrize(
    ("flow", "result", "closed"),
    [
        (left_by_break, 102, ["pages"]),
        (left_at_the_end, 2, ["pages"]),
        (held_at_the_end, 0, ["pages"]),
        (tasks_left, 2, ["a", "b"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_finally_blocks_run_their_steps_once(world: World, flow: Any, result: int, closed: list[str]) -> None:
    with world(flow) as env:
        run = env.run(flow)
        assert (run.status, run.result) == ("SUCCEEDED", result)
        assert sorted(call.input["word"] for call in run.calls(close_cursor)) == closed


@both_homes
def test_tasks_left_by_a_failure_tidy_up_before_it_and_again_after_a_resume(world: World) -> None:
    with world(tasks_left_by_a_failure) as env:
        run = env.run(tasks_left_by_a_failure)
        assert run.status == "FAILED"
        assert run.error.type == "ConnectionError"
        assert run.reopens == ("broken",)
        assert len(run.calls(close_cursor)) == 1
        env.fake(broken, None)
        env.resume(run)
        run = env.run_until(run)
        assert run.status == "SUCCEEDED"
        assert (len(run.calls(broken)), len(run.calls(close_cursor))) == (2, 2)


@workflow("tidies-for-ever")
async def tidies_for_ever() -> int:
    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(1)
    return int(task.done())


@both_homes
def test_a_task_that_never_finishes_tidying_up_is_said_to(world: World) -> None:
    with world(tidies_for_ever) as env:
        run = env.run(tidies_for_ever)
        assert (run.status, run.error.type) == ("FAILED", "Deadlock")
        assert "has returned, but a task that was left" in run.error.message


span: contextvars.ContextVar[str | None] = contextvars.ContextVar("span", default=None)
wrong: list[str] = []


@contextlib.contextmanager
def in_span(name: str) -> Iterator[None]:
    token = span.set(name)
    try:
        yield
    finally:
        try:
            span.reset(token)
        except ValueError as error:
            wrong.append(str(error))


async def spanned_pages() -> AsyncGenerator[int, None]:
    with in_span("generator"):
        yield 1
        yield await fetch(2)


@workflow("in-spans")
async def in_spans() -> int:
    async def child(name: str) -> int:
        with in_span(name):
            return await fetch(1) + await signal(name, int)

    with in_span("flow"):
        await fetch(1)
        total = 0
        async for page in spanned_pages():
            total += page
        with contextlib.suppress(StepFailed):
            await broken()
        return total + sum(await asyncio.gather(child("a"), child("b")))


@both_homes
def test_what_is_discarded_unwinds_in_its_own_context(world: World) -> None:
    wrong.clear()
    with world(in_spans) as env:
        run = env.start(in_spans)
        for name in ("a", "b"):
            env.advance(timedelta(seconds=5))
            env.signal(run, name, 3)
        run = env.run_until(run)
        assert run.result == 3 + 2 * 4
    assert wrong == []
