"""gather, groups of tasks, wait, as_completed, shield: docs.python.org/3/library/asyncio-task.html."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.parity.cases import case, since, unordered
from tests.parity.sides import Log, after


@case
async def gather_of_coroutines_and_tasks(say: Log) -> Any:
    return await asyncio.gather(after(say, 3, "a"), asyncio.create_task(after(say, 1, "b")), after(say, 2, "c"))


@case
async def gather_with_an_error_leaves_the_others_running(say: Log) -> Any:
    slow = asyncio.create_task(after(say, 5, "slow"))
    try:
        await asyncio.gather(slow, after(say, 1, "bad", ValueError("x")))
    except ValueError as error:
        say(error)
    return await slow


@case
async def gather_return_exceptions(say: Log) -> Any:
    results = await asyncio.gather(after(say, 1, "bad", ValueError("x")), after(say, 2, "good"), return_exceptions=True)
    return [str(result) for result in results]


@case
async def gather_cancelled_from_outside(say: Log) -> Any:
    outer = asyncio.gather(after(say, 5, "a"), after(say, 6, "b"))
    asyncio.get_running_loop().call_later(2, outer.cancel)
    try:
        await outer
    except asyncio.CancelledError as error:
        say(error)
    return outer.cancelled()


@case
async def gather_whose_child_is_cancelled(say: Log) -> Any:
    child = asyncio.create_task(after(say, 5, "a"))
    asyncio.get_running_loop().call_later(2, child.cancel, "enough")
    results = await asyncio.gather(child, after(say, 3, "b"), return_exceptions=True)
    return [repr(result) for result in results]


@case
async def gather_of_nothing_and_of_one_twice(say: Log) -> Any:
    task = asyncio.create_task(after(say, 1, "once"))
    return [await asyncio.gather(), await asyncio.gather(task, task)]


@case
async def gather_nested(say: Log) -> Any:
    return await asyncio.gather(asyncio.gather(after(say, 1, "a"), after(say, 4, "b")), after(say, 2, "c"))


@case
async def group_of_tasks(say: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(after(say, seconds, str(seconds)), name=f"n{seconds}") for seconds in (3, 1, 2)]
    return [[task.get_name(), task.result()] for task in tasks]


@unordered
async def group_fails_with_all_errors(say: Log) -> Any:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise KeyError("while cancelled")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_when_cancelled())
            group.create_task(after(say, 5, "sibling"))
            group.create_task(after(say, 1, "bad", ValueError("x")))
            await asyncio.sleep(30)
            say("never")
    except* (ValueError, KeyError) as errors:
        say(errors)
    return "on"


@case
async def group_whose_body_fails(say: Log) -> Any:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(after(say, 5, "child"))
            await asyncio.sleep(1)
            raise LookupError("in the body")
    except* LookupError as errors:
        say(errors)


@unordered
async def group_cancelled_from_outside(say: Log) -> Any:
    async def inner() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(after(say, 5, "a"))
            group.create_task(after(say, 6, "b"))

    task = asyncio.create_task(inner())
    await asyncio.sleep(1)
    task.cancel("outside")
    try:
        await task
    except asyncio.CancelledError as error:
        say("group", *error.args)
    return [task.cancelled(), task.cancelling()]


@case
async def groups_nest_and_tasks_make_tasks(say: Log) -> Any:
    async def parent(group: asyncio.TaskGroup) -> str:
        say("parent")
        child = group.create_task(after(say, 2, "grandchild"))
        async with asyncio.TaskGroup() as inner:
            inner.create_task(after(say, 1, "inner"))
        return await child

    async with asyncio.TaskGroup() as group:
        task = group.create_task(parent(group))
    return task.result()


@case
async def group_that_has_ended_refuses_tasks(say: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        pass
    coroutine = after(say, 1, "late")
    try:
        group.create_task(coroutine)
    except RuntimeError as error:
        say(type(error).__name__)
    coroutine.close()


@case
async def a_task_that_cancels_its_own_group_member(say: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(after(say, 5, "first"))
        await asyncio.sleep(1)
        first.cancel()
    return first.cancelled()


@unordered
async def wait_all_first_completed_and_first_exception(say: Log) -> Any:
    seen = []
    for when in (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION):
        tasks = [
            asyncio.create_task(after(say, 1, "good")),
            asyncio.create_task(after(say, 2, "bad", ValueError("x"))),
            asyncio.create_task(after(say, 3, "late")),
        ]
        done, pending = await asyncio.wait(tasks, return_when=when)
        say(when, sorted(tasks.index(task) for task in done))
        seen.append([len(done), len(pending)])
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return seen


@case
async def wait_with_a_timeout(say: Log) -> Any:
    tasks = [asyncio.create_task(after(say, 1, "a")), asyncio.create_task(after(say, 5, "b"))]
    done, pending = await asyncio.wait(tasks, timeout=3)
    say("waited")
    return [len(done), len(pending), await pending.pop()]


@case
async def wait_refuses_coroutines_and_nothing(say: Log) -> Any:
    coroutine = after(say, 1, "a")
    for given in ([coroutine], []):
        try:
            await asyncio.wait(given)  # type: ignore[type-var]
        except (TypeError, ValueError) as error:
            say(error)
    coroutine.close()


@unordered
async def as_completed_in_order_of_their_ends(say: Log) -> Any:
    return [await one for one in asyncio.as_completed([after(say, 3, "c"), after(say, 1, "a"), after(say, 2, "b")])]


@unordered
async def as_completed_with_errors_and_a_timeout(say: Log) -> Any:
    seen: list[Any] = []
    given = [after(say, 1, "bad", ValueError("x")), after(say, 2, "good"), after(say, 9, "late")]
    for one in asyncio.as_completed(given, timeout=5):
        try:
            seen.append(await one)
        except Exception as error:
            seen.append(repr(error))
    return seen


@since(3, 13)
async def as_completed_as_an_async_iterator(say: Log) -> Any:
    tasks = [asyncio.create_task(after(say, seconds, str(seconds))) for seconds in (3, 1, 2)]
    seen = []
    async for task in asyncio.as_completed(tasks):  # type: ignore[attr-defined]
        seen.append([tasks.index(task), await task])
    try:
        async for _ in asyncio.as_completed([after(say, 9, "late")], timeout=1):  # type: ignore[attr-defined]
            say("never")
    except TimeoutError as error:
        say(error)
    return seen


@case
async def shield_keeps_what_it_holds(say: Log) -> Any:
    inner = asyncio.create_task(after(say, 5, "inner"))
    outer = asyncio.create_task(asyncio.wait_for(asyncio.shield(inner), 1))
    try:
        await outer
    except TimeoutError as error:
        say(error)
    return await inner


@case
async def shield_of_what_is_cancelled_itself(say: Log) -> Any:
    inner = asyncio.create_task(after(say, 5, "inner"))
    asyncio.get_running_loop().call_later(1, inner.cancel)
    try:
        await asyncio.shield(inner)
    except asyncio.CancelledError:
        say("cancelled inside")
    return inner.cancelled()
