"""`stepfast query` and `stepfast update`, and the same by the clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from stepfast import AsyncClient, Client, UpdateFailed, UpdateRefused, query, signal, update, workflow
from stepfast.client import StartIf
from stepfast.errors import ExecutionConflict, InvalidRequest, WrongStatus
from stepfast.update_errors import NoSuchHandler, QueryFailed
from tests.http.serving import Api

Cli = Callable[..., Result]


@workflow("cart")
async def cart(limit: int) -> int:
    items: list[str] = []

    @query
    def held() -> list[str]:
        return items

    @query
    def loops() -> None:
        while True:
            pass

    @update
    async def add(name: str) -> int:
        items.append(name)
        return len(items)

    @add.check
    def _(name: str) -> None:
        if len(items) >= limit:
            raise UpdateRefused("the cart is full")

    @update
    async def fails() -> None:
        raise ValueError("no")

    @update
    async def lasts() -> None:
        await signal("never")

    await signal("end")
    return len(items)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    made = Api(tmp_path / "cart.db", (cart,))
    yield made
    made.close()


def test_an_execution_is_started_updated_and_asked(api: Api, cli: Cli) -> None:
    added = cli("update", "one", "add", "-p", '"tea"', "--start", "cart", "--input", "1", "--update-id", "u1")
    assert json.loads(added.stdout) == 1
    assert json.loads(cli("update", "one", "add", "-p", '"tea"', "--update-id", "u1").stdout) == 1
    assert "the cart is full" in cli("update", "one", "add", "-p", '"cup"', code=2).stderr
    assert json.loads(cli("query", "one", "held").stdout) == ["tea"]
    assert cli("query", "one").stdout.splitlines() == [
        "queries: held, loops",
        '  held takes no payload; answers {"items": {"type": "string"}, "type": "array"}',
        "  loops takes no payload; answers null",
        "updates: add, fails, lasts",
        '  add takes {"type": "string"}; answers {"type": "integer"}',
        "  fails takes no payload; answers null",
        "  lasts takes no payload; answers null",
    ]
    assert json.loads(cli("query", "one", "--json").stdout)["schemas"]["updates"]["add"] == {
        "payload_schema": {"type": "string"},
        "result_schema": {"type": "integer"},
    }
    assert "name the workflow" in cli("update", "one", "add", "--input", "1", code=2).stderr


def test_a_refused_payload_is_answered_by_what_fits(api: Api, cli: Cli) -> None:
    cli("run", "cart", "--input", "1", "--id", "one")
    refused = cli("update", "one", "add", "-p", "5", code=2).stderr
    assert 'add takes {"type": "string"}' in refused
    assert "valid string" in refused
    assert "held takes no payload" in cli("query", "one", "held", "-p", "5", code=2).stderr
    cli("update", "one", "add", "-p", '"tea"')
    assert "takes" not in cli("update", "one", "add", "-p", '"cup"', code=2).stderr, "the type is not what is wrong"
    assert "takes" not in cli("update", "two", "add", "-p", "5", "--start", "cart", "--input", "true", code=2).stderr


def test_the_client_gets_the_answer_or_what_stands_against_it(api: Api, url: str) -> None:
    with Client(url) as client:
        one = client.run(cart, 1, execution_id="one")
        assert one.update("add", "tea", update_id="u1", type=int) == 1
        assert one.query("held", type=list[str]) == ["tea"]
        assert one.handlers()["schemas"]["queries"]["held"]["result_schema"]["items"] == {"type": "string"}
        with pytest.raises(UpdateRefused, match="the cart is full"):
            one.update("add", "cup")
        with pytest.raises(UpdateFailed, match="ValueError: no"):
            one.update("fails")
        with pytest.raises(ExecutionConflict):
            one.update("add", "other", update_id="u1")
        with pytest.raises(InvalidRequest):
            one.update("add", 5)
        with pytest.raises(NoSuchHandler):
            one.query("nothing")
        with pytest.raises(QueryFailed, match="longer than"):
            one.query("loops")
        with pytest.raises(TimeoutError):
            one.update("lasts", update_id="u2", timeout=0.1)
        assert one.update_state("u2")["status"] == "pending"
        one.signal("end")
        assert one.result(timeout=30) == 1
        with pytest.raises(WrongStatus, match="ended before"):
            one.update("lasts", update_id="u2")
        assert one.update("add", "tea", update_id="u1") == 1


def test_the_asynchronous_client_does_the_same(api: Api, url: str) -> None:
    async def asked() -> tuple[Any, Any]:
        async with AsyncClient(url) as client:
            one = client.execution("one")
            added = await one.update("add", "tea", start=StartIf(cart, 2, {"team": "shop"}))
            return added, await one.query("held")

    assert asyncio.run(asked()) == (1, ["tea"])
    assert api.get("/v1/executions/one")["labels"] == {"team": "shop"}


def test_many_senders_are_served_though_few_requests_wait(api: Api, url: str) -> None:
    async def all_answers() -> list[Any]:
        async with AsyncClient(url) as client:
            one = await client.run(cart, 100, execution_id="one")
            return await asyncio.gather(*(one.update("add", str(number)) for number in range(20)))

    assert sorted(asyncio.run(all_answers())) == list(range(1, 21))
