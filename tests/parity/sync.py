"""Locks, events, conditions, semaphores, barriers and queues: asyncio-sync.html and asyncio-queue.html."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.parity.cases import case, since
from tests.parity.sides import Log


@case
async def lock_is_fair_and_survives_cancelled_waiters(say: Log) -> Any:
    lock = asyncio.Lock()

    async def holder(word: str, seconds: float) -> None:
        async with lock:
            say("has it", word)
            await asyncio.sleep(seconds)
        say("lets go", word)

    tasks = [asyncio.create_task(holder(word, 2)) for word in "abcd"]
    await asyncio.sleep(1)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        lock.release()
    except RuntimeError as error:
        say(error)
    return lock.locked()


@case
async def event_set_cleared_and_waited_for(say: Log) -> Any:
    event = asyncio.Event()

    async def waits(word: str) -> None:
        say(word, await event.wait())

    tasks = [asyncio.create_task(waits(word)) for word in "abc"]
    await asyncio.sleep(1)
    event.set()
    event.clear()
    await asyncio.gather(*tasks)
    return event.is_set()


@case
async def condition_notify_and_wait_for(say: Log) -> Any:
    condition, level = asyncio.Condition(), [0]

    async def waits(word: str, least: int) -> None:
        async with condition:
            await condition.wait_for(lambda: level[0] >= least)
            say(word, level[0])

    tasks = [asyncio.create_task(waits(word, least)) for word, least in (("a", 2), ("b", 1), ("c", 3))]
    for _ in range(3):
        await asyncio.sleep(1)
        async with condition:
            level[0] += 1
            condition.notify_all() if level[0] != 2 else condition.notify(2)
    await asyncio.wait(tasks, timeout=5)
    try:
        condition.notify()
    except RuntimeError as error:
        say(error)
    return [task.done() for task in tasks]


@case
async def condition_whose_waiter_is_cancelled(say: Log) -> Any:
    condition = asyncio.Condition()

    async def waits() -> None:
        async with condition:
            try:
                await condition.wait()
            finally:
                say("holds the lock", condition.locked())

    task = asyncio.create_task(waits())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    return condition.locked()


@case
async def semaphores(say: Log) -> Any:
    limited = asyncio.Semaphore(2)

    async def works(number: int) -> None:
        async with limited:
            say("works", number, limited.locked())
            await asyncio.sleep(1 + number)

    await asyncio.gather(*(works(number) for number in range(5)))
    bounded = asyncio.BoundedSemaphore(1)
    await bounded.acquire()
    bounded.release()
    try:
        bounded.release()
    except ValueError as error:
        say(error)


@case
async def semaphore_whose_waiters_are_cancelled(say: Log) -> Any:
    limited = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(limited.acquire()) for _ in range(3)]
    await asyncio.sleep(1)
    tasks[0].cancel()
    limited.release()
    done, pending = await asyncio.wait(tasks, timeout=1)
    for task in pending:
        task.cancel()
    return [len(done), len(pending)]


@case
async def barrier_reset_and_broken(say: Log) -> Any:
    barrier = asyncio.Barrier(3)

    async def party(word: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            async with barrier as position:
                say(word, "passes", position)
        except asyncio.BrokenBarrierError:
            say(word, "broken")

    await asyncio.gather(party("a", 1), party("b", 2), party("c", 3))
    say(barrier.parties, barrier.n_waiting, barrier.broken)
    waiting = asyncio.gather(party("d", 1), party("e", 2))
    await asyncio.sleep(3)
    await barrier.reset()
    await waiting
    again = asyncio.gather(party("f", 1))
    await asyncio.sleep(2)
    await barrier.abort()
    await again
    return barrier.broken


@case
async def queues_of_each_kind(say: Log) -> Any:
    async def worker(queue: asyncio.Queue[int]) -> None:
        while True:
            item = await queue.get()
            say("takes", item)
            await asyncio.sleep(1)
            queue.task_done()

    for kind in (asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue):
        queue: asyncio.Queue[int] = kind(maxsize=3)
        task = asyncio.create_task(worker(queue))
        for item in (3, 1, 2, 5, 4):
            await queue.put(item)
            say("put", item, queue.qsize(), queue.full())
        await queue.join()
        task.cancel()
        say(kind.__name__, queue.empty())
        await asyncio.wait([task])


@case
async def queue_without_waiting(say: Log) -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    for ask in (queue.get_nowait, lambda: queue.put_nowait(1), lambda: queue.put_nowait(2)):
        try:
            say("done", ask())
        except (asyncio.QueueEmpty, asyncio.QueueFull) as error:
            say(error)
    queue.task_done()
    try:
        queue.task_done()
    except ValueError as error:
        say(error)
    return queue.maxsize


@case
async def queue_whose_getter_is_cancelled(say: Log) -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue()
    getters = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(1)
    getters[0].cancel()
    queue.put_nowait(7)
    return [await getters[1], queue.qsize()]


@since(3, 13)
async def queue_shut_down(say: Log) -> Any:
    for immediate in (False, True):
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        for item in (1, 2):
            queue.put_nowait(item)
        putter = asyncio.create_task(queue.put(3))
        await asyncio.sleep(1)
        queue.shutdown(immediate)  # type: ignore[attr-defined]
        for ask in (putter, queue.get(), queue.get(), queue.get(), queue.put(4)):
            try:
                say("gives", await ask)
            except Exception as error:
                say(type(error).__name__)
        if immediate:
            await queue.join()
