"""Parents and children in the tools of operators, with the SDK's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client

from tests.http.serving import Api
from tests.integrations.mcp.talking import Connections, Talk
from tests.integrations.mcp.workflows import FAMILY, STEPS
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(tmp_path_factory.mktemp("mcp") / "mcp.db", FAMILY, STEPS)
    yield made
    made.close()


def test_children_are_listed_when_asked_for_and_show_has_both_directions(api: Api, connections: Connections) -> None:
    async def scenario(client: Client) -> None:
        async def ask(tool: str, **arguments: Any) -> Any:
            return (await client.call_tool(tool, arguments)).structured_content

        async def ids(**arguments: Any) -> list[str]:
            return [row["execution_id"] for row in (await ask("stepfast_list", **arguments))["executions"]]

        assert await ids() == ["p"]
        assert sorted(await ids(children=True)) == ["p", "p.approval", "p.greeting"]
        assert await ids(parent="p") == ["p.approval", "p.greeting"]
        assert await ids(parent="p", status="RUNNING") == ["p.approval"]
        page = await ask("stepfast_list", parent="p", limit=1)
        assert page["executions"][0]["parent"]["execution_id"] == "p"
        assert await ids(parent="p", limit=1, cursor=page["next"]) == ["p.greeting"]
        refused = await client.call_tool("stepfast_list", {"parent": "nobody"})
        assert refused.is_error

        shown = await ask("stepfast_show", execution_id="p")
        assert "parent" not in shown
        children = {command["id"]: command["children"] for command in shown["commands"]}
        assert children == {"child:greeting": ["p.greeting"], "child:approval": ["p.approval"]}
        below = await ask("stepfast_show", execution_id="p.greeting")
        assert (below["parent"]["execution_id"], below["parent"]["root"]) == ("p", "p")
        assert [(command["name"], "children" in command) for command in below["commands"]] == [("greet", False)]

    api.start("both", id="p")
    until(lambda: api.ask("GET", "/v1/executions/p.approval").status == 200)
    until(lambda: api.command("child:approval", id="p").get("children"))
    Talk("stdio", "legacy", connections)(scenario, "--operate")
