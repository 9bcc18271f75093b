"""An execution with children of every fate, for the exploration of crashes in both homes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from stepfast import ChildFailed, Retry, child, signal, step, workflow
from stepfast.testing import MotoCloud
from stepfast.testing.runs import Run
from tests.cloud.exploration import Example


@step
async def double(number: int) -> int:
    return 2 * number


@step(retry=Retry(max_attempts=1))
async def refuse(number: int) -> int:
    raise LookupError(f"no {number}")


@workflow("doubled")
async def doubled(number: int) -> int:
    return await double(number)


@workflow("nested")
async def nested(number: int) -> int:
    return await child(doubled, number) + await double(number)


@workflow("refused")
async def refused(number: int) -> int:
    return await refuse(number)


@workflow("idle")
async def idle() -> None:
    await signal("never")


@workflow("family")
async def family(_: int) -> list[Any]:
    results: list[Any] = [*await asyncio.gather(child(doubled, 1), child(nested, 2))]
    try:
        await child(refused, 3)
    except ChildFailed as error:
        results.append(error.error_type)
    try:
        async with asyncio.timeout(30):
            await child(idle)
    except TimeoutError:
        results.append(await double(4))
    return results


MEMBERS = (doubled, nested, refused, idle)
EXPECTED = ([2, 8, "LookupError", 8], ["SUCCEEDED", "SUCCEEDED", "FAILED", "CANCELLED"], ["SUCCEEDED"])


def outcome_of(run: Run[Any], folder: Path | None = None) -> tuple[Any, list[str], list[str]]:
    """The result, how the children stand, and how those of the second child stand."""
    children = run.children
    return run.result, [one.status for one in children], [one.status for one in children[1].children]


def _nothing(cloud: MotoCloud) -> None: ...


FAMILY = Example("family", family, 0, _nothing, outcome_of, others=MEMBERS)
