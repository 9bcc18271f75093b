"""What many keys of a limit cost on AWS: units of each take, items that are left, and what a process remembers.

The limiter runs on the table of a played account: what a step costs beside its limit does not go by the number of keys.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws

from bench import limit_steps as steps
from bench.aws_units import Meter
from bench.table import shown
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.limits import DynamoLimits
from stepfast.backends.dynamodb.table import EXPIRES, definition
from stepfast.engine.limit_items import LimitId
from stepfast.engine.limit_wants import Want
from stepfast.engine.limiting import Limiter, StepWaits
from stepfast.engine.messages import Message
from stepfast.replay.commands import Command

NAME = "keys"
DAY_SECONDS = 86400.0
FEW = 500
"""The steps of one key, and the keys that are used once more."""
STEP_SECONDS = 0.2
"""Between two steps: the rate of a key leaves its next moment free after 0.1 s."""


@dataclass
class _Clock:
    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class _Account:
    """A limiter on a table whose calls are counted."""

    def __init__(self, client: Any) -> None:
        self._client, self.clock = client, _Clock()
        self._limits = DynamoLimits(Table(client, NAME, self.clock), self.clock)
        store: Any = SimpleNamespace(limits=self._limits)
        self._limiter = Limiter(store, store, self.clock)
        self._unseen = boto3.client("dynamodb", region_name="eu-central-1")
        self.meter = Meter(lambda key: self._unseen.get_item(TableName=NAME, Key=key).get("Item"))
        self.meter.watch(client)

    async def _step(self, number: int, key: str) -> None:
        step, _, _ = steps.MADE["a rate each"]
        (limit,) = step.limits
        command = Command(f"{step.name}#1", "step", step.name, None, step=step)
        message = Message("step", f"x{number}", command.id, 0)
        want = Want(limit, LimitId(limit.name, key), "", 0)
        permits = await self._limiter.take([want], message, self.clock.now(), command, None)
        if isinstance(permits, StepWaits):
            raise RuntimeError(f"step {number} had to wait, and its key was free")
        self.clock.time += STEP_SECONDS

    def run(self, keys: Sequence[str]) -> tuple[float, float, float]:
        """Write units and read units a step, and KB that the limiter holds in the end; one step of each key."""

        async def all_of_them() -> None:
            for number, key in enumerate(keys):
                await self._step(number, key)

        self.meter.calls.clear()
        asyncio.run(all_of_them())
        held = _kilobytes(self._limiter)
        return self.meter.write_units() / len(keys), self.meter.read_units() / len(keys), held

    def items(self) -> list[Any]:
        pages = self._unseen.get_paginator("scan").paginate(TableName=NAME)
        return [item for page in pages for item in page["Items"]]


def _kilobytes(limiter: Limiter) -> float:
    """What an object holds, all that it refers to included, but for modules, classes and functions."""
    seen, size, todo = set[int](), 0, [limiter._numbers._set, limiter._numbers._known]
    while todo:
        held: Any = todo.pop()
        if id(held) not in seen and not isinstance(held, type) and not callable(held):
            seen.add(id(held))
            size += held.__sizeof__()
            todo += gc.get_referents(held)
    return size / 1024


@contextmanager
def _account() -> Iterator[_Account]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        client.create_table(**definition(NAME))
        yield _Account(client)


def keys(count: int) -> list[tuple[str, str, str]]:
    """Rows: many keys once each, to one key; a few of the keys once more; what is left of them a day after."""
    few = min(count, FEW)
    with _account() as account:
        shared = account.run(["one"] * few)
    with _account() as account:
        first = account.run([f"k{number}" for number in range(count)])
        last, items = account.clock.now(), account.items()
        again = account.run([f"k{number}" for number in range(few)])
    left = sum(float(item[EXPIRES]["N"]) > last + DAY_SECONDS + 2 for item in items)
    of = f"AWS: {count:,} keys once each"
    return [
        (f"{of}, write units a step", shown(first[0]), f"as of one key: {shown(shared[0])}"),
        (f"{of}, write units a step the next time", shown(again[0]), "the same"),
        (f"{of}, read units a step", shown(first[1]), f"as of one key: {shown(shared[1])}"),
        (f"{of}, KB that a process remembers of them", shown(first[2] - shared[2]), "0"),
        (f"{of}, items of the table for each", shown(len(items) / count), "1"),
        (f"{of}, items that are left a day after their last use", str(left), "0"),
    ]
