"""A workflow's replay in the hands of a worker that has claimed a step of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from stepfast import sleep, step, workflow
from stepfast.engine.attempt import OwnedStep
from stepfast.engine.claims import claim_of
from stepfast.engine.messages import Message
from stepfast.engine.opening import OpenedReplay
from stepfast.engine.order import Order
from stepfast.engine.replay_cache import Live, LiveReplays
from stepfast.language.workflows import Workflow
from stepfast.model import Cursor, Execution, Record, Snapshot
from stepfast.replay.replay import Replay

NOW = 1_700_000_000.0


@step(timeout=100)
def call(value: int) -> int:
    return value + 1


@step(pool="gpu")
def render(value: int) -> int:
    return value + 1


@workflow
async def two_calls() -> int:
    return await call(await call(0))


@workflow
async def one_call() -> int:
    return await call(0)


@workflow
async def bad_end() -> int:
    await call(0)
    raise ValueError("no")


@workflow
async def other_pool() -> int:
    return await render(await call(0))


@workflow
async def rests() -> None:
    await call(0)
    await sleep(5)


@workflow
async def spreads() -> list[int]:
    first = await call(0)
    return list(await asyncio.gather(call(first), call(first)))


@workflow
async def siblings() -> list[int]:
    both: list[Coroutine[Any, Any, int]] = [call(1), call(2)]
    return list(await asyncio.gather(*both))


@contextmanager
def replayed(definition: Workflow[..., Any], records: dict[str, Record] | None = None) -> Iterator[Replay]:
    """A replay on these records, closed at the end."""
    replay = Replay(definition, Execution("e1", definition.name, "null", NOW))
    try:
        replay.advance(records or {})
        yield replay
    finally:
        replay.close()


@contextmanager
def claimed(definition: Workflow[..., Any]) -> Iterator[OwnedStep]:
    """The first step that is outstanding, claimed at NOW."""
    with replayed(definition) as replay:
        execution, command = replay.execution, next(iter(replay.outstanding.values()))
        live = Live(replay, Order(), None)
        opened = OpenedReplay(LiveReplays(), Snapshot(execution, Cursor(), {}), live, False)
        record = claim_of(execution, command, None, None, NOW)
        yield OwnedStep(Message("step", "e1", command.id, 0), execution, opened, command, record, NOW)


def succeeded(run: OwnedStep, output: str = "1") -> Record:
    """The record of the attempt's good end."""
    return replace(run.record, status="SUCCEEDED", revision=run.record.revision + 1, output=output, lease=None)
