"""Workflows whose failure is raised outside the failed step's own exception, each in a shape that users write."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from stepfast import Retry, StepFailed, step

Shape = Callable[[], Coroutine[Any, Any, int]]


@step
async def good(number: int) -> int:
    return number


@step(retry=Retry(max_attempts=1))
async def bad(number: int) -> int:
    raise ValueError("outage")


@step
async def tell(text: str) -> None: ...


async def gathered() -> int:
    results = await asyncio.gather(good(1), bad(2), return_exceptions=True)
    if failed := [result for result in results if isinstance(result, BaseException)]:
        raise RuntimeError(f"{len(failed)} of {len(results)} failed")
    return 1


async def the_last_of_several() -> int:
    results = await asyncio.gather(bad(1), good(2), bad(3), return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        raise failed[-1]
    return 1


async def a_group_of_the_users() -> int:
    errors = []
    for number in range(3):
        try:
            await bad(number)
        except StepFailed as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("several failed", errors)
    return 1


async def a_group_of_other_errors() -> int:
    results = await asyncio.gather(bad(1), bad(2), return_exceptions=True)
    errors = [RuntimeError(str(result)) for result in results if isinstance(result, BaseException)]
    if errors:
        raise ExceptionGroup("several failed", errors)
    return 1


async def told_and_raised_later() -> int:
    message = None
    try:
        await bad(1)
    except StepFailed as error:
        message = error.message
    if message:
        await tell(message)
        raise RuntimeError(message)
    return 1


async def kept_and_raised_later() -> int:
    kept: list[Exception] = []
    try:
        await bad(1)
    except StepFailed as error:
        kept.append(error)
    await tell("anyway")
    if kept:
        raise kept[0]
    return 1


async def raised_from_none() -> int:
    message = ""
    try:
        await bad(1)
    except StepFailed as error:
        message = str(error)
    if message:
        raise RuntimeError(message) from None
    return 1


async def translated_at_once() -> int:
    try:
        return await bad(1)
    except StepFailed:
        raise LookupError("no number today") from None


async def default_for_a_failure() -> int:
    async def number() -> int | None:
        try:
            return await bad(1)
        except StepFailed:
            return None

    if (found := await number()) is None:
        raise ValueError("no number")
    return found


async def wait_and_exception() -> int:
    done, _ = await asyncio.wait([asyncio.create_task(good(1)), asyncio.create_task(bad(2))])
    if any(task.exception() is not None for task in done):
        raise RuntimeError("something failed")
    return 1


async def first_exception() -> int:
    tasks = [asyncio.create_task(good(1)), asyncio.create_task(bad(2))]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    if any(task.exception() for task in done):
        raise RuntimeError("something failed")
    return 1


async def in_another_task() -> int:
    failed: list[str] = []

    async def worker(number: int) -> None:
        try:
            await bad(number)
        except StepFailed as error:
            failed.append(error.message)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(worker(number))
    if failed:
        raise RuntimeError(f"{len(failed)} failed")
    return 1


async def in_a_done_callback() -> int:
    failed: list[object] = []
    task = asyncio.create_task(bad(1))
    task.add_done_callback(lambda done: failed.append(done.exception()) if done.exception() else None)
    await asyncio.wait([task])
    await tell("it is done")
    if failed:
        raise RuntimeError("failed")
    return 1


async def through_a_queue() -> int:
    queue: asyncio.Queue[int | None] = asyncio.Queue()

    async def producer() -> None:
        try:
            queue.put_nowait(await bad(1))
        except StepFailed:
            queue.put_nowait(None)

    task = asyncio.create_task(producer())
    found = await queue.get()
    await task
    if found is None:
        raise RuntimeError("nothing was produced")
    return found


async def waits_for_what_the_failed_task_does_not_set() -> int:
    event = asyncio.Event()

    async def setter() -> None:
        await bad(1)
        event.set()

    task = asyncio.create_task(setter())
    await event.wait()
    await task
    return 1


async def as_completed_counted() -> int:
    failed = 0
    for first in asyncio.as_completed([bad(1), good(2), bad(3)]):
        try:
            await first
        except StepFailed:
            failed += 1
    if failed:
        raise RuntimeError(f"{failed} failed")
    return 1


async def index_error_of_what_is_missing() -> int:
    found = []
    try:
        found.append(await bad(1))
    except StepFailed:
        await tell("it is left out")
    return found[0]


async def returned_as_a_result() -> int:
    results = await asyncio.gather(bad(1), return_exceptions=True)
    return results[0]  # type: ignore[return-value]  # no JSON while it is an exception


SHAPES: list[Shape] = [
    gathered,
    the_last_of_several,
    a_group_of_the_users,
    a_group_of_other_errors,
    told_and_raised_later,
    kept_and_raised_later,
    raised_from_none,
    translated_at_once,
    default_for_a_failure,
    wait_and_exception,
    first_exception,
    in_another_task,
    in_a_done_callback,
    through_a_queue,
    waits_for_what_the_failed_task_does_not_set,
    as_completed_counted,
    index_error_of_what_is_missing,
    returned_as_a_result,
]
