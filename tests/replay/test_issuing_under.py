"""Commands of a block of `issuing_under` have ids below the block's path, whatever task issues them."""

import asyncio
from typing import Any

import pytest

from stepfast import signal, step, uuid4, workflow
from stepfast.language.workflow_loop import issuing_under
from stepfast.testing import Environment, MotoCloud


@step
async def work(item: str) -> str:
    return item


async def library(item: str, extra_tasks: int) -> str:
    """A library that does its work in a task of its own, one or more tasks deep."""
    if extra_tasks:
        return await asyncio.create_task(library(item, extra_tasks - 1))
    with issuing_under(f"calls/{item}"):
        first = await work(item)
        second, third = await asyncio.gather(work(f"{item}-2"), asyncio.create_task(nested(item)))
        return f"{first} {second} {third}"


async def nested(item: str) -> str:
    return await work(f"{item}-3")


depth = [1]


@workflow("library")
async def using_a_library() -> list[str]:
    return [*await asyncio.gather(library("a", depth[0]), library("b", depth[0])), await work("c")]


@pytest.mark.parametrize("kit", [Environment, MotoCloud])
@pytest.mark.parametrize("tasks", [1, 3])
def test_ids_do_not_depend_on_the_tasks_around_the_block(kit: Any, tasks: int) -> None:
    depth[0] = tasks
    with kit(using_a_library) as env:
        run = env.run(using_a_library)
    assert run.result == ["a a-2 a-3", "b b-2 b-3", "c"]
    assert {call.step_id for call in run.steps} == {
        *("calls/a/work", "calls/a/work#2", "calls/a/nested/work"),
        *("calls/b/work", "calls/b/work#2", "calls/b/nested/work"),
        "work",
    }


@workflow("waits")
async def waiting_in_a_block() -> str:
    before = uuid4()
    with issuing_under("people"):
        answer = await signal("go", str, timeout=60)
    assert before != uuid4()
    return answer


def test_signals_and_timers_belong_to_the_block_too() -> None:
    with Environment(waiting_in_a_block) as env:
        run = env.start(waiting_in_a_block)
        env.run_until(lambda: bool(run.waiting))
        assert {waiting.command_id for waiting in run.waiting} == {"people/signal:go", "people/:timer"}
        env.signal(run, "go", "now")
        assert env.run_until(run).result == "now"
