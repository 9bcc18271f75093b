"""The HTTP API of this machine: a handler served by waitress, in the foreground, until it is told to end."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from waitress.server import create_server

from stepfast.errors import StartupError
from stepfast.http.gateway import MAX_BODY, application

REQUEST_THREADS = 8


def serve(
    handler: Callable[[dict[str, Any], object], dict[str, Any]],
    listener: socket.socket,
    host: str,
    ready: Callable[[str], object],
) -> None:
    """Serves until SIGINT or SIGTERM. ready: called with the address when requests are taken.

    To be called in the main thread; returns, or raises KeyboardInterrupt, when it is told to end.
    """
    server = create_server(
        application(handler),
        sockets=[listener],
        threads=REQUEST_THREADS,
        max_request_body_size=4 * MAX_BODY,  # beyond MAX_BODY the API itself refuses, with a problem
        ident="stepfast",
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: shells start background jobs ignoring it
        signal.signal(number, _interrupt)
    ready(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
    try:
        server.run()
    finally:
        server.close()


def is_loopback(host: str) -> bool:
    """True for a name or address that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; port 0 takes a free one. StartupError says what to do."""
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


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
