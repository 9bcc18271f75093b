from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.http.serving import Api, served
from tests.integrations.mcp.talking import PATIENCE_SECONDS, Connections, Talk
from tests.integrations.mcp.workflows import STEPS, WORKFLOWS, paid


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(tmp_path_factory.mktemp("mcp") / "mcp.db", WORKFLOWS, STEPS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    with served(api.handler) as address:
        yield address


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the standard error of every `stepfast mcp` of a module."""
    return tmp_path_factory.mktemp("stderr")


@pytest.fixture(scope="module")
def connections(url: str, errors: Path) -> Iterator[Connections]:
    with start_blocking_portal() as portal, ExitStack() as stack:
        yield Connections(url, errors, stack, portal)


@pytest.fixture(params=["stdio-legacy", "http-auto"])
def talk(request: pytest.FixtureRequest, connections: Connections) -> Talk:
    """Both transports, and both revisions of the protocol."""
    transport, mode = request.param.split("-")
    return Talk(transport, mode, connections)


@pytest.fixture(autouse=True)
def bank_is_closed() -> Any:
    paid.clear()


@pytest.fixture
def portal_call() -> Any:
    """Runs an async scenario to its end, with a limit for the case that it hangs."""
    return lambda scenario: asyncio.run(asyncio.wait_for(scenario(), PATIENCE_SECONDS))


@pytest.fixture(scope="module")
def nowhere() -> Iterator[str]:
    """A URL at which nothing listens; the port is taken, so that no other process can listen there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
