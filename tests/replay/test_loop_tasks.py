"""Tasks in workflow code: what asyncio offers for running several things at once."""

import asyncio
import contextvars
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stepfast import StepFailed, workflow
from tests.replay.driver import Choose, Play, first, last, played
from tests.replay.steps import boom, double, echo, note

either_order = pytest.mark.parametrize("choose", [first, last])


def result_of(body: Any, choose: Choose = first) -> Any:
    play = Play(workflow("w")(body))
    replay = play.run(choose)
    assert replay.error is None, replay.error
    assert play.execution.result is not None
    return json.loads(play.execution.result)


@either_order
def test_gather_keeps_the_order_of_its_arguments(choose: Choose) -> None:
    async def body() -> tuple[int, ...]:
        return await asyncio.gather(echo(1), double(2), nested(), echo(4))

    async def nested() -> int:
        return await echo(await double(5))

    assert result_of(body, choose) == [1, 4, 10, 4]


@either_order
def test_gather_returns_exceptions_when_told_to(choose: Choose) -> None:
    async def body() -> list[str]:
        results = await asyncio.gather(echo(1), boom("x"), return_exceptions=True)
        return [f"{one.error_type}: {one.message}" if isinstance(one, StepFailed) else str(one) for one in results]

    assert result_of(body, choose) == ["1", "ValueError: x"]


@either_order
def test_task_group_waits_for_all_its_tasks(choose: Choose) -> None:
    async def body() -> list[int]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(echo(n)) for n in range(3)]
            tasks.append(group.create_task(later(group)))
        return [task.result() for task in tasks]

    async def later(group: asyncio.TaskGroup) -> int:
        inner = group.create_task(double(50))
        return await inner

    assert result_of(body, choose) == [0, 1, 2, 100]


@either_order
def test_task_group_cancels_the_siblings_of_a_failure(choose: Choose) -> None:
    async def body() -> list[str]:
        seen = []

        async def sibling() -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(sibling())
                group.create_task(boom("x"))
        except* StepFailed as failed:
            seen.extend(str(one) for one in failed.exceptions)
        return seen

    assert result_of(body, choose) == ["cancelled", "step 'boom' failed after 1 attempt(s): ValueError: x"]


def test_wait_for_all_completed() -> None:
    async def body() -> list[int]:
        done, pending = await asyncio.wait([asyncio.create_task(echo(n)) for n in range(4)])
        assert not pending
        return [task.result() for task in done]

    assert sorted(result_of(body)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("choose", "winner"), [(first, 0), (last, 2)])
