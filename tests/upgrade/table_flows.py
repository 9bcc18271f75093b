"""Workflows whose executions stand in the table that version 0.1 wrote: they must go on unchanged, for good."""

from __future__ import annotations

import asyncio

import stepfast
from stepfast import Retry, StepFailed, step, workflow

mended = False
"""Once set, steps that failed succeed, and those that never came to an end do."""
LARGE = 250_000
"""Characters of a value that stands in the bucket."""
ONCE = Retry(max_attempts=1)


@step
async def double(number: int) -> int:
    return 2 * number


@step
async def write(text: str) -> str:
    return text * LARGE


@step(retry=ONCE)
async def break_down(number: int) -> int:
    if not mended:
        raise ValueError("not mended yet")
    return number


@step(retry=Retry(max_attempts=50, initial=3600.0, backoff=1.0, max_delay=3600.0, jitter="none"))
async def come_back(number: int) -> int:
    if not mended:
        raise ConnectionError("away")
    return number


@step(timeout=600)
async def block(number: int) -> int:
    await asyncio.sleep(0 if mended else 500)
    return number


@workflow("short")
async def short(text: str) -> int:
    await double(len(text))
    return len(await write(text))


@workflow("breaks")
async def breaks(number: int) -> int:
    return await break_down(await double(number))


@workflow("waits")
async def waits(text: str) -> str:
    written = await write(text)
    word: str = await stepfast.signal("go", str)
    return f"{word} {len(written)}"


@workflow("sleeps")
async def sleeps(number: int) -> int:
    await asyncio.sleep(3600)
    return await double(number)


@workflow("retries")
async def retries(number: int) -> int:
    return await come_back(await double(number))


@workflow("blocks")
async def blocks(number: int) -> int:
    return await block(await double(number))


@workflow("many")
async def many(number: int) -> list[int]:
    return list(await asyncio.gather(double(number), block(number), break_down(number), double(number + 1)))


@workflow("compensates")
async def compensates(number: int) -> str:
    try:
        await break_down(number)
    except StepFailed:
        await double(number)
        word: str = await stepfast.signal("go", str)
        return word
    return "unbroken"


ALL = (short, breaks, waits, sleeps, retries, blocks, many, compensates)
