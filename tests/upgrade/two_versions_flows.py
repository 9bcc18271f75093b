"""Workflows of both versions, for tests/upgrade/two_versions.py; all but `limited` is of version 0.1's language."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import stepfast
from stepfast import Retry, step, workflow


def ran() -> Path:
    """The folder of effects; one line more in `ran`: the step that begins."""
    folder, context = Path(os.environ["TWO_VERSIONS_FOLDER"]), stepfast.current_step()
    with (folder / "ran").open("a") as out:
        out.write(f"{context.execution_id} {context.step_id} {context.attempt}\n")
    return folder


@step
def double(number: int) -> int:
    ran()
    return 2 * number


@step(retry=Retry(max_attempts=1))
def settle(number: int) -> str:
    if not (ran() / "mended").exists():
        raise ConnectionError("not mended yet")
    return "mended"


async def twice(number: int) -> int:
    return await double(await double(number))


@workflow("gathered")
async def gathered(number: int) -> list[Any]:
    """Branches of steps, a signal and a timer, whose outcomes come in any order."""

    async def later() -> int:
        await asyncio.sleep(1 + number % 3)
        return number

    return list(await asyncio.gather(twice(number), twice(number + 1), stepfast.signal("go", str), later()))


@workflow("chained")
async def chained(number: int) -> int:
    await asyncio.sleep(2)
    return await twice(await twice(number))


@workflow("mended")
async def mended(number: int) -> list[Any]:
    """Fails until it is resumed, beside a branch that goes on."""
    doubled, settled = await asyncio.gather(double(number), settle(number))
    return [doubled, settled, await stepfast.signal("go", str)]


@workflow("raced")
async def raced(number: int) -> list[Any]:
    """The first outcome decides what is asked for next."""
    waits = asyncio.ensure_future(stepfast.signal("go", str))
    steps = [asyncio.ensure_future(double(number)) for _ in range(2)]
    await asyncio.wait([waits, *steps], return_when=asyncio.FIRST_COMPLETED)
    doubled = await asyncio.gather(*steps)
    return [await waits, *doubled]


ALL: tuple[Any, ...] = (gathered, chained, mended, raced)
if hasattr(stepfast, "Limit"):  # The old version may be of before limits.
    paced = stepfast.Limit("paced", rate=20, burst=2)
    narrow = stepfast.Limit("narrow", concurrency=2)

    @step(limits=[paced, narrow])
    def double_slowly(number: int) -> int:
        ran()
        return 2 * number

    @workflow("limited")
    async def limited(number: int) -> list[int]:
        """Steps that miss their moments, since functions take long here, and that wait in line for a slot."""
        return list(await asyncio.gather(double_slowly(number), double_slowly(number + 1)))

    ALL = (*ALL, limited)
