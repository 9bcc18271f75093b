"""What a start was turned into, in the answer of a workflow's tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client

from stepfast import Rate, signal, workflow
from tests.http.serving import Api
from tests.integrations.mcp.talking import Connections, Talk

pytestmark = pytest.mark.slow


@workflow("syncing", singleton=lambda customer: customer, on_conflict="skip")
async def syncing(customer: str) -> str:
    await signal("go")
    return customer


@workflow("mailing", throttle=Rate(1, per=3600))
async def mailing(customer: str) -> str:
    return customer


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(tmp_path_factory.mktemp("mcp") / "mcp.db", (syncing, mailing))
    yield made
    made.close()


def test_a_tool_says_that_its_start_was_skipped_or_waits(api: Api, connections: Connections) -> None:
    async def scenario(client: Client) -> None:
        async def ask(tool: str, id: str) -> Any:
            arguments = {"input": "ann", "execution_id": id, "wait_seconds": 0}
            return (await client.call_tool(tool, arguments)).structured_content

        assert "turned_into" not in await ask("syncing", "x")
        skipped = await ask("syncing", "y")
        assert (skipped["turned_into"], skipped["execution_id"]) == ("skipped", "x")
        await ask("mailing", "m1")
        waits = await ask("mailing", "m2")
        assert (waits["turned_into"], waits["execution_id"]) == ("waiting", "m2")
        assert waits["begins_at"] in waits["summary"]

    Talk("stdio", "legacy", connections)(scenario)
