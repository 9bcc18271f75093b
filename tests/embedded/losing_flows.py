"""Workflows that say what they must never be asked for again, for the tests of a loss of power."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stepfast import child, signal, step, workflow

seen: list[Callable[[tuple[str, ...]], None]] = []
"""Told of each step that runs: its kind, its execution, and what it builds on."""


def tell(*what: str) -> None:
    seen[-1](what)


@step
async def first(order: str) -> str:
    tell("first", order)
    return f"{order} first"


@step
def second(order: str, before: str) -> str:
    """Runs in a thread."""
    tell("second", order, before)
    return f"{before} second"


@step(at_most_once=True)
async def pay(order: str) -> str:
    tell("pay", order)
    return f"{order} paid"


@step
async def part(order: str, number: int) -> str:
    """Large enough for the log of the file to be checkpointed, and begun anew, while the program runs."""
    tell("part", order, str(number))
    return "x" * 220_000 + str(number)


@step
async def last(order: str, all: int) -> int:
    tell("last", order, str(all))
    return all


@workflow("chain")
async def chain(order: str) -> str:
    before = await first(order)
    before = await second(order, before)
    paid = await pay(order)
    await asyncio.sleep(0.01)
    return f"{before}, {paid}"


@workflow("wide")
async def wide(order: str) -> int:
    parts = await asyncio.gather(*(part(order, number) for number in range(8)))
    return await last(order, sum(len(one) for one in parts))


@workflow("asking")
async def asking(order: str) -> str:
    answer = await signal("answered", str)
    return f"{await first(order)} {answer}"


@workflow("parent")
async def parent(order: str) -> str:
    return await child(chain, order, id=f"{order}-child")
