# ruff: noqa: B018, F821
"""A user's workflows; the comments say what mypy must make of a line: a type, or a mistake."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

import stepfast
from stepfast import (
    Client,
    GiveUp,
    Rate,
    Retry,
    RetryAfter,
    StepContext,
    StepFailed,
    current_step,
    signal,
    step,
    workflow,
)


class Order(BaseModel):
    id: str
    amount: int


@dataclass
class Receipt:
    order: Order
    paid: bool = False


@step
def plain(order: Order, rush: bool = False) -> Receipt:
    return Receipt(order)


@step
async def awaited(receipt: Receipt) -> str:
    return receipt.order.id


@step(retry=Retry(max_attempts=5, jitter="equal", give_up_on=(ValueError,)), timeout=30, pool="pdf")
def configured(text: str, *more: int, flag: bool = True) -> list[int]:
    context = current_step()
    reveal_type(context)  # -> stepfast.language.context.StepContext
    reveal_type(context.attempt)  # -> int
    reveal_type(context.idempotency_key)  # -> str
    reveal_type(context.deadline)  # -> datetime.datetime
    if not text:
        raise RetryAfter(5) if flag else GiveUp("empty")
    return list(more)


@step(timeout=timedelta(minutes=5), heartbeat=10, at_most_once=True)
async def configured_async(number: int) -> Order | None:
    return None


@workflow("order")
async def order(request: Order) -> Receipt:
    receipt = await plain(request, rush=True)
    reveal_type(receipt)  # -> user_workflows.Receipt
    reveal_type(await awaited(receipt))  # -> str
    reveal_type(await configured("x", 1, 2, flag=False))  # -> list[int]
    reveal_type(await configured_async(1))  # -> user_workflows.Order | None

    both = await asyncio.gather(plain(request), awaited(receipt))
    reveal_type(both)  # -> tuple[user_workflows.Receipt, str]
    three = await asyncio.gather(plain(request), configured_async(1), awaited(receipt))
    reveal_type(three)  # -> tuple[user_workflows.Receipt, user_workflows.Order | None, str]
    several = await asyncio.gather(*(awaited(one) for one in [receipt]))
    reveal_type(several)  # -> list[str]

    task = asyncio.create_task(plain(request))
    reveal_type(task)  # -> Task[user_workflows.Receipt]
    async with asyncio.TaskGroup() as group:
        child = group.create_task(configured_async(1))
    reveal_type(child.result())  # -> user_workflows.Order | None
    reveal_type(await asyncio.wait_for(awaited(receipt), 5))  # -> str
    for done in asyncio.as_completed([awaited(receipt)]):
        reveal_type(await done)  # -> str

    reveal_type(await signal("approved", Order))  # -> user_workflows.Order
    reveal_type(await signal("approved", int, timeout=timedelta(days=3)))  # -> int
    reveal_type(await signal("approved", Order | None))  # -> user_workflows.Order | None
    reveal_type(await signal("approved", list[Literal["yes", "no"]]))  # -> list[Literal['yes'] | Literal['no']]
    reveal_type(await signal("anything"))  # -> Any
    reveal_type(stepfast.now())  # -> datetime.datetime
    reveal_type(stepfast.random())  # -> float
    reveal_type(stepfast.uuid4())  # -> uuid.UUID

    try:
        await awaited(receipt)
    except StepFailed as failed:
        reveal_type(failed.attempts)  # -> int
        reveal_type(failed.is_a(ValueError))  # -> bool
        print(failed.is_a((KeyError, OSError)))
    reveal_type(await plain.options(timeout=timedelta(minutes=1))(request))  # -> user_workflows.Receipt
    patient = awaited.options(retry=Retry(max_attempts=None, initial=timedelta(seconds=2)), name="patient")
    reveal_type(await patient(receipt))  # -> str
    await stepfast.sleep(timedelta(days=1))
    reveal_type(stepfast.current_execution())  # -> stepfast.language.current.ExecutionContext
    reveal_type(stepfast.current_execution().started_at)  # -> datetime.datetime
    reveal_type(await other())  # -> None
    return receipt


@workflow
async def other() -> None:
    when: datetime = stepfast.now()
    reference: UUID = stepfast.uuid4()
    print(when, reference)


def client() -> None:
    execution = Client("http://127.0.0.1:8787", api_key="k").run("order", {"id": "1"}, execution_id="e")
    reveal_type(execution.execution_id)  # -> str
    reveal_type(execution.result())  # -> Any
    with Client("http://127.0.0.1:8787") as typed:
        reveal_type(typed.run(order, Order(id="1", amount=2)).result())  # -> user_workflows.Receipt
        reveal_type(typed.run(other).result())  # -> None
        reveal_type(typed.execution("e", order).result())  # -> user_workflows.Receipt
        typed.run(order, "1")  # error: Cannot infer value
        typed.run(order)  # error: Argument 1 to "run"
        typed.run(plain.function, Order(id="1", amount=2))  # error: No overload variant


async def library() -> None:
    async with stepfast.Embedded("app.db", workflows=[order, other]) as engine:
        handle = await engine.start(order, Order(id="1", amount=2), execution_id="o-1")
        reveal_type(await handle.result())  # -> user_workflows.Receipt
        reveal_type(await (await engine.start(other)).result())  # -> None
        await engine.start(order, 3)  # error: Cannot infer value
    async with stepfast.AsyncClient("http://127.0.0.1:8787") as client:
        reveal_type(await (await client.run(order, Order(id="1", amount=2))).result())  # -> user_workflows.Receipt
        reveal_type(await client.run("order"))  # -> stepfast.client.async_execution.AsyncExecution[Any]
        for end in await client.run_many([stepfast.Start(order, Order(id="1", amount=2))]):
            reveal_type(end)  # -> stepfast.client.async_execution.AsyncExecution[Any] | stepfast.errors.StepfastError


def helper(context: StepContext) -> None:
    context.heartbeat()


def customer_of(request: Order) -> str:
    return request.id


@workflow("one-each", singleton=customer_of, on_conflict="skip", throttle=Rate(10, per=60))
async def one_each(request: Order) -> str:
    return request.id


@workflow("settled", debounce=timedelta(seconds=30), debounce_key=customer_of)
async def settled(request: Order) -> str:
    return request.id


@workflow("spaced", throttle=Rate(10, per=60))
async def spaced(request: Order) -> str:
    return request.id


async def starts(client: Client, request: Order) -> None:
    reveal_type(client.run(one_each, request).result())  # -> str
    reveal_type(client.run(settled, request).result())  # -> str
    reveal_type(client.run(spaced, request).result())  # -> str
    client.run(one_each, "o-1")  # error: parameter "I" of "run"


# -- mistakes ------------------------------------------------------------------------------------------


@workflow("mistakes")
async def mistakes(request: Order) -> str:
    await plain("o-1")  # error: Argument 1
    await plain()  # error: Missing positional argument "order"
    await plain(request, rsh=True)  # error: Unexpected keyword argument "rsh"
    await awaited(request)  # error: expected "Receipt"
    await awaited.options(timeout=5)(request)  # error: expected "Receipt"
    awaited.options(pool="gpu")  # error: "options" of "Step"
    awaited.options(timeout="soon")  # error: "timeout" to "options"
    await stepfast.sleep("a day")  # error: "sleep"
    await configured("x", "y")  # error: expected "int"
    number: int = await awaited(Receipt(request))  # error: expression has type "str", variable has type "int"
    (await plain(request)).total()  # error: "Receipt" has no attribute "total"
    plain(request).paid  # error: "Coroutine[object, None, Receipt]" has no attribute "paid"
    left, right = await asyncio.gather(plain(request), awaited(Receipt(request)))
    right.paid  # error: "str" has no attribute "paid"
    approval: str = await signal("approved", Order)  # error: "signal"
    plain(request)  # error: must be used
    print(number, left, approval)
    return await plain(request)  # error: Incompatible return value type


@workflow("not-async")  # error: Argument 1 has incompatible type "Callable[[Order], str]"
def not_async(request: Order) -> str:
    return ""


@workflow("other-key", singleton=customer_of)  # error: incompatible type "Callable[[Receipt]
async def other_key(request: Receipt) -> str:
    return ""


@workflow("no-key", singleton=lambda request: 3)  # error: "K" of "workflow"
async def no_key(request: Order) -> str:
    return ""


@step(timeout="soon")  # error: step
def badly_configured() -> None: ...


Retry(max_attempts="3")  # error: "max_attempts"
Retry(jitter="half")  # error: "jitter"


@stepfast.external_step(arn="function:pricing", timeout=60, heartbeat=timedelta(seconds=30))
async def price_elsewhere(order: Order, rush: bool = False) -> Receipt:
    raise NotImplementedError


@workflow("external")
async def external(request: Order) -> Receipt:
    reveal_type(await price_elsewhere(request, rush=True))  # -> user_workflows.Receipt
    await price_elsewhere("o-1")  # error: Argument 1
    return await price_elsewhere(request)


stepfast.external_step(arn="function:pricing")  # error: Missing named argument "timeout"
