"""Steps with the limits that `bench.limits` measures, and workflows of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from stepfast import Gate, Limit, step, workflow
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow

RATE, PLAYED_RATE, SLOTS, KEYS = 100, 100, 5, 10
HOLD_SECONDS, LONG_HOLD_SECONDS = 0.2, 1.0
"""What steps take that hold a slot of the embedded runtime."""
PLAYED_SECONDS = 5.0
"""What a step takes in the played account, where time is simulated."""

began: list[tuple[float, int]] = []
ended: list[float] = []
"""When the steps of the embedded runtime have begun, with their numbers, and when they have ended."""


async def _nothing(number: int) -> int:
    return number


async def _noted(number: int) -> int:
    began.append((time.time(), number))
    return number


async def _held(number: int, seconds: float = HOLD_SECONDS) -> int:
    began.append((time.time(), number))
    await asyncio.sleep(seconds)
    ended.append(time.time())
    return number


async def _held_longer(number: int) -> int:
    return await _held(number, LONG_HOLD_SECONDS)


async def _played(number: int) -> int:
    await asyncio.sleep(PLAYED_SECONDS)
    return number


def key_of(number: int) -> str:
    """One of KEYS customers."""
    return f"customer {number % KEYS}"


def all_in_one(number: int) -> str:
    return "all"


def one_each(number: int) -> str:
    return str(number)


LIMITS: dict[str, tuple[Callable[[int], Any], list[Limit[Any]]]] = {
    "plain": (_nothing, []),
    "rate that does not bind": (_nothing, [Limit("high", rate=1e6)]),
    "slots that do not bind": (_nothing, [Limit("wide", concurrency=1_000_000)]),
    "gate that is open": (_nothing, [Limit("open", gate=Gate())]),
    "one key": (_nothing, [Limit("single", concurrency=1_000_000, rate=1e6, key=all_in_one)]),
    "a key each": (_nothing, [Limit("each", concurrency=1, rate=10, key=one_each)]),
    "a rate each": (_nothing, [Limit("rates", rate=10, key=one_each)]),
    "paced": (_noted, [Limit("paced", rate=RATE)]),
    "slotted": (_held, [Limit("slotted", concurrency=SLOTS, key=key_of, shared=True)]),
    "slotted longer": (_held_longer, [Limit("slotted-longer", concurrency=SLOTS, key=key_of, shared=True)]),
    "played plain": (_played, []),
    "played rate": (_played, [Limit("played-rate", rate=1e6)]),
    "played slot": (_played, [Limit("played-slot", concurrency=1_000)]),
    "played line": (_played, [Limit("played-line", concurrency=SLOTS, key=key_of, shared=True)]),
    "played pace": (_nothing, [Limit("played-pace", rate=PLAYED_RATE)]),
    "played gate": (_played, [Limit("played-gate", gate=Gate())]),
}


def _made(name: str) -> tuple[Step[..., Any], Workflow[..., Any], Workflow[..., Any]]:
    """The step of this name, a workflow of one, and a workflow of several at once."""
    function, limits = LIMITS[name]
    slug = name.replace(" ", "-")

    async def run(number: int) -> int:
        value: int = await function(number)
        return value

    limited: Any = step(name=slug, limits=limits)(run)

    async def single(number: int) -> int:
        value: int = await limited(number)
        return value

    async def many(numbers: list[int]) -> int:
        return len(await asyncio.gather(*[limited(number) for number in numbers]))

    return limited, workflow(f"one-{slug}")(single), workflow(f"many-{slug}")(many)


MADE = {name: _made(name) for name in LIMITS}


def one_of(name: str) -> Any:
    """A workflow that runs the step once."""
    return MADE[name][1]


def many_of(name: str) -> Any:
    """A workflow that runs the step for each of several numbers at once."""
    return MADE[name][2]


def registry() -> Registry:
    return Registry([flow for _, *flows in MADE.values() for flow in flows], [made[0] for made in MADE.values()])
