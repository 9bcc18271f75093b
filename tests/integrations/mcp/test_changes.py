"""A change of the workflows reaches clients over both transports, of both kinds of revisions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import ToolsListChanged
from mcp_types import ToolListChangedNotification

from stepfast import workflow
from tests.http.serving import Api, served
from tests.integrations.mcp.talking import STEPFAST, over_http

pytestmark = pytest.mark.slow
WATCH = ("--watch", "0.1")
LOOKS = 12


@workflow("old")
async def old() -> None: ...


@workflow("new")
async def new() -> None: ...


class Deployment:
    """A server whose workflows change while it serves."""

    def __init__(self, folder: Path) -> None:
        self.before, self.after = Api(folder / "a.db", (old,)), Api(folder / "b.db", (old, new))
        self.current = self.before
        self.asked = 0

    def handler(self, *arguments: Any) -> Any:
        self.asked += 1
        return self.current.handler(*arguments)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    made.before.close()
    made.after.close()


class Notified:
    """A client that has listed the tools, and what it is told since."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.told.set()

    async def listen(self, client: Client) -> None:
        async with client.listen(tools_list_changed=True) as changes:
            async for change in changes:
                if isinstance(change, ToolsListChanged):
                    self.told.set()


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def test_clients_are_notified_of_new_workflows_and_then_list_them(
    deployment: Deployment, tmp_path: Path, portal_call: Any
) -> None:
    with (
        served(deployment.handler) as url,
        over_http(url, tmp_path, *WATCH) as mcp,
        (tmp_path / "err").open("w") as log,
    ):

        def opened(transport: str) -> Any:
            command = StdioServerParameters(command=STEPFAST, args=["mcp", *WATCH], env={"STEPFAST_URL": url})
            return stdio_client(command, errlog=log) if transport == "stdio" else streamable_http_client(mcp)

        async def scenario() -> None:
            async with AsyncExitStack() as stack, asyncio.TaskGroup() as listening:
                clients: list[tuple[Client, Notified]] = []
                streams: list[asyncio.Task[None]] = []
                for transport in ("stdio", "http"):
                    for mode in ("legacy", "auto"):
                        told = Notified()
                        made = Client(opened(transport), mode=mode, message_handler=told)
                        client = await stack.enter_async_context(made)
                        clients.append((client, told))
                        tools = client.server_capabilities.tools
                        assert tools is not None
                        assert tools.list_changed
                        if mode == "auto":
                            streams.append(listening.create_task(told.listen(client)))
                        assert await names(client) == {"old", "stepfast_execution"}
                enough = deployment.asked + LOOKS  # at which nothing has changed
                async with asyncio.timeout(60):
                    while deployment.asked < enough:
                        await asyncio.sleep(0.02)
                assert not any(told.told.is_set() for _, told in clients)
                deployment.current = deployment.after
                for client, told in clients:
                    await told.told.wait()
                    assert await names(client) == {"old", "new", "stepfast_execution"}
                for stream in streams:
                    stream.cancel()

        portal_call(scenario)
