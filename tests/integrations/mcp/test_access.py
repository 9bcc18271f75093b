"""Whose key a call is carried out with, and who may send requests over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError

from stepfast.http.auth import Authenticator
from tests.http.serving import Api, served
from tests.integrations.mcp.talking import STEPFAST, Connections, Talk, environment, over_http, text_of
from tests.integrations.mcp.workflows import STEPS, WORKFLOWS
from tests.waiting import until

pytestmark = pytest.mark.slow

RIGHT, WRONG = "the-right-key-of-this-test", "a-wrong-key-of-this-test"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}},
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a stepfast that asks for a key."""
    api = Api(tmp_path_factory.mktemp("guarded") / "g.db", WORKFLOWS, STEPS, keys=Authenticator([RIGHT]))
    with served(api.handler) as address:
        yield address
    api.close()


async def greets(client: Client) -> Any:
    return await client.call_tool("greeting", {"input": {"name": "Ada"}, "wait_seconds": 60})


async def refused(client: Client) -> str:
    with pytest.raises(MCPError) as caught:
        await client.list_tools()
    shown = await client.call_tool("stepfast_execution", {"execution_id": "one"})
    assert shown.is_error
    assert text_of(shown) == caught.value.message
    return caught.value.message


def test_the_right_key_works_and_a_wrong_one_is_a_tool_error(talk: Talk, guarded: str) -> None:
    assert talk(greets, key=RIGHT, url=guarded).structured_content["result"] == "Hello Ada"
    message = talk(refused, key=WRONG, url=guarded)
    assert message.startswith("the API key is not one of ours (the key is ")
    assert ("STEPFAST_API_KEY" if talk.transport == "stdio" else "`Authorization: Bearer KEY`") in message
    for file in talk.connections.errors.iterdir():
        logged = file.read_text()
        assert RIGHT not in logged
        assert WRONG not in logged


def test_over_http_the_own_key_serves_others_only_when_it_is_lent(guarded: str, connections: Connections) -> None:
    talk = Talk("http", "auto", connections)
    own = {"STEPFAST_API_KEY": RIGHT}
    with over_http(guarded, connections.errors, **own) as kept:
        connections.servers[guarded, ("kept",)] = kept
        assert "send an API key" in talk(refused, "kept", url=guarded)
    with over_http(guarded, connections.errors, "--lend-key", **own) as lent:
        connections.servers[guarded, ("lent",)] = lent
        assert talk(greets, "lent", url=guarded).structured_content["result"] == "Hello Ada"
        assert talk(refused, "lent", key=WRONG, url=guarded), "a key of the caller's own is the one that counts"


def post(url: str, message: Any = HELLO, **headers: str) -> int:
    kinds = {"Accept": "application/json, text/event-stream"}
    return httpx.post(url, json=message, headers={**kinds, **headers}, timeout=60, trust_env=False).status_code


def test_pages_and_names_from_elsewhere_are_refused(connections: Connections, url: str) -> None:
    address = connections.server(url, ("--allow-origin", "https://tools.example"))
    assert post(address) == 200
    assert post(address, Host="localhost") == 200
    assert post(address, Host="evil.example") == 421
    assert post(address, Origin="http://evil.example") == 403
    assert post(address, Origin="http://localhost:3000") == 403
    assert post(address, Origin="https://tools.example") == 200


def test_an_address_that_others_reach_asks_for_a_key(connections: Connections, guarded: str) -> None:
    with over_http(guarded, connections.errors, "--allow-host", "mcp.example") as address:
        host = {"Host": "mcp.example"}
        assert post(address, **host) == 401
        assert post(address, **host, Authorization="Basic abc") == 401
        assert post(address, **host, Authorization=f"Bearer {RIGHT}") == 200
        assert post(address, **host, **{"x-api-key": RIGHT}) == 200
        assert post(address, Host="evil.example", Authorization=f"Bearer {RIGHT}") == 421


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--http", "--allow-host", "mcp.example"), "takes requests without an API key"),
        (("--http", "--host", "0.0.0.0"), "name the host that clients use: --allow-host"),
        (("--http", "--allow-host", "mcp.example", "--lend-key"), "it is for loopback only"),
        (("--http", "--iam"), "add --lend-key"),
        (("--url", "nix"), "is not the URL of an API"),
    ],
)
def test_what_cannot_be_served_is_refused_at_the_start(url: str, options: tuple[str, ...], message: str) -> None:
    command = [STEPFAST, "mcp", "--port", "0", *options]
    env = environment(STEPFAST_URL=url)
    done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_without_the_sdk_the_command_says_what_to_install(tmp_path: Path, url: str) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')\n")
    env = environment(STEPFAST_URL=url, PYTHONPATH=str(tmp_path))
    done = subprocess.run([STEPFAST, "mcp"], env=env, text=True, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stepfast: stepfast mcp needs the SDK of MCP: pip install 'stepfast[mcp]'\n"


def test_ctrl_c_ends_it_while_the_client_keeps_the_pipe_open(url: str) -> None:
    with subprocess.Popen(
        [STEPFAST, "mcp"],
        env=environment(STEPFAST_URL=url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"jsonrpc": "2.0", "id": 1, "result": {}}
        process.send_signal(signal.SIGINT)
        until(lambda: process.poll() is not None, what="the end of the process")
        assert process.stderr.read() == ""
