"""Workflows of the tests, imported by their processes as well."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from stepfast import Retry, signal, step, workflow


class Order(BaseModel):
    item: str
    count: int = 1


class Receipt(BaseModel):
    item: str
    total: int


@step(retry=Retry(max_attempts=1))
def charge(order: Order) -> Receipt:
    if order.item == "broken":
        raise ValueError("no such item")
    return Receipt(item=order.item, total=10 * order.count)


@workflow("order")
async def order(request: Order) -> Receipt:
    return await charge(request)


@workflow("approval")
async def approval() -> str:
    return await signal("approved", str)


@step
def note(line: str, file: str) -> int:
    with Path(file).open("a", encoding="utf-8") as log:
        log.write(f"{line} {os.getpid()}\n")
    return os.getpid()


@workflow("relay")
async def relay(file: str) -> tuple[int, int]:
    """The process of its first step, and the process of the step after the signal."""
    first = await note("first", file)
    await signal("go")
    return first, await note("second", file)
