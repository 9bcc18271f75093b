"""The HTTP API of this machine: a handler served by uvicorn, in the foreground, until a signal ends it."""

from __future__ import annotations

import asyncio
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
from stepfast.http.connections import IdleConnections, Patience, protocol
from stepfast.http.gateway import MAX_HEAD_BYTES, Handler, Pace, application
from stepfast.http.lanes import Lanes
from stepfast.http.listener import Listener, room
from stepfast.http.streaming import EventStreams
from stepfast.http.waiting import HeldRequests

LOOP = "stepfast.replay.asyncio_internals:QuickLoop"
"""The class of the server's loop. On Windows too it is a SelectorEventLoop: a ProactorEventLoop has no add_reader."""
SHUTDOWN_SECONDS = 3
"""Seconds that running requests get to finish when the server shuts down."""


def serve(
    handler: Handler,
    listener: socket.socket,
    host: str,
    ready: Callable[[str], object],
    stopper: Callable[[Callable[[], None]], object] = lambda stop: None,
) -> None:
    """Serves until SIGINT or SIGTERM, then lets running requests finish. Call it in the main thread.

    handler: a Lambda handler; its method `admit`, if it has one, is asked before a request's body is read, and its
        `ends` reports the ends that requests wait for.
    listener: the socket to accept on. host: the name for the printed address. ready: called once with the address.
    stopper: called once with a function that stops the server, from any thread.

    Returns, or raises KeyboardInterrupt, when a signal stops it. Afterwards both signals raise KeyboardInterrupt.
    """
    server = Server(handler, listener)
    server.on_started = lambda: ready(address_of(listener, host))
    stopper(server.stop)
    server.run()


class Server(uvicorn.Server):
    """uvicorn's server with limits on the number and the time of connections. `run` it; `stop` it from any thread.

    owns_logging: whether uvicorn's logger is silenced for the whole process.
    """

    def __init__(
        self,
        handler: Handler,
        listener: socket.socket,
        patience: Patience | None = None,
        pace: Pace | None = None,
        *,
        owns_logging: bool = True,
    ) -> None:
        self._listener, self._waiting = listener, IdleConnections()
        self._lanes: Lanes[dict[str, Any]] = Lanes()
        ends = getattr(handler, "ends", None)
        may_read = getattr(handler, "may_read", lambda event: False)
        self._held = HeldRequests(ends, may_read) if ends is not None else None
        self._streams = EventStreams(ends) if ends is not None else None
        self.port: int = listener.getsockname()[1]
        self.on_started: Callable[[], object] = lambda: None
        config = uvicorn.Config(
            application(handler, self._lanes, getattr(handler, "admit", None), pace, self._held, self._streams),
            http=protocol(patience or Patience(), self._waiting),  # type: ignore[arg-type]
            ws="none",
            loop=LOOP,
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
        # uvicorn warns of every malformed request. The listener logs less, and stepfast prints its own start-up line.
        # In another application uvicorn's logger is the application's.
        if owns_logging:
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
        if self._held is not None:
            self._held.close()
        if self._streams is not None:
            self._streams.close()
        await super().shutdown(sockets)
        self._lanes.close()

    def stop(self) -> None:
        """Makes `run` return after the running requests have finished, or after SHUTDOWN_SECONDS."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's handler (0.54), which raises the signal again at the end: SIGTERM would kill the process
        there, before the store is closed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)  # SIGINT too: a shell starts background jobs with SIGINT ignored
        for number in numbers:
            signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, _interrupt)


def address_of(listener: socket.socket, host: str) -> str:
    """The address of the server, under the name of a host."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Port 0 picks a free port. Raises StartupError if the address cannot be used."""
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
