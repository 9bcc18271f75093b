"""How the API, the client and the command line show parents and children."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from stepfast import child, signal, step, workflow
from stepfast.cli import timeline
from stepfast.cli.app import app
from stepfast.client import Client
from stepfast.errors import ExecutionNotFound
from stepfast.http.page_models import ExecutionDetail
from tests.http.serving import Api, served
from tests.waiting import until


@step
async def double(number: int) -> int:
    return 2 * number


@workflow("doubled")
async def doubled(number: int) -> int:
    return await double(number)


@workflow("held")
async def held() -> str:
    return str(await signal("go"))


@workflow("pair")
async def pair() -> list[Any]:
    return list(await asyncio.gather(child(doubled, 3), child(held)))


@workflow("broken")
async def broken(_: int) -> int:
    raise RuntimeError("no luck")


@workflow("careless")
async def careless() -> int:
    return await child(broken, 1)


@pytest.fixture
def api(serve: Any) -> Any:
    """The pair `p`, one of whose children waits for a signal."""
    server: Api = serve(pair, doubled, held, careless, broken)
    server.start("pair", id="p")
    until(lambda: command(server, "child:doubled").get("status") == "SUCCEEDED")
    until(lambda: command(server, "child:held").get("children"))
    return server


def command(api: Any, id: str, of: str = "p") -> dict[str, Any]:
    shown = api.get(f"/v1/executions/{of}")["commands"]
    return next((one for one in shown if one["id"] == id), {})


def ids(api: Any, query: str) -> list[str]:
    return sorted(one["execution_id"] for one in api.get("/v1/executions", query=query)["executions"])


def test_a_command_names_its_child_and_a_child_its_parent(api: Any) -> None:
    ended, waiting = command(api, "child:doubled"), command(api, "child:held")
    assert (ended["kind"], ended["name"], ended["children"]) == ("child", "doubled", ["p.doubled"])
    assert (ended["input"], ended["output"]) == (3, 6)
    assert (waiting["status"], waiting["children"], waiting["payload_schema"]) == ("RUNNING", ["p.held"], None)
    shown = api.get("/v1/executions/p.held")
    ExecutionDetail.model_validate(shown, strict=True)
    parent = {"execution_id": "p", "command": "child:held", "root": "p", "depth": 1, "left": False}
    assert shown["parent"] == parent
    assert api.get("/v1/executions/p")["parent"] is None


def test_a_list_of_roots_leaves_children_out(api: Any) -> None:
    assert ids(api, "") == ["p", "p.doubled", "p.held"]
    assert ids(api, "roots=true") == ["p"]
    assert ids(api, "roots=true&status=SUCCEEDED") == []
    assert ids(api, "status=SUCCEEDED") == ["p.doubled"]


def test_a_list_of_the_children_of_a_parent(api: Any) -> None:
    assert ids(api, "parent=p") == ["p.doubled", "p.held"]
    assert ids(api, "parent=p&status=RUNNING") == ["p.held"]
    assert ids(api, "parent=p.held") == []
    page = api.get("/v1/executions", query="parent=p&limit=1&total=true")
    assert ([one["execution_id"] for one in page["executions"]], page["total"]["count"]) == (["p.doubled"], 2)
    assert api.ask("GET", "/v1/executions", query="parent=nobody").kind == "execution-not-found"
    both = api.ask("GET", "/v1/executions", query="parent=p&roots=true")
    assert (both.status, both.fields) == (422, ["roots"])


def test_the_client_and_the_command_line_list_children(api: Any) -> None:
    with served(api.handler) as url, Client(url) as client:
        page = client.list(parent="p", limit=1)
        rest = client.list(parent="p", limit=1, cursor=page["next"])
        assert [one["execution_id"] for one in (*page["executions"], *rest["executions"])] == ["p.doubled", "p.held"]
        with pytest.raises(ExecutionNotFound):
            client.list(parent="nobody")
        listed = CliRunner().invoke(app, ["--url", url, "list", "--parent", "p", "--json"])
        assert [one["execution_id"] for one in json.loads(listed.stdout)["executions"]] == ["p.doubled", "p.held"]


def test_dead_letters_are_of_roots(api: Any) -> None:
    api.start("careless", id="c")
    api.ends("FAILED", id="c")
    letters = api.get("/v1/dead-letters")["dead_letters"]
    assert [one["execution_id"] for one in letters] == ["c"]
    groups = api.get("/v1/dead-letters/groups")["groups"]
    assert [(group["workflow"], group["count"]) for group in groups] == [("careless", 1)]
    assert ids(api, "status=FAILED") == ["c", "c.broken"]


def test_the_command_line_shows_both_directions(api: Any) -> None:
    def rendered(id: str) -> str:
        console = Console(width=160)
        with console.capture() as captured:
            console.print(timeline.render(api.get(f"/v1/executions/{id}")))
        return captured.get()

    assert "execution p.held" in rendered("p")
    assert "p (child:held)" in rendered("p.held")
