"""Results of `def` steps come from their threads to the loop, and waits for them end."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

from stepfast.engine.step_runner import Pulse, _wait
from stepfast.engine.step_threads import Threads
from stepfast.model import Stop

SECONDS = 30.0
"""Longer than any wait of these tests takes."""


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often other threads have woken it."""

    wakes = 0

    def call_soon_threadsafe(self, *args: Any, **options: Any) -> asyncio.Handle:  # type: ignore[override]
        self.wakes += 1
        return super().call_soon_threadsafe(*args, **options)


def test_results_that_come_before_the_next_turn_wake_the_loop_once() -> None:
    loop = CountingLoop()
    ran = threading.Barrier(8 + 1)

    async def main() -> list[int]:
        threads = Threads()
        running = [threads.run(partial(_with_others, ran, number)) for number in range(8)]
        ran.wait(SECONDS)
        _until_idle(threads, 8)
        return list(await asyncio.gather(*running))

    try:
        assert loop.run_until_complete(main()) == list(range(8))
    finally:
        loop.close()
    assert loop.wakes == 1


def _with_others(ran: threading.Barrier, number: int) -> int:
    ran.wait(SECONDS)
    return number


def _until_idle(threads: Threads, number: int) -> None:
    """Returns once so many threads have handed over what they had. The loop gets no turn meanwhile."""
    while len(threads._idle) < number:
        pass


def test_a_result_for_a_loop_that_is_closed_is_dropped() -> None:
    go, threads = threading.Event(), Threads()
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Future[bool]:
        return threads.run(lambda: go.wait(SECONDS))

    future = loop.run_until_complete(begin())
    loop.close()
    go.set()
    _until_idle(threads, 1)
    assert not future.done()


def test_a_wait_ends_by_the_end_by_an_interrupt_and_by_its_time() -> None:
    async def main() -> None:
        pulse, running = Pulse(), asyncio.get_running_loop().create_future()
        await asyncio.wait_for(_wait(running, pulse, 0.0), SECONDS)  # by its time
        waiting = asyncio.ensure_future(_wait(running, pulse, SECONDS * 2))
        await asyncio.sleep(0)
        threading.Thread(target=pulse.interrupt, args=[Stop("told to end")]).start()
        await asyncio.wait_for(waiting, SECONDS)
        assert pulse.interrupted is not None
        ending = asyncio.ensure_future(_wait(running, pulse, SECONDS * 2))
        await asyncio.sleep(0)
        assert not ending.done(), "an interrupt that is known ends no further wait"
        running.set_result(None)
        await asyncio.wait_for(ending, SECONDS)

    asyncio.run(main())


def test_an_interrupt_that_came_before_the_wait_is_not_waited_for_again() -> None:
    async def main() -> None:
        pulse = Pulse()
        waiter = asyncio.get_running_loop().create_future()
        pulse.interrupt(Stop("told to end"))
        pulse.wakes(waiter)
        assert waiter.done()

    asyncio.run(main())
