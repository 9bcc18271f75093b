"""Workflows that the tests of the deployed stack steer from outside, by files in PROBES."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from stepfast import Retry, current_step, signal, step, workflow


def _folder() -> Path:
    return Path(os.environ["PROBES"])


def _count(name: str) -> None:
    """One line per attempt: a single short append is whole, whoever else writes."""
    with (_folder() / f"{name}.log").open("a") as log:
        log.write(f"{current_step().execution_id}\n")


@step(retry=Retry(max_attempts=1))
def counted(value: str) -> str:
    _count("counted")
    return value


@step(retry=Retry(max_attempts=3, initial=0.2, max_delay=0.5))
def fragile(value: str) -> str:
    """Fails while there is a file `down`."""
    _count("fragile")
    if (_folder() / "down").exists():
        raise ConnectionError("the other side is down")
    return value


@step
def large(kilobytes: int) -> str:
    return "x" * (kilobytes * 1024)


@step
def size_of(text: str) -> int:
    return len(text)


@step(pool="side")
def aside(number: int) -> int:
    return number * number


@workflow("count")
async def count(value: str) -> str:
    return await counted(value)


@workflow("break")
async def breaking(value: str) -> str:
    return await fragile(await counted(value))


@step(retry=Retry(max_attempts=2, initial=0.1))
def complained(value: str) -> str:
    raise RuntimeError(f"cannot do anything with {value}")


@workflow("complain")
async def complain(value: str) -> str:
    return await complained(value)


@workflow("nap")
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return await counted("awake")


@workflow("ask")
async def ask(value: str) -> str:
    answer = await signal("answered", str, timeout=timedelta(days=1))
    return await counted(f"{value} {answer}")


@workflow("carry")
async def carry(kilobytes: int) -> int:
    return await size_of(await large(kilobytes))


@workflow("spread")
async def spread(width: int) -> int:
    return sum(await asyncio.gather(*(aside(number) for number in range(width))))