def test_wait_for_the_first_completed(choose: Choose, winner: int) -> None:
    async def body() -> list[int]:
        tasks = [asyncio.create_task(echo(n)) for n in range(3)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return [task.result() for task in done] + [len(pending)]

    assert result_of(body, choose) == [winner, 2]


@pytest.mark.parametrize(("choose", "finished"), [(first, 2), (last, 1)])
def test_wait_for_the_first_exception(choose: Choose, finished: int) -> None:
    async def body() -> int:
        tasks = [asyncio.create_task(one) for one in (echo(1), boom(), note("x"))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        return len(done)

    assert result_of(body, lambda ready: sorted(ready, key=lambda one: one.name == "boom")[0]) == 3
    assert result_of(body, choose) == 2


def test_wait_with_a_timeout_leaves_the_rest_pending() -> None:
    async def body() -> list[int]:
        tasks = [asyncio.create_task(one) for one in (asyncio.sleep(5, 1), asyncio.sleep(60, 2))]
        done, pending = await asyncio.wait(tasks, timeout=30)
        return [len(done), len(pending), *[task.result() for task in done]]

    assert result_of(body) == [1, 1, 1]


@pytest.mark.parametrize(("choose", "order"), [(first, [0, 1, 2]), (last, [2, 1, 0])])
def test_as_completed_gives_results_in_the_order_they_came(choose: Choose, order: list[int]) -> None:
    async def body() -> list[int]:
        return [await one for one in asyncio.as_completed([echo(n) for n in range(3)])]

    assert result_of(body, choose) == order


def test_as_completed_with_a_timeout_raises_for_what_is_late() -> None:
    async def body() -> list[Any]:
        seen: list[Any] = []
        for one in asyncio.as_completed([asyncio.sleep(60, 1), echo(7)], timeout=30):
            try:
                seen.append(await one)
            except TimeoutError:
                seen.append("late")
        return seen

    assert result_of(body) == [7, "late"]


@either_order
def test_a_cancelled_task_takes_its_command_back(choose: Choose) -> None:
    async def body() -> list[str]:
        task = asyncio.create_task(note("never"), name="mine")
        name = task.get_name()
        await asyncio.sleep(0)
        task.cancel("no need")
        try:
            await task
        except asyncio.CancelledError as error:
            return [name, *map(str, error.args), str(task.cancelled())]
        return []

    play = Play(workflow("w")(body))
    assert play.run(choose).result == '["mine","no need","True"]'
    assert play.ran == []


def test_cancelling_runs_finally_blocks_and_their_steps() -> None:
    async def body() -> str:
        async def child() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await note("tidied")

        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return "done"

    play = played(body)
    assert play.ran == ["child/note"]


def test_a_shielded_step_outlives_its_cancelled_waiter() -> None:
    async def body() -> int:
        inner = asyncio.ensure_future(echo(3))
        outer = asyncio.ensure_future(asyncio.shield(inner))
        await asyncio.sleep(0)
        outer.cancel()
        await asyncio.wait([outer])
        return await inner + outer.cancelled()

    assert result_of(body) == 4


@either_order
def test_tasks_nest(choose: Choose) -> None:
    async def tree(depth: int) -> int:
        if depth == 0:
            return await echo(1)
        left, right = asyncio.create_task(tree(depth - 1)), asyncio.create_task(tree(depth - 1))
        return await left + await right

    async def body() -> int:
        return await tree(3)

    assert result_of(body, choose) == 8


def test_async_generators_and_context_managers() -> None:
    @asynccontextmanager
    async def held(name: str) -> AsyncIterator[str]:
        await note(f"open {name}")
        try:
            yield name
        finally:
            await note(f"close {name}")

    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            yield await echo(n)

    async def body() -> list[str]:
        async with held("a") as name:
            return [f"{name}{n}" async for n in numbers()]

    play = played(body)
    assert play.execution.result == '["a0","a1","a2"]'
    assert play.ran == ["note", "echo", "echo#2", "echo#3", "note#2"]


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@either_order
def test_context_variables_follow_tasks_as_in_asyncio(choose: Choose) -> None:
    async def child(name: str) -> list[str]:
        before = variable.get()
        variable.set(name)
        await echo(1)
        return [before, variable.get()]

    async def body() -> list[list[str]]:
        variable.set("parent")
        results = await asyncio.gather(child("a"), child("b"))
        own = contextvars.Context()
        apart = await asyncio.create_task(child("c"), context=own)
        return [*results, apart, [variable.get(), own[variable]]]

    token = variable.set("of the test")
    expected = [["parent", "a"], ["parent", "b"], ["unset", "c"], ["parent", "c"]]
    assert result_of(body, choose) == expected
    assert variable.get() == "of the test"
    variable.reset(token)


def test_current_task_is_the_one_that_runs() -> None:
    async def body() -> list[bool]:
        main = asyncio.current_task()
        child = asyncio.create_task(who())
        seen = await child
        return [seen is child, asyncio.current_task() is main]

    async def who() -> Any:
        await echo(1)
        return asyncio.current_task()

    assert result_of(body) == [True, True]


@either_order
def test_results_of_gathers_in_a_set_come_in_a_fixed_order(choose: Choose) -> None:
    async def body() -> list[tuple[int, int]]:
        groups = [asyncio.gather(echo(n), double(n)) for n in range(8)]
        done, _ = await asyncio.wait(groups)
        return [one.result() for one in done]

    results = {json.dumps(result_of(body, choose)) for _ in range(5)}
    assert len(results) == 1


def test_done_callbacks_run_with_the_task_done() -> None:
    async def body() -> list[int]:
        seen: list[int] = []
        task = asyncio.create_task(echo(4))
        task.add_done_callback(lambda done: seen.append(done.result()))
        await task
        await asyncio.sleep(0)
        return seen

    assert result_of(body) == [4]
