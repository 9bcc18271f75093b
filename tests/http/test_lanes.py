"""Threads of requests: outcomes that come together wake the loop once, and none is lost."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest

from stepfast.http.lanes import ThreadLane


def test_outcomes_that_come_before_the_loop_turns_share_one_wake() -> None:
    async def run() -> tuple[list[int], int]:
        loop, wakes = asyncio.get_running_loop(), 0
        plain = loop.call_soon_threadsafe

        def counted(*arguments: Any) -> Any:
            nonlocal wakes
            wakes += 1
            return plain(*arguments)

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]
        lane, all_done = ThreadLane[int]("test", 4), threading.Barrier(5)

        def work(number: int) -> int:
            if number >= 4:
                return number
            all_done.wait(10)
            return number

        calls = [asyncio.ensure_future(lane.run(work, number)) for number in range(4)]
        await asyncio.sleep(0)
        all_done.wait(10)  # the loop does not turn meanwhile
        for thread in lane._threads:
            while lane._free._value < len(lane._threads):
                thread.join(0.001)
        done = list(await asyncio.gather(*calls))
        lane.close()
        return done, wakes

    assert asyncio.run(run()) == ([0, 1, 2, 3], 1)


@pytest.mark.parametrize("seed", range(3))
def test_no_outcome_is_lost_and_errors_reach_their_callers(seed: int) -> None:
    chance = random.Random(seed)

    async def run() -> None:
        lane = ThreadLane[int]("test", 5)

        def work(number: int, fails: bool) -> int:
            if fails:
                raise LookupError(number)
            return number

        async def one(number: int) -> None:
            fails = chance.random() < 0.3
            if fails:
                with pytest.raises(LookupError, match=str(number)):
                    await lane.run(work, number, fails)
            else:
                assert await lane.run(work, number, fails) == number

        async with asyncio.timeout(20):
            await asyncio.gather(*(one(number) for number in range(500)))
        lane.close()

    asyncio.run(run())
