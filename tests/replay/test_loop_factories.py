"""What libraries ask of the loop: harmless questions are answered, what would break replays is refused."""

import asyncio
import sys
from typing import Any

import pytest

from stepfast.errors import ForbiddenInWorkflow
from tests.replay.driver import played, started
from tests.replay.steps import echo


def test_a_task_factory_that_makes_tasks_of_its_own_is_refused() -> None:
    async def body() -> int:
        try:
            asyncio.get_running_loop().set_task_factory(lambda loop, coroutine, **options: asyncio.Task(coroutine))
        except Exception:
            pass
        return await echo(1)

    replay = started(body)
    assert isinstance(replay.error, ForbiddenInWorkflow)
    assert "only asyncio.eager_task_factory and None work" in str(replay.error)


def test_no_task_factory_may_be_set_again() -> None:
    async def body() -> bool:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(None)
        return loop.get_task_factory() is None and loop.get_exception_handler() is None

    assert started(body).result == "true"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_steps_in_eager_tasks_have_the_ids_of_other_tasks() -> None:
    async def body() -> list[Any]:
        async def child(number: int) -> int:
            return await echo(number) + await echo(number)

        return list(await asyncio.gather(child(1), echo(2), child(3)))

    async def eager() -> list[Any]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        return await body()

    plays = [played(one) for one in (body, eager)]
    assert [play.execution.result for play in plays] == ["[2,2,6]"] * 2
    assert sorted(plays[0].records) == sorted(plays[1].records)


def test_unknown_options_of_a_task_are_refused_as_by_asyncio() -> None:
    async def body() -> None:
        coroutine = asyncio.sleep(1)
        try:
            asyncio.get_running_loop().create_task(coroutine, colour="red")  # type: ignore[call-arg]
        finally:
            coroutine.close()

    assert isinstance(started(body).error, TypeError)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_a_library_may_call_the_eager_task_factory_itself() -> None:
    async def body() -> list[Any]:
        async def child(number: int) -> int:
            return await echo(number) + await echo(number)

        loop, factory = asyncio.get_running_loop(), asyncio.eager_task_factory  # type: ignore[attr-defined]
        return list(await asyncio.gather(*[factory(loop, child(number)) for number in (1, 2)]))

    play = played(body)
    assert play.execution.result == "[2,4]"
    assert set(play.records) == {"child/echo", "child/echo#2", "child#2/echo", "child#2/echo#2"}
