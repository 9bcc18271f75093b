"""`stepfast repair`, and the same by the clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from stepfast import AsyncClient, Client
from stepfast.errors import InvalidRequest
from tests.http.serving import Api

Cli = Callable[..., Result]


def test_a_result_by_hand_ends_the_execution(failed: Api, cli: Cli) -> None:
    done = cli("repair", "one", "fragile", "--result", '"Hello by hand"', "--why", "told by telephone")
    assert done.stdout == "repaired fragile of one\n"
    assert failed.ends()["result"] == "Hello by hand"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "exactly one of"),
        (("--skip", "--result", "1"), "exactly one of"),
        (("--input", "[1]"), "an object of all arguments"),
        (("--skip",), "may not be null"),
        (("--result", "5"), "valid string"),
        (("--input", '{"nam": "x"}'), "lacks name"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(failed: Api, cli: Cli, options: tuple[str, ...], says: str) -> None:
    assert says in " ".join(cli("repair", "one", "fragile", *options, code=2).stderr.split())
    assert failed.get("/v1/executions/one")["status"] == "FAILED"


def test_the_clients_repair_alike(failed: Api, url: str) -> None:
    with Client(url) as client, pytest.raises(InvalidRequest, match="exactly one of"):
        client.execution("one").repair("fragile")
    with Client(url) as client:
        shown = client.execution("one").repair("fragile", result="x")
    assert shown["status"] in ("RUNNING", "SUCCEEDED")

    async def again() -> Any:
        async with AsyncClient(url) as client:
            return await client.execution("one").repair("fragile", result="x")

    failed.ends()
    with pytest.raises(Exception, match="SUCCEEDED"):
        asyncio.run(again())
