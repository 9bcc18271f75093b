"""A parent is cancelled in the very moments in which its children end, in both homes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, child, sleep, step, workflow
from stepfast.testing import Environment, MotoCloud

RAN: list[int] = []
END = 20.0
"""Seconds after which the second of three children ends."""


@step(retry=Retry(max_attempts=1))
async def close(number: int) -> int:
    RAN.append(number)
    return number


@workflow("naps")
async def naps(number: int) -> int:
    await sleep(timedelta(seconds=END / 2 * number))
    return await close(number)


@workflow("three-naps")
async def three_naps(count: int) -> int:
    return sum(await asyncio.gather(*(child(naps, number) for number in range(1, count + 1))))


@pytest.mark.parametrize("offset", [-0.2, -0.02, -0.005, 0.0, 0.005, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("home", [Environment, MotoCloud])
def test_a_cancel_as_a_child_ends_leaves_no_child_running_and_none_half_ended(home: Any, offset: float) -> None:
    RAN.clear()
    with home(three_naps, naps) as env:
        run = env.start(three_naps, 3)
        env.advance(timedelta(seconds=END + offset))
        env.cancel(run)
        at_cancel = list(RAN)
        env.advance(timedelta(minutes=5))
        assert run.status == "CANCELLED"
        first, second, third = (each.status for each in run.children)
        assert first == "SUCCEEDED"
        assert third == "CANCELLED"
        assert second in ("SUCCEEDED", "CANCELLED")
        assert second == "CANCELLED" or 2 in RAN, "a child that has succeeded has run its step"
        assert len(RAN) == len(set(RAN)) <= len(at_cancel) + 1, "at most the step that ran went on"
        assert 3 not in RAN
