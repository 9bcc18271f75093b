"""Executions of all shapes: wide, slow, large, hostile, failing."""

import asyncio
import time

from pydantic import JsonValue

from stepfast import Retry, current_step, step, workflow


@step
def one(number: int) -> int:
    return number


@workflow("fan-out")
async def fan_out(count: int) -> int:
    """As many steps as asked for, side by side."""
    return sum(await asyncio.gather(*(one(number) for number in range(count))))


@step
def slowly(number: int) -> int:
    time.sleep(0.4)
    return number


@workflow("slow")
async def slow(steps: int) -> int:
    """One step after the other, each slow enough to be watched."""
    return sum([await slowly(number) for number in range(steps)])


@step
def keep(value: JsonValue) -> JsonValue:
    return value


@workflow("echo")
async def echo(value: JsonValue) -> JsonValue:
    """Gives back what it gets."""
    return await keep(value)


@step
def big(size: int) -> str:
    return "x" * size


@step(retry=Retry(max_attempts=2, initial=0.5, backoff=1.0, jitter="none"))
def stumble(seconds: float) -> float:
    if current_step().attempt == 1:
        raise ConnectionError("not at the first attempt")
    return seconds


@workflow("patient")
async def patient(seconds: float) -> int:
    """Two steps side by side, then a wait; the second step fails at first."""
    await asyncio.gather(slowly(1), stumble(seconds))
    await asyncio.sleep(seconds)
    return await one(2)


@step(retry=Retry(max_attempts=2, initial=600.0, max_delay=600.0, backoff=1.0, jitter="none"))
def refused(seconds: float) -> None:
    raise ConnectionError("not now")


@workflow("restless")
async def restless(seconds: float) -> None:
    """A step that fails and is to be tried again in ten minutes."""
    await refused(seconds)


@workflow("large")
async def large(size: int) -> int:
    """A step with a large output."""
    return len(await big(size))


@step(retry=Retry(max_attempts=1))
def fail(text: str) -> None:
    raise RuntimeError(text)


@workflow("failing")
async def failing(text: str) -> None:
    """Fails with the text, every time."""
    await fail(text)


@workflow("broken")
async def broken(text: str) -> None:
    """Fails in its own code, in no step."""
    raise ValueError(text)


@step(retry=Retry(max_attempts=4, initial=0.3, backoff=1.5, jitter="none", give_up_on=(ValueError,)), timeout=30)
async def load(file: int) -> int:
    """Loads a file; every fifth one's connection breaks at first."""
    await asyncio.sleep(0.1 + file * 37 % 11 / 10)
    if file % 5 == 2 and current_step().attempt < 1 + file % 3:
        raise ConnectionError("connection reset by peer")
    return file * 1000


@step
async def check(rows: int) -> int:
    await asyncio.sleep(0.15 + rows % 7000 / 20000)
    return rows


@step
async def publish(rows: int) -> str:
    await asyncio.sleep(0.4)
    return f"{rows} rows"


@workflow("nightly-import")
async def nightly_import(files: int) -> str:
    """Loads and checks files side by side, five at once, waits for the readers, and publishes."""
    places = asyncio.Semaphore(5)

    async def file(number: int) -> int:
        async with places:
            return await check(await load(number))

    rows = await asyncio.gather(*(file(number) for number in range(files)))
    await asyncio.sleep(0.6)
    return await publish(sum(rows))


@step(label="customer {number}", retry=Retry(max_attempts=1))
def bill(number: int) -> int:
    if number % 17 == 5:
        raise ConnectionError("the service does not answer")
    return number


@workflow("billing")
async def billing(count: int) -> None:
    """Many at once, of which some fail; then a long wait."""
    await asyncio.gather(*(bill(number) for number in range(count)), return_exceptions=True)
    await asyncio.sleep(3600)


@step(retry=Retry(max_attempts=1))
def pack() -> None:
    raise ValueError("this never works")


@workflow("wide-and-failing")
async def wide_and_failing(count: int) -> None:
    """Very many at once; what follows them fails."""
    await asyncio.gather(*(one(number) for number in range(count)))
    await pack()
