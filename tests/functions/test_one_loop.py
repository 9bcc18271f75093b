"""All `async` steps of one sandbox run on one event loop, so that clients of a module work there as embedded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stepfast import step, workflow
from tests.functions.conftest import Aws

loops: set[asyncio.AbstractEventLoop] = set()
lock = asyncio.Lock()


@step(timeout=30)
async def locks(number: int) -> int:
    loops.add(asyncio.get_running_loop())
    async with lock:
        await asyncio.sleep(0)
    return number


@workflow("locking")
async def locking() -> int:
    return sum(await asyncio.gather(*(locks(number) for number in range(4))))


def test_invocations_of_one_sandbox_share_the_loop(deploy: Callable[..., Aws]) -> None:
    aws = deploy(locking, locks)
    handler = aws.build("step")
    for id in ("one", "two"):
        aws.start("locking", None, id)
        aws.advance(id)
        handler(aws.receive())
        aws.advance(id)
        assert aws.execution(id).result == "6"
    assert len(loops) == 1
