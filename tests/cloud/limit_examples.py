"""Steps behind limits and a gate, one of them with an outage: nothing is resumed, and no slot is left taken."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from stepfast import Gate, Limit, Retry, step, workflow
from stepfast.testing import MotoCloud
from stepfast.testing.memory import finished
from stepfast.testing.runs import Run
from tests.cloud.exploration import Example

bench = Limit("bench", concurrency=1)
paced = Limit("paced", rate=1, per=3)
service = Limit("service", gate=Gate(failures=1, window=120, probe=20))


@step(limits=[bench, paced], timeout=20)
async def plane(board: int) -> int:
    return board * 10


@step(limits=[bench, service], timeout=20, retry=Retry(max_attempts=1))
async def paint(board: int) -> int:
    return board + 1


@workflow("joinery")
async def joinery(boards: int) -> list[int]:
    """Boards are planed one after the other, since there is one bench, and painted."""

    async def board(number: int) -> int:
        return await paint(await plane(number))

    return list(await asyncio.gather(*(board(number) for number in range(1, boards + 1))))


def _nothing(cloud: MotoCloud) -> None: ...


def _outage(cloud: MotoCloud) -> None:
    cloud.outage(paint, timedelta(seconds=50))


def slots(cloud: MotoCloud) -> list[str]:
    """The steps that hold a slot."""
    limits, taken = cloud._stage.state.reading.store.limits, list[str]()
    for name in ("bench", "paced", "service"):
        items, _ = finished(limits.items(name, 100))
        taken += [
            holder for item in items for holder, slot in item.holders.items() if slot.lease > cloud.now.timestamp()
        ]
    return taken


def _ended(cloud: MotoCloud, run: Run[Any]) -> None:
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    cloud.advance(timedelta(minutes=5))
    assert slots(cloud) == []


def _result(run: Run[Any], folder: Path) -> Any:
    return run.result


LIMITED = {
    "limited": Example("limited", joinery, 3, _nothing, _result, play=_ended),
    "gated": Example("gated", joinery, 3, _outage, _result, play=_ended),
}
