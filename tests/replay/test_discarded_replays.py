"""A replay that is dropped runs `finally` blocks, refuses their commands, and never runs a step itself."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from stepfast import now, random, signal, uuid4
from stepfast.loop import Closed
from stepfast.replay import Replay, _live
from tests.replay.driver import started
from tests.replay.steps import called, double, echo, note

tidied: list[str] = []


@pytest.fixture(autouse=True)
def nothing_runs() -> Iterator[None]:
    called.clear()
    tidied.clear()
    before = set(_live)
    yield
    gc.collect()
    assert called == []
    assert not set(_live) - before


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


def close(replay: list[Replay]) -> None:
    replay.pop().close()


def drop(replay: list[Replay]) -> None:
    replay.clear()


def collect(replay: list[Any]) -> None:
    replay[0].me = replay
    replay.append(replay)
    del replay
    gc.collect()


def in_a_thread(way: Callable[[list[Replay]], None]) -> Callable[[list[Replay]], None]:
    def run(replay: list[Replay]) -> None:
        thread = threading.Thread(target=way, args=(replay,))
        thread.start()
        thread.join()

    return run


def under_a_loop(way: Callable[[list[Replay]], None]) -> Callable[[list[Replay]], None]:
    def run(replay: list[Replay]) -> None:
        async def main() -> None:
            task = asyncio.current_task()
            way(replay)
            assert asyncio.current_task() is task

        asyncio.run(main())

    return run


WAYS = {
    "closed": close,
    "dropped": drop,
    "closed in a thread": in_a_thread(close),
    "dropped in a thread": in_a_thread(drop),
    "closed under a loop": under_a_loop(close),
    "dropped under a loop": under_a_loop(drop),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", BODIES)
def test_finally_blocks_run_once_and_no_step_with_them(body: Any, way: str) -> None:
    replay = [started(body)]
    assert not replay[0].finished
    WAYS[way](replay)
    assert tidied[-1] == "out"
    seen = list(tidied)
    gc.collect()
    assert tidied == seen


@pytest.mark.parametrize("body", BODIES)
def test_the_collector_finds_a_replay_in_a_cycle(body: Any) -> None:
    replay: list[Any] = [started(body)]
    replay[0].me = replay
    del replay
    gc.collect()
    assert tidied[-1] == "out"


@pytest.mark.parametrize("body", BODIES)
def test_many_replays_dropped_at_once_in_any_generation_of_the_collector(body: Any) -> None:
    for round in range(3):
        replays = [started(body) for _ in range(10)]
        for one in replays:
            one.me = one  # type: ignore[attr-defined]
        if round == 1:
            gc.collect()
        del replays, one
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()
    assert tidied.count("out") % 30 == 0


@pytest.mark.parametrize("ask", [now, random, uuid4, lambda: asyncio.get_running_loop().call_later(1, print)])
def test_what_else_a_workflow_may_ask_for_is_refused_or_harmless(ask: Callable[[], object]) -> None:
    async def body() -> None:
        try:
            await echo(1)
        finally:
            try:
                ask()
            except BaseException as error:
                tidied.append(type(error).__name__)

    replay = started(body)
    replay.close()
    assert tidied in ([], [Closed.__name__])
    assert list(replay.issued) == ["echo"]


def test_commands_taken_back_by_finally_blocks_are_still_shown_as_outstanding() -> None:
    async def body() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(echo(1), echo(2))

    replay = started(body)
    replay.close()
    assert list(replay.outstanding) == [":timer", "echo", "echo#2"]
    assert not replay.finished


def test_code_that_never_ends_is_not_waited_for() -> None:
    async def body() -> None:
        while True:
            try:
                await echo(1)
            except BaseException:
                await asyncio.sleep(0)

    started(body).close()


def test_a_finished_replay_drops_its_other_tasks() -> None:
    async def body() -> int:
        task = asyncio.create_task(in_finally())
        return await echo(1) + task.done()

    replay = started(body)
    replay.close()
    assert tidied == ["in", "out"]


def test_a_step_that_is_never_awaited_is_warned_of() -> None:
    async def body() -> int:
        note("forgotten")  # type: ignore[unused-coroutine]
        return await echo(1)

    with pytest.warns(RuntimeWarning, match="step 'note' was called and never awaited: it has not run"):
        started(body).close()
