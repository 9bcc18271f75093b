"""Workflows that stand for what people build; their steps are faked or made to fail where a test says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from stepfast import Retry, StepFailed, signal, step, workflow

POLICY = Retry(max_attempts=6, initial=2.0, backoff=3.0, max_delay=120.0, jitter="full")
OUTAGE = Retry(max_attempts=3, initial=1.0, backoff=2.0, jitter="none")


class Answer(BaseModel):
    yes: bool


@step(retry=POLICY)
def fetch(name: str) -> str:
    return f"fetched {name}"


@step(retry=OUTAGE)
def deliver(what: str) -> str:
    return f"delivered {what}"


@step(pool="heavy", timeout=120)
async def crunch(number: int) -> int:
    await asyncio.sleep(1)
    return number * number


@step(timeout=300)
async def linger(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@step
def blow_up(size: int) -> str:
    return "x" * size


@step
def measure(text: str) -> int:
    return len(text)


@step
def undo(what: str) -> None: ...


@workflow("delivery")
async def delivery(name: str) -> str:
    """Two steps in a row."""
    return await deliver(await fetch(name))


@workflow("squares")
async def squares(count: int) -> int:
    """Many at once, in a pool of their own."""
    return sum(await asyncio.gather(*(crunch(number) for number in range(count))))


@workflow("nap")
async def nap(seconds: float) -> str:
    """A step, a timer, a step."""
    name = await fetch("before")
    await asyncio.sleep(seconds)
    return await deliver(name)


@workflow("question")
async def question(days: int) -> str:
    """Waits for a person."""
    try:
        answer = await signal("answer", Answer, timeout=timedelta(days=days))
    except TimeoutError:
        return "no answer"
    return await deliver("yes" if answer.yes else "no")


@workflow("vigil")
async def vigil(seconds: float) -> float:
    """One step that takes its time."""
    return await linger(seconds)


@workflow("bulk")
async def bulk(size: int) -> int:
    """A large value from step to step."""
    return await measure(await blow_up(size))


@workflow("mixed")
async def mixed(name: str) -> list[str]:
    """A bit of everything: parallel steps, a timer, a signal, compensation."""
    first, second = await asyncio.gather(fetch(f"{name} 1"), fetch(f"{name} 2"))
    await asyncio.sleep(60)
    answer = await signal("answer", Answer)
    try:
        await deliver(first)
    except StepFailed:
        await undo(first)
    total = await crunch(len(second))
    return [first, second, str(answer.yes), str(total)]


EVERYTHING = (delivery, squares, nap, question, vigil, bulk, mixed)
