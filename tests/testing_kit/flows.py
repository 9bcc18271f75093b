"""A small shop: a quote from two prices, an approval, a payment that is hard to get, a month, a reminder."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from pydantic import BaseModel

import stepfast
from stepfast import Retry, StepFailed, current_step, step, workflow

PATIENT = Retry(max_attempts=20, initial=60.0, backoff=2.0, max_delay=3600.0, jitter="none")


class Order(BaseModel):
    item: str
    pieces: int = 1


class Payment(BaseModel):
    payment_id: str
    amount: Decimal


class Approval(BaseModel):
    approved: bool
    by: str


class Receipt(BaseModel):
    payment: Payment
    reminded: bool


@step(retry=Retry(max_attempts=3, jitter="full"))
async def price(item: str) -> Decimal:
    return Decimal(len(item))


@step
def shipping(item: str, pieces: int = 1) -> Decimal:
    return Decimal(pieces)


@step(retry=PATIENT, timeout=30)
def pay(amount: Decimal) -> Payment:
    return Payment(payment_id=current_step().idempotency_key, amount=amount)


@step
def remind(payment: Payment) -> bool:
    return True


@step(timeout=timedelta(hours=8), heartbeat=timedelta(minutes=1), retry=Retry(max_attempts=2, jitter="none"))
def export(name: str) -> int:
    return len(name)


@step(at_most_once=True)
def announce(text: str) -> None:
    return None


@workflow("purchase")
async def purchase(order: Order) -> Receipt:
    each, freight = await asyncio.gather(price(order.item), shipping(order.item, order.pieces))
    payment = await pay(each * order.pieces + freight)
    await asyncio.sleep(timedelta(days=30).total_seconds())
    return Receipt(payment=payment, reminded=await remind(payment))


@workflow("approved-purchase")
async def approved_purchase(order: Order) -> str:
    try:
        approval = await stepfast.signal("approval", Approval, timeout=timedelta(days=3))
    except TimeoutError:
        return "nobody cared"
    if not approval.approved:
        return f"refused by {approval.by}"
    return (await pay(Decimal(order.pieces))).payment_id


@workflow("patient")
async def patient() -> str:
    """Waits for as long as it takes."""
    return await stepfast.signal("go", str)


@workflow("exporting")
async def exporting(name: str) -> int:
    return await export(name)


@workflow("announcing")
async def announcing() -> str:
    try:
        await announce("we are open")
    except StepFailed as failure:
        return failure.error_type
    return "announced"


@workflow("polling")
async def polling() -> None:
    while not await price(""):
        await asyncio.sleep(60)
