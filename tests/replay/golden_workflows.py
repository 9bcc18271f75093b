"""The workflows of the golden histories. Do not edit them: they are what executions in flight look like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from stepfast import StepFailed, now, random, signal, step, uuid4, workflow
from stepfast.language.workflows import Workflow


class Order(BaseModel):
    id: str
    amount: Decimal
    due: date
    kind: Literal["small", "large"] = "small"


class Receipt(BaseModel):
    order: Order
    at: datetime
    reference: UUID
    notes: list[str] = []


@step
def price(order: Order, rush: bool = False) -> Decimal:
    return order.amount * (2 if rush else 1)


@step
async def book(order: Order, total: Decimal, reference: UUID, *, at: datetime) -> Receipt:
    return Receipt(order=order, at=at, reference=reference, notes=[str(total)])


@step
def fetch(region: str, page: int = 0) -> dict[str, Any]:
    return {"region": region, "page": page, "rows": [page, page + 1]}


@step
def reserve(item: str) -> str:
    return f"reserved {item}"


@step
def release(item: str) -> str:
    return f"released {item}"


@step
def ship(item: str) -> str:
    raise ConnectionError(f"no carrier for {item}")


@step(name="notify.v2")
async def notify(text: str) -> None: ...


@workflow("sequence")
async def sequence(order: Order) -> Receipt:
    total = await price(order, rush=random() < 0.5)
    await asyncio.sleep(86_400)
    receipt = await book(order, total, uuid4(), at=now())
    await notify(f"booked {receipt.reference}")
    return receipt


@workflow("fan-out")
async def fan_out(regions: list[str]) -> dict[str, list[int]]:
    async def region(name: str) -> list[int]:
        pages = await asyncio.gather(*(fetch(name, page) for page in range(2)))
        return [row for page in pages for row in page["rows"]]

    totals: dict[str, list[int]] = {}
    for name, rows in zip(regions, await asyncio.gather(*map(region, regions)), strict=True):
        totals[name] = rows
    for done in asyncio.as_completed([fetch("late", page) for page in (7, 8)]):
        totals.setdefault("late", []).append((await done)["page"])
    return totals


@workflow("race")
async def race(regions: list[str]) -> list[str]:
    tasks = [asyncio.create_task(fetch(name), name=name) for name in regions]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    winner = next(iter(done)).result()["region"]
    await notify(f"won by {winner}")
    late = await asyncio.wait([asyncio.create_task(asyncio.sleep(60)), asyncio.create_task(fetch("slow"))], timeout=30)
    return [winner, *(task.get_name() for task in pending), str(len(late[0]))]


@workflow("timeouts")
async def timeouts(_: None) -> list[str]:
    seen = []
    try:
        async with asyncio.timeout(60):
            await reserve("in time")
            await asyncio.sleep(3600)
    except TimeoutError:
        seen.append("late")
    seen.append(await asyncio.wait_for(reserve("quick"), 60))
    try:
        await asyncio.wait_for(_two_reservations(), timeout=60)
    except TimeoutError:
        seen.append("late again")
    async with asyncio.timeout(600) as limit:
        limit.reschedule((limit.when() or 0) + 600)
        seen.append(await reserve("put off"))
    return seen


async def _two_reservations() -> None:
    await reserve("first")
    await asyncio.sleep(600)
    await reserve("never")


@workflow("saga")
async def saga(items: list[str]) -> str:
    held: list[str] = []
    try:
        for item in items:
            await reserve(item)
            held.append(item)
        return await ship(items[-1])
    except StepFailed:
        await asyncio.gather(*(release(item) for item in reversed(held)))
        await notify("given up")
        raise


@workflow("task-group")
async def task_group(items: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_held(items[0]))
        group.create_task(_shipped(items[1]))
        group.create_task(asyncio.sleep(3600))


async def _shipped(item: str) -> None:
    await asyncio.sleep(60)
    await ship(item)


async def _held(item: str) -> None:
    await reserve(item)
    try:
        await asyncio.sleep(7200)
    finally:
        await release(item)


@workflow("signals")
async def signals(_: None) -> list[Any]:
    order = await signal("order", Order)
    try:
        await signal("approved", timeout=timedelta(days=3))
    except TimeoutError:
        await notify("nobody approved")
    both = await asyncio.gather(signal("vote", int), signal("vote", int), reserve("seat"))
    return [order.kind, *both]


@workflow("limited")
async def limited(count: int) -> list[str]:
    gate, queue, out = asyncio.Semaphore(2), asyncio.Queue[str](maxsize=3), list[str]()

    async def produce(n: int) -> None:
        async with gate:
            await queue.put(await reserve(f"item {n}"))

    async def consume() -> None:
        while True:
            item = await queue.get()
            await notify(item)
            out.append(item)
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        for n in range(count):
            group.create_task(produce(n))
    await queue.join()
    for one in consumers:
        one.cancel()
    return out


@asynccontextmanager
async def _reserved(item: str) -> AsyncIterator[str]:
    yield await reserve(item)
    await release(item)


async def _pages(region: str) -> AsyncIterator[dict[str, Any]]:
    for page in range(3):
        yield await fetch(region, page)


@workflow("generators")
async def generators(region: str) -> list[int]:
    async with _reserved("desk") as held, asyncio.timeout(60):
        return [len(held), *[row async for page in _pages(region) for row in page["rows"]]]


ORDER = '{"id": "o-1", "amount": "19.90", "due": "2026-12-24"}'
LARGE = '{"id": "o-2", "amount": "900", "due": "2026-12-24", "kind": "large"}'

WORKFLOWS: dict[str, tuple[Workflow[..., Any], str, dict[str, list[str]]]] = {
    "sequence": (sequence, ORDER, {}),
    "fan-out": (fan_out, '["eu", "us", "ap"]', {}),
    "race": (race, '["eu", "us", "ap"]', {}),
    "timeouts": (timeouts, "null", {}),
    "saga": (saga, '["a", "b", "c"]', {}),
    "task-group": (task_group, '["a", "b"]', {}),
    "signals": (signals, "null", {"order": [LARGE], "vote": ["1", "2"]}),
    "limited": (limited, "5", {}),
    "generators": (generators, '"eu"', {}),
}
"""Name: the workflow, its input, and the signals sent to it."""
