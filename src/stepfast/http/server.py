"""The HTTP API of this machine: a handler served by uvicorn, in the foreground, until it is told to end."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from stepfast.errors import StartupError
from stepfast.http.connections import Patience, Waiting, protocol
from stepfast.http.gateway import MAX_HEAD_BYTES, Handler, Pace, application
from stepfast.http.lanes import Lanes
from stepfast.http.listener import Listener, room

SHUTDOWN_SECONDS = 3
"""Seconds that requests under way have to end in when the server does."""


def serve(
    handler: Handler,
    listener: socket.socket,
    host: str,
    ready: Callable[[str], object],
    stopper: Callable[[Callable[[], None]], object] = lambda stop: None,
) -> None:
    """Serves until SIGINT or SIGTERM, then lets requests under way end. ready: called with the address before.

    stopper: called before with a function that ends the server too, from any thread.

    handler: a Lambda handler; if it has a method `admit`, that is asked before a request's body is taken. To be called
    in the main thread; returns, or raises KeyboardInterrupt, when it is told to end. After that both signals raise
    KeyboardInterrupt.
    """
    server = Server(handler, listener)
    server.on_started = lambda: ready(f"http://{f'[{host}]' if ':' in host else host}:{server.port}")
    stopper(server.stop)
    server.run()


class Server(uvicorn.Server):
    """uvicorn's server with connections that are limited in number and time; `run` it, `stop` it from any thread."""

    def __init__(
        self, handler: Handler, listener: socket.socket, patience: Patience | None = None, pace: Pace | None = None
    ) -> None:
        self._listener, self._waiting = listener, Waiting()
        self._lanes: Lanes[dict[str, Any]] = Lanes()
        self.port: int = listener.getsockname()[1]
        self.on_started: Callable[[], object] = lambda: None
        config = uvicorn.Config(
            application(handler, self._lanes, getattr(handler, "admit", None), pace),
            http=protocol(patience or Patience(), self._waiting),  # type: ignore[arg-type]
            ws="none",
            loop="asyncio:SelectorEventLoop",  # on Windows too: the other kind cannot watch a socket
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[("server", "stepfast")],
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            timeout_keep_alive=int((patience or Patience()).idle) or 1,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        # What it says is said by us, in fewer lines: it warns of each request that is no HTTP.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        make = self.config.http_protocol_class

        def take() -> asyncio.Protocol:
            return make(config=self.config, server_state=self.server_state, app_state={}, _loop=loop)  # type: ignore[call-arg]

        connections = self.server_state.connections
        self.servers = [Listener(self._listener, take, self._waiting, lambda: len(connections), room())]  # type: ignore[list-item]
        self.started = True
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._lanes.close()

    def stop(self) -> None:
        """Has `run` return once the requests under way have ended, or a few seconds have passed."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal anew after its end: SIGTERM would end the process before the store is closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)  # SIGINT too: shells start background jobs ignoring it
        for number in numbers:
            signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, _interrupt)


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
        listener.listen(4096)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise StartupError(
            f"cannot listen on {host}:{port} ({reason}): end what uses it, or choose another --port"
        ) from error
    return listener


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
