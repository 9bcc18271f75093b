"""asyncio's locks and queues in workflow code."""

import asyncio
import json
from typing import Any

import pytest

from stepfast import workflow
from stepfast.errors import Deadlock, ForbiddenInWorkflow
from tests.replay.driver import Choose, Play, first, last, started
from tests.replay.steps import called, double, echo, note

either_order = pytest.mark.parametrize("choose", [first, last])


def play_of(body: Any, choose: Choose = first) -> Play:
    play = Play(workflow("w")(body))
    play.run(choose)
    assert play.execution.error is None, play.execution.error
    return play


def result_of(body: Any, choose: Choose = first) -> Any:
    return json.loads(play_of(body, choose).execution.result or "")


@either_order
def test_a_semaphore_limits_how_many_steps_are_out_at_once(choose: Choose) -> None:
    async def body() -> list[int]:
        gate = asyncio.Semaphore(2)

        async def one(n: int) -> int:
            async with gate:
                return await echo(n)

        return await asyncio.gather(*(one(n) for n in range(5)))

    play = Play(workflow("w")(body))
    most = 0
    while not (replay := play.replay()).finished:
        most = max(most, len(replay.outstanding))
        play.end(choose(list(replay.outstanding.values())))
    assert (replay.result, most) == ("[0,1,2,3,4]", 2)


@either_order
def test_a_lock_keeps_its_holders_apart(choose: Choose) -> None:
    async def body() -> list[str]:
        lock, log = asyncio.Lock(), list[str]()

        async def one(n: int) -> None:
            async with lock:
                log.append(f"in {n}")
                await echo(n)
                log.append(f"out {n}")

        await asyncio.gather(one(1), one(2), one(3))
        return log

    assert result_of(body, choose) == ["in 1", "out 1", "in 2", "out 2", "in 3", "out 3"]


def test_a_lock_is_let_go_when_its_waiter_is_cancelled() -> None:
    async def body() -> str:
        lock = asyncio.Lock()
        await lock.acquire()
        waiter = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
        lock.release()
        async with asyncio.timeout(5), lock:
            return await note("held")

    assert result_of(body) == "held"


@either_order
def test_an_event_lets_all_waiters_go(choose: Choose) -> None:
    async def body() -> tuple[str, ...]:
        ready = asyncio.Event()

        async def waits(name: str) -> str:
            await ready.wait()
            return await note(name)

        async def sets() -> str:
            await note("first")
            ready.set()
            return "set"

        return await asyncio.gather(waits("a"), waits("b"), sets())

    play = play_of(body, choose)
    assert play.execution.result == '["a","b","set"]'
    assert play.ran[0] == "sets/note"


@either_order
def test_a_condition_is_waited_for_until_its_predicate_holds(choose: Choose) -> None:
    async def body() -> list[int]:
        stock, log = asyncio.Condition(), list[int]()

        async def takes() -> int:
            async with stock:
                await stock.wait_for(lambda: len(log) >= 2)
                return sum(log)

        async def brings(n: int) -> None:
            value = await double(n)
            async with stock:
                log.append(value)
                stock.notify_all()

        results = await asyncio.gather(takes(), brings(1), brings(2))
        return [one for one in results if one is not None]

    assert result_of(body, choose) == [6]


@either_order
@pytest.mark.parametrize("kind", [asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue])
def test_queues_feed_workers(kind: Any, choose: Choose) -> None:
    async def body() -> list[int]:
        queue, out = kind(maxsize=2), list[int]()

        async def worker() -> None:
            while True:
                out.append(await echo(await queue.get()))
                queue.task_done()

        workers = [asyncio.create_task(worker()) for _ in range(2)]
        for n in range(6):
            await queue.put(n)
        await queue.join()
        for one in workers:
            one.cancel()
        return sorted(out)

    assert result_of(body, choose) == [0, 1, 2, 3, 4, 5]


@either_order
def test_a_barrier_waits_for_all_parties(choose: Choose) -> None:
    async def body() -> list[str]:
        barrier, log = asyncio.Barrier(3), list[str]()

        async def party(n: int) -> None:
            await echo(n)
            log.append("before")
            async with barrier:
                log.append("after")

        await asyncio.gather(*(party(n) for n in range(3)))
        return log

    assert result_of(body, choose) == ["before"] * 3 + ["after"] * 3


@pytest.mark.parametrize("what", ["event", "lock", "queue", "future", "condition"])
def test_waiting_for_what_nobody_brings_is_a_deadlock(what: str) -> None:
    async def body() -> None:
        lock, future = asyncio.Lock(), asyncio.get_running_loop().create_future()
        await lock.acquire()
        condition = asyncio.Condition()
        if what == "condition":
            async with condition:
                await condition.wait()
        if what == "event":
            await asyncio.Event().wait()
        if what == "lock":
            await lock.acquire()
        if what == "queue":
            await asyncio.Queue[int]().get()
        await future

    replay = started(body)
    assert isinstance(replay.error, Deadlock)
    assert "no step, timer or signal will bring" in str(replay.error)


def test_no_deadlock_while_anything_is_outstanding() -> None:
    async def body() -> str:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(60, event.set)
        await event.wait()
        return "set"

    assert result_of(body) == "set"


def test_going_in_circles_without_waiting_is_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepfast.replay.loop.SPIN", 1_000)

    async def body() -> None:
        task = asyncio.create_task(echo(1))
        while not task.done():
            await asyncio.sleep(0)

    replay = started(body)
    assert isinstance(replay.error, Deadlock)
    assert "runs in circles" in str(replay.error)


def test_a_lock_shared_by_executions_is_refused_with_what_to_do() -> None:
    shared = asyncio.Lock()

    async def body() -> None:
        async def holds() -> None:
            async with shared:
                await echo(1)

        await asyncio.gather(holds(), holds())

    one, other = started(body), started(body)
    assert isinstance(other.error, ForbiddenInWorkflow)
    assert "make the lock in the workflow itself" in str(other.error)
    one.close()


def test_steps_of_these_tests_have_run_only_when_played() -> None:
    called.clear()

    async def body() -> None:
        async with asyncio.Semaphore(1):
            await echo(1)

    started(body).close()
    assert called == []
