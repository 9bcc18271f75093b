"""Serves over stdio, or over streamable HTTP, until the client or a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from stepfast.client import Client, NotAllowed
from stepfast.errors import StartupError
from stepfast.http.server import listen
from stepfast.integrations.mcp.access import key_in
from stepfast.loopback import is_loopback

PATH = "/mcp"
MAX_BODY_BYTES = 11 * 1024 * 1024
"""The API takes bodies of 10 MB; the envelope of a tool call is around them."""
MCP_SHUTDOWN_SECONDS = 3
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve_stdio(server: Server[Any]) -> None:
    """Serves one client over standard input and output, until it closes them. Call it in the main thread.

    SIGINT ends the process at once, as SIGTERM does: nothing is lost, since executions are kept by the server.
    """
    # The SDK (mcp 2.3) reads standard input in a thread that nothing can interrupt. With Python's own handler Ctrl-C
    # would cancel the event loop, which then waits for that thread until the client sends a line.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options(extensions={}))

    asyncio.run(run())


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """Where to listen, and for whom.

    host, port: the address; port 0 picks a free one.
    names: further host names that requests may be addressed to, such as that of a proxy in front.
    origins: origins of web pages that may send requests; none by default.
    """

    host: str = "127.0.0.1"
    port: int = 8788
    names: Sequence[str] = ()
    origins: Sequence[str] = ()

    @property
    def exposed(self) -> bool:
        """Whether others than programs of this machine can reach it, directly or by a proxy."""
        return not is_loopback(self.host) or bool(self.names)

    def security(self) -> TransportSecuritySettings:
        """What the headers Host and Origin may be. A page whose name resolves to this machine shows in Host."""
        names = [*((*_LOOPBACK, self.host) if is_loopback(self.host) else ()), *self.names]
        hosts = [form for name in names for form in (name, f"{name}:*")]
        return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=list(self.origins))


def serve_http(
    server: Server[Any], endpoint: HttpEndpoint, ready: Callable[[str], object], anyone: Callable[[], Client]
) -> None:
    """Serves over streamable HTTP until SIGINT or SIGTERM.

    ready: called with the URL once requests are accepted. anyone: makes a client of the API without a key.

    Raises StartupError if the address cannot be used, and if an exposed endpoint is in front of an API that takes
    requests without a key.
    """
    if endpoint.exposed:
        if not endpoint.names:
            raise StartupError("beyond loopback, name the host that clients use: --allow-host mcp.example.com")
        _require_keys(anyone)
    app: ASGIApp = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=endpoint.security(),
        max_request_body_size=MAX_BODY_BYTES,
        host=endpoint.host,
    )
    listener = listen(endpoint.host, endpoint.port)
    try:
        _McpServer(_with_keys(app) if endpoint.exposed else app, listener, endpoint.host, ready).run([listener])
    finally:
        listener.close()


def _require_keys(anyone: Callable[[], Client]) -> None:
    with anyone() as client:
        try:
            client.workflows()
        except NotAllowed:
            return
    raise StartupError(
        "the stepfast server takes requests without an API key, and everybody who reaches this address could send "
        "them: set STEPFAST_API_KEYS for it, or listen on loopback without --allow-host"
    )


def _with_keys(app: ASGIApp) -> ASGIApp:
    """Refuses requests without a key before anything of them is read."""

    async def admit(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            if key_in(headers) is None:
                fields = [(b"content-type", b"text/plain"), (b"www-authenticate", b"Bearer")]
                await send({"type": "http.response.start", "status": 401, "headers": fields})
                await send({"type": "http.response.body", "body": b"send an API key as `Authorization: Bearer KEY`\n"})
                return
        await app(scope, receive, send)

    return admit


class _McpServer(uvicorn.Server):
    def __init__(self, app: ASGIApp, listener: socket.socket, host: str, ready: Callable[[str], object]) -> None:
        self._port, self._host, self._say_ready = listener.getsockname()[1], host, ready
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=MCP_SHUTDOWN_SECONDS,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = f"[{self._host}]" if ":" in self._host else self._host
            self._say_ready(f"http://{host}:{self._port}{PATH}")
