"""A replay leaves nothing behind in the thread, the loop and the interpreter around it."""

import asyncio
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from stepfast import step
from stepfast.language.workflow_loop import in_workflow
from stepfast.replay.replay import Replay
from tests.replay.driver import played, started
from tests.replay.steps import double, echo


async def simple() -> int:
    return sum(await asyncio.gather(echo(1), echo(2)))


async def stuck() -> None:
    await asyncio.Event().wait()


async def exits() -> None:
    raise SystemExit(3)


async def interrupted() -> None:
    await asyncio.gather(echo(1), interrupted_child())


async def interrupted_child() -> None:
    raise KeyboardInterrupt


async def reads() -> None:
    Path(__file__).read_text()


async def with_generator() -> None:
    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            yield await echo(n)

    async for _ in numbers():
        await echo(9)


BODIES = [simple, stuck, exits, interrupted, reads, with_generator]
every_body = pytest.mark.parametrize("body", BODIES)


@every_body
def test_no_loop_is_left_running_without_one_outside(body: Any) -> None:
    hooks = sys.get_asyncgen_hooks()
    started(body).close()
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert in_workflow() is None
    assert sys.get_asyncgen_hooks() == hooks


@every_body
def test_an_outer_loop_and_its_task_go_on_as_before(body: Any) -> None:
    async def main() -> None:
        loop, task, hooks = asyncio.get_running_loop(), asyncio.current_task(), sys.get_asyncgen_hooks()
        replay = started(body)
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
        await asyncio.sleep(0)
        replay.close()
        assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
        assert sys.get_asyncgen_hooks() == hooks
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.001))

    asyncio.run(main())


def test_replays_of_many_executions_take_turns_in_one_task() -> None:
    async def main() -> list[Any]:
        plays = [await asyncio.to_thread(played, simple), played(simple), played(simple)]
        return [play.execution.result for play in plays]

    assert asyncio.run(main()) == ["3", "3", "3"]


def test_a_replay_may_go_on_in_another_thread() -> None:
    replays = [started(simple) for _ in range(3)]
    threads = [threading.Thread(target=replay.close) for replay in replays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(replay.closed for replay in replays)


def test_tasks_of_replays_are_not_among_asyncios() -> None:
    async def main() -> int:
        replays = [started(simple) for _ in range(5)]
        count = len(asyncio.all_tasks())
        for replay in replays:
            replay.close()
        return count

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize(("body", "kind"), [(exits, SystemExit), (interrupted, KeyboardInterrupt)])
def test_an_exit_in_workflow_code_ends_the_execution_not_the_process(body: Any, kind: type[BaseException]) -> None:
    replay = started(body)
    assert replay.finished
    assert isinstance(replay.error, kind)


def test_an_exit_in_a_task_nobody_waits_for_ends_the_execution_only() -> None:
    async def body() -> int:
        asyncio.create_task(exits())  # noqa: RUF006
        return await echo(1)

    execution = played(body).execution
    assert execution.error is not None
    assert (execution.status, execution.error.type) == ("FAILED", "NeverAwaited")
    assert execution.error.message.startswith("task 'exits' failed, and nothing ever awaited it: SystemExit: ")


def test_a_closed_replay_stays_as_it_was() -> None:
    replay = started(simple)
    before = (dict(replay.outstanding), dict(replay.issued), replay.finished)
    replay.close()
    replay.close()
    assert (dict(replay.outstanding), dict(replay.issued), replay.finished) == before


def test_as_completed_outside_workflows_is_what_it_always_was() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        for one in asyncio.as_completed([asyncio.sleep(0.002, "b"), asyncio.sleep(0, "a")], timeout=5):
            seen.append(await one)
        for one in asyncio.as_completed({asyncio.ensure_future(asyncio.sleep(0, "c"))}):
            seen.append(await one)
        with pytest.raises(TypeError):
            list(asyncio.as_completed(asyncio.sleep(0)))  # type: ignore[arg-type]
        return seen

    with pytest.warns(RuntimeWarning, match="never awaited"):
        assert asyncio.run(main()) == ["a", "b", "c"]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="new in Python 3.13")
def test_as_completed_is_an_async_iterator_of_the_tasks_given() -> None:
    async def steps() -> list[Any]:
        tasks = [asyncio.create_task(echo(n)) for n in range(3)]
        return [[one in tasks, await one] async for one in asyncio.as_completed(tasks)]  # type: ignore[attr-defined]

    async def plain() -> list[Any]:
        tasks = [asyncio.create_task(asyncio.sleep(0, n)) for n in range(3)]
        return [[one in tasks, await one] async for one in asyncio.as_completed(tasks)]  # type: ignore[attr-defined]

    assert played(steps).execution.result == "[[true,0],[true,1],[true,2]]"
    assert sorted(asyncio.run(plain())) == [[True, 0], [True, 1], [True, 2]]


def test_steps_called_outside_a_workflow_are_plain_functions() -> None:
    plain_echo, plain_double = cast(Any, echo), cast(Any, double)
    assert plain_echo(3) == 3
    assert asyncio.run(plain_double(3)) == 6


def test_a_step_called_in_another_steps_code_is_a_plain_function() -> None:
    @step
    def outer(n: int) -> int:
        return int(cast(Any, echo)(n)) + 1

    async def body() -> int:
        return await outer(4)

    play = played(body)
    assert play.execution.result == "5"
    assert play.ran == ["outer"]


def test_replay_needs_no_event_loop_of_the_thread() -> None:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(played(simple).execution.result))
    thread.start()
    thread.join()
    assert results == ["3"]


def test_owner_is_not_kept_alive_by_what_it_runs() -> None:
    replay: Replay | None = started(simple)
    gone = weakref.ref(replay)
    replay = None
    assert gone() is None


def test_a_replay_that_goes_on_within_the_code_of_another_gives_both_their_own_ids() -> None:
    inner: list[Replay] = []

    async def branch() -> int:
        inner.append(started(simple))
        return await echo(1)

    async def body() -> int:
        return sum(await asyncio.gather(branch(), branch()))

    outer = started(body)
    assert list(outer.outstanding) == ["branch/echo", "branch#2/echo"]
    assert [list(replay.outstanding) for replay in inner] == [["echo", "echo#2"]] * 2
    for replay in (outer, *inner):
        replay.close()


def test_a_call_of_one_replay_that_is_awaited_in_another_is_a_command_of_the_other() -> None:
    calls: list[Any] = []

    async def makes() -> None:
        calls.append(echo(1))
        await asyncio.Event().wait()

    async def awaits() -> int:
        return int(await calls[0])

    first, second = started(makes), started(awaits)
    assert [list(replay.outstanding) for replay in (first, second)] == [[], ["echo"]]
    for replay in (first, second):
        replay.close()
