"""A replay that is dropped runs `finally` blocks, refuses their commands, and never runs a step itself."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stepfast import now, random, uuid4
from stepfast.errors import NeverAwaited
from stepfast.replay.loop import Closed
from stepfast.replay.replay import Replay, _live
from tests.replay.discarding import BODIES, in_finally, tidied
from tests.replay.driver import started
from tests.replay.steps import called, echo, note

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture(autouse=True)
def nothing_runs() -> Iterator[None]:
    called.clear()
    tidied.clear()
    before = set(_live)
    yield
    gc.collect()
    assert called == []
    assert not set(_live) - before


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


def test_a_step_that_is_never_awaited_fails_before_anything_else_is_asked_for() -> None:
    async def body() -> int:
        note("forgotten")  # type: ignore[unused-coroutine]
        return await echo(1)

    replay = started(body)
    assert replay.finished
    assert isinstance(replay.error, NeverAwaited)
    assert "step 'note' was called and never awaited: it has not run" in str(replay.error)
