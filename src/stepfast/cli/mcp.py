"""`stepfast mcp`: the workflows of a running stepfast as tools of MCP clients."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import Annotated

import typer

from stepfast.cli import printing
from stepfast.cli.session import Session, session
from stepfast.client import Client
from stepfast.errors import StartupError

EXTRA = ("mcp", "mcp_types", "starlette", "sse_starlette", "anyio", "httpx2")


def mcp(
    context: typer.Context,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP, not standard input and output.")] = False,
    host: Annotated[str, typer.Option(help="With --http: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --http: 0 takes a free one.")] = 8788,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="With --http: a host name that clients use; may be repeated.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="With --http: the origin of web pages that may call; may be repeated; by default none."),
    ] = None,
    lend_key: Annotated[
        bool,
        typer.Option("--lend-key", help="With --http on loopback: callers without a key use that of this command."),
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, max=300, help="Seconds that a start waits for the result, unless the call says.")
    ] = 20.0,
    watch: Annotated[
        float, typer.Option(min=0, help="Seconds between two looks for changed workflows, to notify clients; 0 never.")
    ] = 30.0,
    operate: Annotated[
        bool,
        typer.Option(
            "--operate", help="Offer tools that list, show, resume and signal executions, and pause workflows."
        ),
    ] = False,
) -> None:
    """Offer each workflow as a tool to an agent, by the Model Context Protocol.

    Over standard input and output for one client that starts this command, or with --http for many. A workflow's tool
    starts an execution and waits for it for a while. The tool stepfast_execution comes back to it later.
    """
    settings = session(context)
    try:
        # Imported here: other commands work without the MCP SDK, which need not be installed.
        from stepfast.integrations.mcp.access import MCP_RETRY_SECONDS, Access
        from stepfast.integrations.mcp.server import Bridge
        from stepfast.integrations.mcp.transports import HttpEndpoint, serve_http, serve_stdio
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise StartupError("stepfast mcp needs the SDK of MCP: pip install 'stepfast[mcp]'") from error

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

    def connect(key: str | None) -> Client:
        return replace(settings, api_key=key).client(MCP_RETRY_SECONDS)

    lend, endpoint = lend_key or not http, HttpEndpoint(host, port, allow_host or (), allow_origin or ())
    _check(settings, lend=lend, exposed=http and endpoint.exposed)
    access = Access(connect, settings.url, settings.api_key if lend else None, lend=lend, iam=settings.iam)
    server = Bridge(access, wait, operate, watch).server()
    try:
        if http:
            serve_http(server, endpoint, lambda url: printing.note(f"stepfast mcp: {url}"), lambda: connect(None))
        else:
            if sys.stdin.isatty():
                printing.hint("an MCP client starts this command and talks to it here; to serve by itself: --http")
            serve_stdio(server)
    except KeyboardInterrupt:
        pass


def _check(settings: Session, *, lend: bool, exposed: bool) -> None:
    """Raises StartupError for options that contradict each other, and InvalidRequest for a wrong URL or key."""
    if lend and exposed:
        raise StartupError(
            "--lend-key would let everybody who reaches this address use the key: it is for loopback only"
        )
    if settings.iam and not lend:
        raise StartupError(
            "over HTTP callers bring API keys, and --iam signs with credentials of this process: add --lend-key to let "
            "every program of this machine use them"
        )
    settings.client().close()
