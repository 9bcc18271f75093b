"""`stepfast pause`, `unpause`, `close`, `reopen`, `cancel` and `terminate`, and the same by the clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from stepfast import AsyncClient, Client
from stepfast.client import ExecutionFailed
from stepfast.errors import WrongStatus
from tests.http.serving import Api

Cli = Callable[..., Result]


@pytest.fixture
def waiting(api: Api) -> Api:
    api.start("wait-for")
    return api


def test_a_pause_and_its_end_are_said_in_a_line_each_and_shown_with_their_reason(waiting: Api, cli: Cli) -> None:
    assert cli("pause", "one", "--why", "look first").stdout == "paused one\n"
    shown = cli("show", "one").stdout
    assert "PAUSED" in shown
    assert "look first" in shown
    assert cli("unpause", "one").stdout == "unpaused one\n"
    assert waiting.get("/v1/executions/one")["status"] == "RUNNING"


def test_what_is_closed_is_no_dead_letter_and_a_replay_of_all_leaves_it_alone(failed: Api, cli: Cli) -> None:
    assert cli("close", "one", "--why", "a duplicate").stdout == "closed one\n"
    assert failed.get("/v1/dead-letters")["dead_letters"] == []
    cli("dead-letters", "replay", "--all")
    assert failed.get("/v1/executions/one")["status"] == "CLOSED"
    assert "reopen it first" in cli("resume", "one", code=2).stderr
    assert cli("reopen", "one").stdout == "reopened one\n"
    assert [letter["execution_id"] for letter in failed.get("/v1/dead-letters")["dead_letters"]] == ["one"]


def test_one_that_refuses_does_not_stop_the_others(failed: Api, cli: Cli) -> None:
    done = cli("close", "nobody", "one", code=2)
    assert done.stdout == "closed one\n"
    assert "nobody" in done.stderr


def test_a_paused_one_is_terminated(waiting: Api, cli: Cli) -> None:
    cli("pause", "one")
    assert cli("terminate", "one", "--why", "no more").stdout == "terminated one\n"
    ended = waiting.get("/v1/executions/one")
    assert (ended["status"], ended["intervention"]["why"]) == ("CANCELLED", "no more")


def test_the_clients_do_all_of_it_alike(failed: Api, url: str) -> None:
    with Client(url) as client:
        execution = client.execution("one")
        assert execution.close("a duplicate")["status"] == "CLOSED"
        with pytest.raises(ExecutionFailed):
            execution.result(timeout=60)
        with pytest.raises(WrongStatus, match="only a RUNNING one"):
            execution.pause()
        assert execution.reopen()["intervention"]["action"] == "reopen"

    async def again() -> Any:
        async with AsyncClient(url) as client:
            return await client.execution("one").close("once more")

    assert asyncio.run(again())["intervention"]["why"] == "once more"
