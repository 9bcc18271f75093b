"""What a start was turned into, over HTTP, by the clients and on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import AsyncClient, Client, Rate, signal, workflow
from stepfast.cli.app import app
from stepfast.client import Start
from tests.http.serving import Api, served


@workflow("skips", singleton=lambda key: key[0], on_conflict="skip")
async def skips(key: str) -> str:
    await signal("go")
    return key


@workflow("waits", singleton=lambda key: key[0])
async def waits(key: str) -> str:
    await signal("go")
    return key


@workflow("replaces", singleton=lambda key: key[0], on_conflict="replace")
async def replaces(key: str) -> str:
    await signal("go")
    return key


@workflow("paced", throttle=Rate(1, per=3600))
async def paced(key: str) -> str:
    return key


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(skips, waits, replaces, paced)
    return made


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with served(api.handler) as address:
        yield address


def asked(api: Api, workflow: str, input: str, id: str) -> tuple[int, Any]:
    answer = api.ask("POST", f"/v1/workflows/{workflow}/executions", {"input": input, "execution_id": id})
    return answer.status, answer.body


def test_a_skipped_start_answers_with_the_execution_that_runs(api: Api) -> None:
    assert asked(api, "skips", "a1", "x")[1]["turned_into"] == "started"
    for _ in range(2):
        status, body = asked(api, "skips", "a2", "y")
        assert (status, body["turned_into"], body["execution_id"], body["input"]) == (200, "skipped", "x", "a1")
    assert api.ask("GET", "/v1/executions/y").status == 404
    assert asked(api, "skips", "a3", "y")[0] == 409
    assert asked(api, "skips", "b", "z")[0] == 201


def test_an_execution_that_waits_has_not_begun_and_says_when_it_does(api: Api) -> None:
    asked(api, "waits", "a1", "x")
    status, body = asked(api, "waits", "a2", "y")
    assert (status, body["turned_into"], body["begun"], body["begins_at"]) == (201, "waiting", False, None)
    asked(api, "paced", "a", "p1")
    status, body = asked(api, "paced", "a", "p2")
    assert (status, body["turned_into"], body["begun"]) == (201, "waiting", False)
    assert body["begins_at"] > body["created_at"]
    assert asked(api, "paced", "a", "p2") == (200, body)
    assert api.ask("POST", "/v1/executions/x/signals/go", {"payload": None}).status == 202
    api.ends(id="x")
    assert api.ask("POST", "/v1/executions/y/signals/go", {"payload": None}).status == 202
    assert api.ends(id="y")["begun"]


def test_a_start_that_replaces_names_the_other(api: Api) -> None:
    asked(api, "replaces", "a1", "x")
    _, body = asked(api, "replaces", "a2", "y")
    assert (body["turned_into"], body["replaced"]) == ("replaced", "x")
    api.ends("CANCELLED", id="x")


def test_a_batch_says_it_of_each(api: Api) -> None:
    starts = [{"workflow": "skips", "input": input, "execution_id": input} for input in ("a1", "a2", "b1")]
    outcomes = api.ask("POST", "/v1/executions/batch", {"starts": starts}).body["outcomes"]
    assert sorted(outcome["turned_into"] for outcome in outcomes) == ["skipped", "started", "started"]
    assert outcomes[0]["execution_id"] == outcomes[1]["execution_id"]


def test_the_clients_have_handles_of_what_a_start_was_turned_into(url: str) -> None:
    with Client(url) as client:
        first = client.run(skips, "a1", "x")
        second = client.run(skips, "a2", "y")
        (third,) = client.run_many([Start(skips, "a3", "z")])
    assert (first.turned_into, first.created, second.turned_into, second.created) == ("started", True, "skipped", False)
    assert not isinstance(third, Exception)
    assert {second.execution_id, third.execution_id} == {"x"}

    async def fourth() -> Any:
        async with AsyncClient(url) as client:
            return await client.run(skips, "a4", "w")

    handle = asyncio.run(fourth())
    assert (handle.execution_id, handle.turned_into) == ("x", "skipped")


def test_the_command_line_says_what_a_start_was_turned_into(url: str) -> None:
    def run(workflow: str, input: str, id: str) -> Any:
        arguments = ["run", workflow, f'"{input}"', "--id", id]
        return CliRunner().invoke(app, arguments, env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None})

    run("skips", "a1", "x")
    skipped = run("skips", "a2", "y")
    assert skipped.stdout == "x\n"
    assert "nothing was started: x runs" in " ".join(skipped.stderr.split())
    run("waits", "a1", "u")
    assert "waits for its turn" in run("waits", "a2", "v").stderr
    shown = CliRunner().invoke(app, ["show", "v"], env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None}).stdout
    assert "when those of its key" in " ".join(shown.split())
