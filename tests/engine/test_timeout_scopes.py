"""Which timer is behind a TimeoutError, where several timeouts ran out: a resume runs that one again, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio import fail_after, fail_at

from stepfast import signal
from tests.engine.rewinding import failing

Raise = Callable[[list[Any]], BaseException]


async def plain(seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await signal("never")


async def waiting(seconds: float) -> None:
    await asyncio.wait_for(signal("never"), seconds)


async def after(seconds: float) -> None:
    with fail_after(seconds):
        await signal("never")


async def at(seconds: float) -> None:
    with fail_at(anyio.current_time() + seconds):
        await signal("never")


async def nested(seconds: float) -> None:
    with anyio.move_on_after(1000), fail_after(seconds):
        async with asyncio.timeout(500):
            await signal("never")


KINDS = [plain, waiting, after, at, nested]


@pytest.mark.parametrize("raised", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_of_errors_that_were_kept_the_one_that_is_raised_counts(kind: Any, raised: int) -> None:
    async def body() -> None:
        errors: list[TimeoutError] = []
        for seconds in (5, 9):
            try:
                await kind(seconds)
            except TimeoutError as error:
                errors.append(error)
        raise errors[raised]

    play = failing(body)
    (timer,) = play.execution.causes
    assert play.records[timer].ended_at == pytest.approx([5, 14][raised] + play.execution.created_at)


@pytest.mark.parametrize("raised", [0, 1])
@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_at_the_same_time_as_another(first: Any, second: Any, raised: int) -> None:
    async def body() -> None:
        errors = await asyncio.gather(first(5), second(9), return_exceptions=True)
        raise errors[raised]

    play = failing(body)
    (timer,) = play.execution.causes
    assert play.records[timer].ended_at == pytest.approx([5, 9][raised] + play.execution.created_at)


@pytest.mark.parametrize("kind", KINDS)
def test_both_of_a_group(kind: Any) -> None:
    async def body() -> None:
        errors: list[Any] = [*await asyncio.gather(kind(5), kind(5), return_exceptions=True)]
        raise ExceptionGroup("both", errors)

    assert len(failing(body).execution.causes) == 2
