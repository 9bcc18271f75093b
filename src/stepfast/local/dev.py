"""`stepfast dev`: finds the workflows, runs their executions, serves the HTTP API until it is told to end."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
from pathlib import Path
from types import FrameType

from waitress.server import create_server

from stepfast.backends.sqlite_file import Durability
from stepfast.errors import StartupError
from stepfast.http.api import build
from stepfast.http.auth import Authenticator
from stepfast.http.gateway import MAX_BODY, application
from stepfast.http.page import Page
from stepfast.local.runtime import Runtime
from stepfast.registry import discover

REQUEST_THREADS = 8


def serve(
    workflows: Path,
    db: Path,
    host: str = "127.0.0.1",
    port: int = 8787,
    durability: Durability = "full",
    workers: int = 2,
) -> None:
    """Serves until SIGINT or SIGTERM, then ends cleanly; prints one line when requests are taken.

    API keys come from the environment variable STEPFAST_API_KEYS, separated by commas. Without one only
    loopback addresses are allowed. Raises StartupError, which says what to do.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    keys = Authenticator.from_environment(os.environ)
    if keys is None and not _is_loopback(host):
        raise StartupError(
            f"without API keys stepfast listens on loopback only, not on {host}: "
            "set STEPFAST_API_KEYS, or leave out --host"
        )
    listener = _listen(host, port)
    with listener:
        registry = discover(workflows)
        with Runtime(registry, db, durability=durability, workers=workers) as runtime:
            handler = build(runtime.operations, registry, runtime.call, keys, Page())
            server = create_server(
                application(handler),
                sockets=[listener],
                threads=REQUEST_THREADS,
                max_request_body_size=4 * MAX_BODY,  # beyond MAX_BODY the API itself refuses, with a problem
                ident="stepfast",
            )
            for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: shells start background jobs ignoring it
                signal.signal(number, _interrupt)
            address = f"[{host}]" if ":" in host else host
            names = ", ".join(sorted(registry.workflows)) or f"no workflows yet in {workflows}"
            print(f"stepfast is ready at http://{address}:{listener.getsockname()[1]} ({names})", flush=True)
            try:
                server.run()
            finally:
                server.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise StartupError(
            f"cannot listen on {host}:{port} ({reason}): end what uses it, or choose another --port"
        ) from error
    return listener
