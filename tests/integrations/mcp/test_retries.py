"""The same JSON-RPC request twice: it starts one execution where something says that it is the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError

from stepfast import Client as StepfastClient
from stepfast.client import Unreachable
from stepfast.integrations.mcp.access import Access
from stepfast.integrations.mcp.server import Bridge
from tests.integrations.mcp.talking import STEPFAST, Connections, environment, text_of

pytestmark = pytest.mark.slow

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}
ARGUMENTS = {"input": {"name": "Ada"}, "wait_seconds": 0}


def call(number: int, name: str = "greeting", **more: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": {**ARGUMENTS, **more}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def check(ask: Callable[[dict[str, Any]], Any]) -> None:
    first, again, later = (ask(call(number)) for number in (7, 7, 8))
    assert first == again
    assert later != first
    assert ask(call(7, input={"name": "Bob"})) != first, "another request, whatever its number"


def test_over_stdio_within_a_process(url: str) -> None:
    with subprocess.Popen(
        [STEPFAST, "mcp", "--url", url],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, back = process.stdin, process.stdout

        def send(message: dict[str, Any]) -> None:
            to.write(json.dumps(message) + "\n")
            to.flush()

        def ask(message: dict[str, Any]) -> str:
            send(message)
            return str(json.loads(back.readline())["result"]["structuredContent"]["execution_id"])

        send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        assert json.loads(back.readline())["result"]["serverInfo"]["name"] == "stepfast"
        send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        check(ask)
        to.close()


def test_another_process_numbers_its_requests_anew(url: str, portal_call: Any) -> None:
    async def scenario() -> list[Any]:
        ids = []
        for _ in range(2):
            access = Access(lambda key: StepfastClient(url, key, retry_for=0), url)
            async with Client(Bridge(access, 20, operate=False).server()) as client:
                result = await client.call_tool("greeting", ARGUMENTS)
                ids.append(result.structured_content["execution_id"])
        return ids

    first, second = portal_call(scenario)
    assert first != second


def test_over_http_within_a_session(connections: Connections, url: str) -> None:
    address = connections.server(url)
    kinds = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    sessions = []
    with httpx.Client(headers=kinds, timeout=60, trust_env=False) as http:
        for _ in range(2):
            opened = http.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
            session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}

            def ask(message: dict[str, Any], session: dict[str, str] = session) -> str:
                answer = http.post(address, json=message, headers=session).text
                (data,) = (line[6:] for line in answer.splitlines() if line.startswith("data: {"))
                return str(json.loads(data)["result"]["structuredContent"]["execution_id"])

            http.post(address, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
            check(ask)
            sessions.append(ask(call(7)))
    assert sessions[0] != sessions[1]


def test_a_start_whose_answer_is_lost_names_the_id_to_repeat_it_with(url: str, portal_call: Any) -> None:
    """The start arrives, and the connection breaks before the answer."""

    class Broken(StepfastClient):
        def run(self, *arguments: Any, **more: Any) -> Any:
            super().run(*arguments, **more)
            raise Unreachable(self.url, "the connection was closed", sent=True)

    clients = [Broken, StepfastClient]
    access = Access(lambda key: clients[0](url, key, retry_for=0), url)

    async def scenario() -> tuple[Any, Any]:
        async with Client(Bridge(access, 20, operate=False).server()) as client:
            lost = await client.call_tool("greeting", {"input": {"name": "Ada"}})
            del clients[0]
            id = text_of(lost).rpartition("execution_id '")[2].rstrip("'")
            return lost, await client.call_tool("greeting", {"input": {"name": "Ada"}, "execution_id": id})

    lost, again = portal_call(scenario)
    assert lost.is_error
    assert "it may have started: repeat the call with execution_id 'mcp-" in text_of(lost)
    assert again.structured_content["result"] == "Hello Ada"


def test_a_start_that_was_never_sent_is_not_in_doubt(url: str, nowhere: str, portal_call: Any) -> None:
    urls = [url, nowhere]
    access = Access(lambda key: StepfastClient(urls[0], key, retry_for=0), nowhere)

    async def scenario() -> str:
        async with Client(Bridge(access, 20, operate=False).server()) as client:
            await client.list_tools()
            del urls[0]
            return text_of(await client.call_tool("greeting", ARGUMENTS))

    answer = portal_call(scenario)
    assert f"no stepfast answers at {nowhere}" in answer
    assert "may have started" not in answer


def test_a_server_that_is_gone_has_no_tools_and_says_why(portal_call: Any, nowhere: str) -> None:
    access = Access(lambda key: StepfastClient(nowhere, key, retry_for=0), nowhere)

    async def scenario() -> None:
        async with Client(Bridge(access, 20, operate=False).server()) as client:
            with pytest.raises(MCPError, match=f"no stepfast answers at {nowhere}"):
                await client.list_tools()

    portal_call(scenario)
