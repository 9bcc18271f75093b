"""`stepfast limits` and `stepfast gates`, and the same by both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stepfast import AsyncClient, Client, Gate, Limit, step, workflow
from stepfast.cli.app import app
from tests.http.serving import Api, served


@step(limits=[Limit("stripe", rate=10, per=60, burst=5), Limit("pdf", concurrency=2, gate=Gate())])
async def charge(n: int) -> int:
    return n


@workflow("charging")
async def charging(n: int) -> int:
    return await charge(n)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    made = Api(tmp_path / "test.db", (charging,))
    with served(made.handler) as address:
        yield address
    made.close()


def cli(url: str, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, args, env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None})
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def test_limits_are_listed_set_and_reset(url: str) -> None:
    listed = cli(url, "limits", "list").stdout
    assert "stripe" in listed
    assert "10 per 60 s, burst 5" in listed
    assert cli(url, "limits", "set", "stripe", "--rate", "20").stdout == (
        "stripe: rate 20 per 60 s, burst 5, at once -\n"
    )
    assert cli(url, "limits", "show", "stripe").stdout.startswith(
        "stripe: rate 20 per 60 s, burst 5, at once -, set by hand"
    )
    assert "10 per 60 s" in cli(url, "limits", "reset", "stripe").stdout
    assert "has no concurrency" in cli(url, "limits", "set", "stripe", "--concurrency", "2", code=2).stderr
    assert "no step has a limit" in cli(url, "limits", "show", "other", code=2).stderr


def test_a_gate_is_closed_and_opened(url: str) -> None:
    assert cli(url, "gates", "list").stdout == "no gate is closed, and none has met failures\n"
    assert cli(url, "gates", "close", "pdf", "--why", "it is down").stdout == "gate pdf is CLOSED\n"
    assert "it is down" in cli(url, "gates", "list").stdout
    assert cli(url, "gates", "open", "pdf").stdout == "gate pdf is RAMPING\n"
    assert "stripe" in cli(url, "gates", "close", "stripe", code=2).stderr
    assert cli(url, "gates", "close", "pdf", "--until", "2001-01-01T00:00:00Z", code=2).stderr


def test_both_clients_have_them(url: str) -> None:
    with Client(url) as client:
        assert client.set_limit("pdf", concurrency=7)["numbers"]["concurrency"] == 7
        assert client.limit("pdf")["keys"] == []
        assert client.close_gate("pdf", until=32503680000.0)["status"] == "CLOSED"

    async def look() -> tuple[Any, Any]:
        async with AsyncClient(url) as client:
            return await client.limits(), await client.gates("pdf")

    limits, gates = asyncio.run(look())
    assert [(limit["name"], limit["numbers"]["concurrency"]) for limit in limits] == [("pdf", 7), ("stripe", None)]
    assert [gate["status"] for gate in gates["gates"]] == ["CLOSED"]
