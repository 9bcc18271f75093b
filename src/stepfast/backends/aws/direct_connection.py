"""HTTP/1.1 connections to one address, kept open, for POST requests whose answers have a Content-Length.

That is all that DynamoDB and SQS need. Any other answer is NoAnswer, and the caller asks botocore.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

MAX_ANSWER_HEAD_BYTES = 65_536
_RECEIVE_BYTES = 65_536


class NoAnswer(Exception):
    """No answer came, or one that cannot be read. Whether the request was carried out is not known."""


class _StaleConnection(Exception):
    """The other side had closed a kept connection before it answered the request with a single byte."""


class Address(NamedTuple):
    """Where to connect. host: as the header `host` has it, with the port unless it is the usual one."""

    name: str
    port: int
    tls: bool

    @property
    def host(self) -> str:
        return self.name if self.port == (443 if self.tls else 80) else f"{self.name}:{self.port}"


class RawAnswer(NamedTuple):
    """The answer to a request. headers: by name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class DirectConnections:
    """The connections to one address. Any thread may post: each request has a connection for itself.

    context: of TLS; None for an address without it.
    """

    def __init__(
        self, address: Address, connect_seconds: float, read_seconds: float, context: ssl.SSLContext | None
    ) -> None:
        self._address, self._connect, self._read, self._context = address, connect_seconds, read_seconds, context
        self._idle: deque[socket.socket] = deque()

    def post(self, head: str, body: bytes) -> RawAnswer:
        """Sends a request, and raises NoAnswer unless its answer arrived whole.

        head: the request line and the headers, without the empty line. A request on a kept connection that turns out
        to be closed is sent once more on a new one: Lambda freezes a sandbox for minutes, and then AWS hangs up.
        """
        request = f"{head}\r\n\r\n".encode() + body
        kept = self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, request)
            except _StaleConnection:
                pass
        try:
            return self._exchange(self._opened(), request)
        except _StaleConnection as error:
            raise NoAnswer("the connection was closed") from error

    def close(self) -> None:
        """Closes the connections that wait for a request. Lambda never calls it: it ends the process."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> socket.socket | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(0):
                return connection
            connection.close()  # readable while nothing was asked: it is closed, or holds what nobody waits for

    def _opened(self) -> socket.socket:
        try:
            plain = socket.create_connection((self._address.name, self._address.port), self._connect)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._context is None:
                plain.settimeout(self._read)
                return plain
            try:
                secure = self._context.wrap_socket(plain, server_hostname=self._address.name)
            except BaseException:
                plain.close()
                raise
            secure.settimeout(self._read)
            return secure
        except (OSError, ValueError) as error:
            raise NoAnswer(f"no connection: {type(error).__name__}") from error

    def _exchange(self, connection: socket.socket, request: bytes) -> RawAnswer:
        try:
            answer, reusable = _exchanged(connection, request)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError | ValueError):
                raise NoAnswer(f"no answer: {type(error).__name__}") from error
            raise
        if reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return answer


def _exchanged(connection: socket.socket, request: bytes) -> tuple[RawAnswer, bool]:
    """The answer to a request, and whether the connection may be used again."""
    try:
        connection.sendall(request)
        received = connection.recv(_RECEIVE_BYTES)
    except (ConnectionError, ssl.SSLEOFError) as error:
        raise _StaleConnection from error
    if not received:
        raise _StaleConnection
    while (end := received.find(b"\r\n\r\n")) < 0:
        if len(received) > MAX_ANSWER_HEAD_BYTES:
            raise ValueError("the answer's head is too long")
        received += _more(connection)
    status, headers = _parsed(received[:end])
    length, rest = int(headers["content-length"]) if "content-length" in headers else -1, received[end + 4 :]
    if length < 0 or "transfer-encoding" in headers or "content-encoding" in headers:
        raise ValueError("the answer's length is not given")
    if len(rest) < length:
        parts, missing = [rest], length - len(rest)
        while missing > 0:
            parts.append(_more(connection))
            missing -= len(parts[-1])
        rest = b"".join(parts)
    if len(rest) != length:
        raise ValueError("more than the answer was sent")
    return RawAnswer(status, headers, rest), headers.get("connection", "").lower() != "close"


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(_RECEIVE_BYTES)
    if not received:
        raise ConnectionResetError("the connection was closed in the middle of an answer")
    return received


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if version != "HTTP/1.1":  # HTTP/1.0 closes each connection, which would be kept here
        raise ValueError("not an answer of HTTP/1.1")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers
