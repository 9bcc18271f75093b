"""AsyncClient against the real API, and what both clients do with workflows as objects and with batches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel

from stepfast import AsyncClient, Client, Retry, Start, signal, step, workflow
from stepfast.client import ExecutionCancelled, ExecutionFailed, NotAllowed, Unreachable
from stepfast.errors import (
    ExecutionConflict,
    ExecutionNotFound,
    InvalidRequest,
    StepfastError,
    Unavailable,
    UnknownWorkflow,
)
from stepfast.http import problems
from stepfast.http.auth import Authenticator
from tests.http.serving import Api, served

T = TypeVar("T")


class Order(BaseModel):
    item: str
    due: date = date(2026, 11, 27)


class Receipt(BaseModel):
    item: str
    paid: date


class Faults:
    """Whether the carrier is down."""

    down = True


@step(retry=Retry(max_attempts=1))
def ship(order: Order) -> Receipt:
    if order.item == "lost" and Faults.down:
        raise ConnectionError("no carrier")
    return Receipt(item=order.item, paid=order.due)


@workflow("sell")
async def sell(order: Order) -> Receipt:
    return await ship(order)


@workflow("ask-first")
async def ask_first() -> date:
    return await signal("day", date)


@workflow("elsewhere")
async def elsewhere() -> None: ...


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    Faults.down = True
    api = Api(tmp_path / "app.db", (sell, ask_first), keys=Authenticator(["k"]))
    with served(api.handler) as address:
        yield address
    api.close()


def run(url: str, act: Callable[[AsyncClient], Awaitable[T]]) -> T:
    async def main() -> T:
        async with AsyncClient(url, "k") as client:
            return await act(client)

    return asyncio.run(main())


def test_it_starts_waits_signals_lists_and_resumes(url: str) -> None:
    async def act(client: AsyncClient) -> None:
        assert (await client.health())["status"] == "ok"
        assert [shown["name"] for shown in await client.workflows()] == ["ask-first", "sell"]
        by_name = await client.run("sell", {"item": "tea"}, "e-1", {"team": "a"})
        assert (by_name.created, await by_name.result(20)) == (True, {"item": "tea", "paid": "2026-11-27"})
        waiting = await client.run(ask_first, execution_id="e-2")
        await waiting.signal("day", "2026-12-01")
        assert await waiting.result(20) == date(2026, 12, 1)
        failed = await client.run(sell, Order(item="lost"), "e-3")
        with pytest.raises(ExecutionFailed, match="no carrier"):
            await failed.result(20)
        assert len((await client.dead_letters())["dead_letters"]) == 1
        assert (await client.dead_letter_groups())["groups"][0]["count"] == 1
        Faults.down = False
        seen: list[Any] = []
        assert (await client.replay_dead_letters(all=True, each=seen.append))["resumed"] == len(seen) == 1
        assert (await failed.result(20)).item == "lost"
        listed = await client.list(labels={"team": "a"})
        assert [shown["execution_id"] for shown in listed["executions"]] == ["e-1"]
        assert await by_name.history()
        assert (await by_name.commands())["total"] == 1
        await client.delete("e-1")
        with pytest.raises(ExecutionNotFound):
            await by_name.status()

    run(url, act)


def test_many_results_are_awaited_at_once(url: str) -> None:
    async def act(client: AsyncClient) -> list[Receipt]:
        handles = await asyncio.gather(*(client.run(sell, Order(item=str(number))) for number in range(20)))
        return await asyncio.gather(*(handle.result(60) for handle in handles))

    assert [receipt.item for receipt in run(url, act)] == [str(number) for number in range(20)]


def test_it_raises_as_client_does(url: str) -> None:
    async def act(client: AsyncClient) -> None:
        with pytest.raises(UnknownWorkflow):
            await client.run("nobody")
        waiting = await client.run(ask_first)
        with pytest.raises(TimeoutError):
            await waiting.result(0)
        await waiting.cancel()
        with pytest.raises(ExecutionCancelled):
            await waiting.result(20)
        async with AsyncClient(url, "wrong") as other:
            with pytest.raises(NotAllowed):
                await other.list()
        async with AsyncClient("http://127.0.0.1:9", retry_for=0) as nobody:
            with pytest.raises(Unreachable):
                await nobody.health()

    run(url, act)


def test_with_the_workflow_itself_input_and_result_have_its_types(url: str) -> None:
    with Client(url, "k") as client:
        assert client.run(sell, Order(item="tea"), "e-1").result(20) == Receipt(item="tea", paid=date(2026, 11, 27))
        assert client.execution("e-1", sell).result(20).paid == date(2026, 11, 27)
        assert client.execution("e-1").result(20) == {"item": "tea", "paid": "2026-11-27"}
        assert client.run(sell, {"item": "ink"}).result(20).item == "ink"  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest) as refused:
            client.run(sell, {"due": "2026-01-01"})  # type: ignore[arg-type]
        assert refused.value.fields
        for wrong in (None, 3, ship, ship.function):
            with pytest.raises(InvalidRequest, match="run takes a workflow"):
                client.run(wrong)  # type: ignore[call-overload]


STARTS = [
    Start(sell, Order(item="a"), "b-1"),
    Start("sell", {"item": "b"}, "b-2", {"team": "x"}),
    Start("nobody", None, "b-3"),
    Start(sell, Order(item="other"), "b-1"),
    Start(sell, object()),
    Start(sell, Order(item="c")),
]


def check(outcomes: Any) -> None:
    kinds = [type(outcome) if isinstance(outcome, StepfastError) else None for outcome in outcomes]
    assert kinds == [None, None, UnknownWorkflow, ExecutionConflict, InvalidRequest, None]


def test_a_batch_gives_a_handle_or_an_error_for_each_start(url: str) -> None:
    with Client(url, "k") as client:
        outcomes = client.run_many(STARTS)
        check(outcomes)
        first, second, last = outcomes[0], outcomes[1], outcomes[5]
        assert not isinstance(first, StepfastError)
        assert not isinstance(second, StepfastError)
        assert not isinstance(last, StepfastError)
        assert (first.created, first.result(20)) == (True, Receipt(item="a", paid=date(2026, 11, 27)))
        assert second.result(20) == {"item": "b", "paid": "2026-11-27"}
        assert last.result(20).item == "c"
        assert client.run_many([]) == []

    async def act(other: AsyncClient) -> None:
        again = await other.run_many(STARTS)
        check(again)
        assert [getattr(outcome, "created", None) for outcome in again[:2]] == [False, False]

    run(url, act)


def test_starts_that_could_not_be_written_are_sent_again(tmp_path: Path) -> None:
    """The first answer says so of a start, which the server has not seen."""
    api, sent = Api(tmp_path / "app.db", (sell,)), []

    def handler(event: Any, context: Any) -> Any:
        body = json.loads(event["body"])
        sent.append([start["execution_id"] for start in body["starts"]])
        if len(sent) > 1:
            return api.handler(event, context)
        held_back = body["starts"].pop(1)
        response = api.handler({**event, "body": json.dumps(body)}, context)
        outcomes = json.loads(response["body"])["outcomes"]
        problem = json.loads(problems.of(Unavailable("the table is busy")).body or "")
        outcomes.insert(1, {"execution_id": held_back["execution_id"], "created": False, "problem": problem})
        return {**response, "body": json.dumps({"outcomes": outcomes})}

    starts = [Start(sell, Order(item=item), f"b-{item}") for item in ("a", "b", "c")]
    with served(handler) as address, Client(address) as client:
        outcomes = client.run_many(starts)
        assert [getattr(outcome, "created", None) for outcome in outcomes] == [True, True, True]
        assert sent == [["b-a", "b-b", "b-c"], ["b-b"]]
        sent.clear()
    with served(handler) as address, Client(address, retry_for=0) as client:
        kinds = [type(outcome).__name__ for outcome in client.run_many(starts)]
        assert kinds == ["Execution", "Unavailable", "Execution"]
    api.close()


def test_a_batch_of_more_than_one_request_keeps_its_order(url: str) -> None:
    big = "x" * 500_000
    with Client(url, "k") as client:
        outcomes = client.run_many(Start("sell", {"item": f"{number}{big}"}, f"b-{number}") for number in range(20))
        ids = [outcome.execution_id for outcome in outcomes if not isinstance(outcome, StepfastError)]
        assert ids == [f"b-{number}" for number in range(20)]
        last = outcomes[-1]
        assert not isinstance(last, StepfastError)
        assert last.result(60)["item"] == f"19{big}"
