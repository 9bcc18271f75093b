"""One HTTP connection: uvicorn's protocol, plus the time limits and problem documents that uvicorn lacks.

uvicorn 0.54 times out a connection only between two requests (`timeout_keep_alive`). A client that sends half a
header, half a body or nothing at all holds it for ever (https://github.com/Kludex/uvicorn/issues/157). `gateway` limits
the time of a body, since it reads the body; this module limits everything else.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import field
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from stepfast.errors import PROBLEM_URN
from stepfast.http.problems import CONTENT_TYPE
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of a connection, in seconds.

    idle: without a request, from the connection's start or its last answer.
    headers: from the first byte of a request to the end of its headers.
    stuck: while the client reads nothing of an answer.
    linger: after the last answer, while the client still sends a body that was refused.
    """

    idle: float = 60.0
    headers: float = 15.0
    stuck: float = 30.0
    linger: float = 3.0


@dataclass(slots=True)
class IdleConnections:
    """The connections without a running request, ordered by how long they have been idle, the longest first."""

    connections: dict[Connection, None] = field(default_factory=dict)

    def give_up_one(self) -> bool:
        """Closes the connection that has been idle longest, at once. False if none is idle."""
        for connection in self.connections:
            del self.connections[connection]
            connection.give_up()
            return True
        return False


class Connection(H11Protocol):
    """A connection that closes on idle, slow or stuck clients, and refuses requests with problem documents."""

    patience = Patience()
    waiting: IdleConnections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._header_limit = _Timer()
        self._write_limit = _Timer()
        self._close_limit = _Timer()
        super().connection_made(_Closing(transport, self))  # type: ignore[arg-type]
        self.timeout_keep_alive_task = self.loop.call_later(self.patience.idle, self.timeout_keep_alive_handler)
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.connections.pop(self, None)
        self._unset_keepalive_if_required()
        self._header_limit.end()
        self._write_limit.end()
        self._close_limit.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # the rest of a refused body
        super().data_received(data)
        self._note()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keeps a half-closed connection open for its answer.

        Uvicorn 0.54 would close it before the answer is written.
        """
        if self.transport.is_closing() or self.cycle is None or self.cycle.response_complete:
            return False
        if self.cycle.more_body:  # the body will never be complete, so there is no answer to wait for
            return False
        self.cycle.keep_alive = False
        return True

    def handle_events(self) -> None:
        super().handle_events()
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def _note(self) -> None:
        """Updates the timers and the list of idle connections to this connection's state."""
        if self.transport.is_closing():
            self.waiting.connections.pop(self, None)
            self._header_limit.end()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.waiting.connections.pop(self, None)
            self._header_limit.end()
            return
        self.waiting.connections.setdefault(self)
        if self.conn.trailing_data[0]:
            self._header_limit.begin(self.loop, self.patience.headers, self._headers_late)
        elif (
            self.timeout_keep_alive_task is None
        ):  # bytes that begin no request, such as an empty line, have cancelled uvicorn's timer
            self.timeout_keep_alive_task = self.loop.call_later(self.patience.idle, self.timeout_keep_alive_handler)

    def _headers_late(self) -> None:
        self._refuse(408, "request-timeout", "the request's headers did not arrive in time")

    # -- clients that do not read their answer
    # ---------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_limit.begin(self.loop, self.patience.stuck, self.transport.abort)

    def resume_writing(self) -> None:
        self._write_limit.end()
        super().resume_writing()

    def give_up(self) -> None:
        """Closes the connection without an answer, to make room for others."""
        self.transport.abort()

    def shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def ends(self) -> bool:
        """Starts the time limit for closing.

        True if the client may still be sending, so that the socket must linger.
        """
        lingers = self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or bool(self.conn.trailing_data[0])
        # The timer aborts: asyncio's `close` waits without a limit for the client to read what was written.
        seconds = self.patience.linger if lingers else self.patience.stuck
        self._close_limit.begin(self.loop, seconds, self.transport.abort)
        return lingers

    # -- refusals that never reach the application ---------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]  # uvicorn calls this where it has caught h11's error, which knows the status
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(status, _KINDS.get(status, "malformed-request"), _detail(status, str(error or msg)))

    def _refuse(self, status: int, kind: str, detail: str) -> None:
        if (
            self.cycle is not None and not self.cycle.response_complete
        ):  # the error is in the body of a request that already runs
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers, body = problem(status, kind, detail)
            self._header_limit.end()
            self._unset_keepalive_if_required()
            self.transport.write(raw_answer(status, headers, body))
        self.transport.close()


class _Closing:
    """A transport that sends the head of an answer with the body, and whose `close` gives a client time to read it.

    uvicorn writes the head and the body one after the other. Each would be a system call of its own, and a packet.

    If a socket is closed with unread input, the kernel sends a reset, which may destroy the answer on its way. So
    `close` ends only the server's side, and input is discarded for a while (RFC 9112, section 9.6).
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport, self._connection, self._closed = transport, connection, False
        self._head: bytes | None = None
        self._begun: object = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closed or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if self._head is not None:
            data, self._head = self._head + data, None
        elif self._connection.conn.our_state is h11.SEND_BODY and self._connection.cycle is not self._begun:
            self._head, self._begun = data, self._connection.cycle
            self._connection.loop.call_soon(self._send_head)  # unless a body follows in this turn
            return
        self._transport.write(data)

    def _send_head(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)

    def close(self) -> None:
        if self.is_closing():
            return
        self._send_head()
        lingers, self._closed = self._connection.ends(), True
        if lingers:
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()


_KINDS = {408: "request-timeout", 431: "headers-too-large", 501: "unknown-transfer-encoding"}


def _detail(status: int, reason: str) -> str:
    if status == 431:
        return "the request line and the headers are too long"
    return f"this is no HTTP request that can be read: {reason}"


def problem(status: int, kind: str, detail: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body of a refusal."""
    title = HTTPStatus(status).phrase
    body = json.dumps({"type": PROBLEM_URN + kind, "title": title, "status": status, "detail": detail}).encode()
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    return headers, body


def raw_answer(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A complete HTTP/1.1 response that closes the connection."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in [*headers, (b"server", b"stepfast"), (b"connection", b"close")]]
    return b"\r\n".join([*lines, b"", body])


def protocol(patience: Patience, waiting: IdleConnections) -> Callable[..., Connection]:
    """The protocol class for uvicorn, with these limits."""
    return type("LimitedConnection", (Connection,), {"patience": patience, "waiting": waiting})


class _Timer:
    """At most one scheduled call."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, seconds: float, act: Callable[[], object]) -> None:
        """Schedules `act`, unless a call is scheduled already."""
        if self._handle is None:
            self._handle = loop.call_later(seconds, act)

    def end(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
