"""Workflows whose steps do nothing: what they cost is what stepfast costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from stepfast import ContinueAsNew, Retry, child, current_step, map_items, signal, step, workflow

_pauses: tuple[float, ...] = (0.0,)


@contextmanager
def taking(*seconds: float) -> Iterator[None]:
    """Has no-ops take these times in turn meanwhile; for the simulated cloud, where that costs no time."""
    global _pauses
    before, _pauses = _pauses, seconds
    try:
        yield
    finally:
        _pauses = before


@step
async def noop(number: int) -> int:
    if seconds := _pauses[number % len(_pauses)]:
        await asyncio.sleep(seconds)
    return number


@step(pool="other")
async def elsewhere(number: int) -> int:
    return number


@step(retry=Retry(max_attempts=100, initial=0.0))
async def flaky(failures: int) -> int:
    """Fails so many times. Without a delay, so that the real functions can be given the retries one after the other."""
    if current_step().attempt <= failures:
        raise ConnectionError("the payment provider did not answer within 5 seconds")
    return failures


@workflow("chain")
async def chain(steps: int) -> int:
    total = 0
    for number in range(steps):
        total += await noop(number)
    return total


@workflow("hops")
async def hops(steps: int) -> int:
    """Each step in another pool than the one before: what follows a chain's end, whatever ended it."""
    total = 0
    for number in range(steps):
        total += await (noop if number % 2 else elsewhere)(number)
    return total


@workflow("gather")
async def gather(steps: int) -> int:
    return sum(await asyncio.gather(*(noop(number) for number in range(steps))))


@workflow("mapped")
async def mapped(items: int) -> int:
    """The same in batches of map_items()."""
    return (await map_items(noop, range(items))).succeeded


@step
async def large(number: int) -> str:
    """300 KB, which is more than an item holds: it goes to the bucket."""
    return f"{number:06}" + "x" * 300_000


@workflow("large-results")
async def large_results(steps: int) -> int:
    return sum(map(len, await asyncio.gather(*(large(number) for number in range(steps)))))


@workflow("retries")
async def retries(failures: int) -> int:
    return await flaky(failures)


@workflow("timers")
async def timers(number: int) -> int:
    for _ in range(number):
        await asyncio.sleep(60)
    return number


@workflow("signals")
async def signals(number: int) -> int:
    for _ in range(number):
        await signal("go", int)
    return number


@workflow("family")
async def family(children: int) -> int:
    """Children of one step each, one after the other."""
    total = 0
    for number in range(children):
        total += await child(only, number)
    return total


@workflow("only")
async def only(number: int) -> int:
    return await noop(number)


@workflow("turns")
async def turns(left: int) -> int:
    """Runs of one step each, of which all but the last continue as a new run."""
    await noop(left)
    if left:
        raise ContinueAsNew(left - 1)
    return left
