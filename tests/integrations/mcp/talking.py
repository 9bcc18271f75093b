"""The SDK's own client, connected to a real `stepfast mcp` over either transport."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

import httpx2
from anyio.from_thread import BlockingPortal
from mcp import Client, StdioServerParameters
from mcp.client.extension import ClientExtension
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.waiting import until

T = TypeVar("T")
STEPFAST = str(Path(sys.executable).with_name("stepfast"))
PATIENCE_SECONDS = 120.0


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEPFAST_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def over_http(url: str, errors: Path, *options: str, **env: str) -> Iterator[str]:
    """`stepfast mcp --http` on a free port, in front of the stepfast at `url`; yields its own URL.

    errors: a folder; its standard error goes to a file there.
    """
    command = [STEPFAST, "mcp", "--http", "--port", "0", "--url", url, *options]
    with (
        new_file(errors) as file,
        open(file.name) as written,
        subprocess.Popen(command, env=environment(**env), stderr=file, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            yield _ready(process, written)
        finally:
            process.terminate()


def new_file(folder: Path) -> TextIO:
    return (folder / f"{len(list(folder.iterdir()))}.txt").open("w")


def _ready(process: subprocess.Popen[bytes], written: TextIO) -> str:
    lines: list[str] = []

    def ready() -> str | None:
        lines.append(written.read())
        match = re.search(r"(http://\S+)\n", "".join(lines))
        assert match or process.poll() is None, lines
        return match and match[1]

    return str(until(ready, pause=0.02, what="the line that says where it listens"))


@dataclass
class Connections:
    """The clients of a module, each connected once: a process takes a second to start.

    url: the stepfast that they talk to by default. errors: a folder for the standard error of each `stepfast mcp`.
    """

    url: str
    errors: Path
    stack: ExitStack
    portal: BlockingPortal
    clients: dict[Any, Client] = field(default_factory=dict)
    servers: dict[Any, str] = field(default_factory=dict)

    def client(
        self,
        transport: str,
        mode: str,
        url: str,
        options: tuple[str, ...],
        key: str | None,
        extensions: tuple[Any, ...],
    ) -> Client:
        wanted = (transport, mode, url, options, key, extensions)
        if wanted not in self.clients:
            opened = self._over_stdio(url, options, key) if transport == "stdio" else self._over_http(url, options, key)
            client = Client(opened, mode=mode, extensions=extensions or None)
            self.clients[wanted] = self.stack.enter_context(self.portal.wrap_async_context_manager(client))
        return self.clients[wanted]

    def _over_stdio(self, url: str, options: tuple[str, ...], key: str | None) -> Any:
        env = {"STEPFAST_URL": url, **({} if key is None else {"STEPFAST_API_KEY": key})}
        started = StdioServerParameters(command=STEPFAST, args=["mcp", *options], env=env)
        return stdio_client(started, errlog=self.stack.enter_context(new_file(self.errors)))

    def _over_http(self, url: str, options: tuple[str, ...], key: str | None) -> Any:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        http = httpx2.AsyncClient(headers=headers, timeout=PATIENCE_SECONDS)
        self.stack.enter_context(self.portal.wrap_async_context_manager(http))
        return streamable_http_client(self.server(url, options), http_client=http)

    def server(self, url: str, options: tuple[str, ...] = ()) -> str:
        """The URL of a `stepfast mcp --http` with these options."""
        if (url, options) not in self.servers:
            self.servers[url, options] = self.stack.enter_context(over_http(url, self.errors, *options))
        return self.servers[url, options]


@dataclass(frozen=True)
class Talk:
    """Runs a scenario with a connected client.

    transport: stdio, or http. mode: as `mcp.Client` takes it: legacy is what most clients of 2026 speak.
    """

    transport: str
    mode: str
    connections: Connections

    def __call__(
        self,
        scenario: Callable[[Client], Awaitable[T]],
        *options: str,
        key: str | None = None,
        url: str | None = None,
        extensions: tuple[ClientExtension, ...] = (),
    ) -> T:
        connections = self.connections
        client = connections.client(self.transport, self.mode, url or connections.url, options, key, extensions)

        async def run() -> T:
            return await asyncio.wait_for(scenario(client), PATIENCE_SECONDS)

        return connections.portal.call(run)


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content)
