"""Workflows whose executions are in the files of earlier versions: they must go on unchanged, for good."""

from __future__ import annotations

import asyncio
import threading

import stepfast
from stepfast import Retry, StepFailed, step, workflow

mended = threading.Event()
"""Once set, steps that failed succeed and those that blocked go on."""
LONG = "long " * 1_800


@step
def double(number: int) -> int:
    return 2 * number


@step
def write(text: str) -> str:
    return text + LONG


@step(retry=Retry(max_attempts=1))
def break_down(number: int) -> int:
    if not mended.is_set():
        raise ValueError("not mended yet")
    return number


@step(retry=Retry(max_attempts=50, initial=3600.0, backoff=1.0, max_delay=3600.0, jitter="none"))
def come_back(number: int) -> int:
    if not mended.is_set():
        raise ConnectionError("away")
    return number


@step(timeout=3600)
def block(number: int) -> int:
    mended.wait()
    return number


@workflow("short")
async def short(text: str) -> str:
    await double(len(text))
    return await write(text)


@workflow("breaks")
async def breaks(number: int) -> int:
    first = await double(number)
    return await break_down(first)


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
    return list(await asyncio.gather(double(number), block(number), double(number + 1)))


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
