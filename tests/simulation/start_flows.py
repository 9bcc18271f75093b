"""Workflows with each of the start options, for the seeded world of starts; a key is the first letter of the input."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast import Rate, Retry, step, workflow

PERIOD, COUNT = 20.0, 2
LONG = 1000.0
"""Seconds that an execution takes that others replace."""


@step(retry=Retry(max_attempts=1), timeout=15)
async def work(key: str) -> str:
    return key


@workflow(singleton=lambda key: key[0])
async def waits(key: str) -> str:
    return await work(key)


@workflow(singleton=lambda key: key[0], on_conflict="skip")
async def skips(key: str) -> str:
    return await work(key)


@workflow(singleton=lambda key: key[0], on_conflict="replace")
async def replaces(key: str) -> str:
    await work(key)
    await asyncio.sleep(LONG)
    return key


@workflow(throttle=Rate(COUNT, per=PERIOD))
async def paced(key: str) -> str:
    return await work(key)


@workflow(singleton=lambda key: key[0], throttle=Rate(COUNT, per=PERIOD))
async def both(key: str) -> str:
    return await work(key)


@workflow(debounce=PERIOD, debounce_key=lambda key: key[0])
async def debounced(key: str) -> str:
    return await work(key)


FLOWS: tuple[Any, ...] = (waits, skips, replaces, paced, both)
