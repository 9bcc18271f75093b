"""A server on loopback that answers requests with given bytes, one after the other: what AWS itself would not send."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from typing import Self

CLOSE = b"\0close"
"""At the end of an answer, or alone: the connection is closed there."""


def answer(body: bytes, status: int = 200) -> bytes:
    """A whole answer with this body."""
    head = f"HTTP/1.1 {status} X\r\nDate: Sun, 29 Nov 2026 04:00:00 GMT\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class RawServer:
    """Answers on any number of connections. pieces: bytes that are sent at a time. context: of TLS, if it has any."""

    def __init__(self, *answers: bytes, pieces: int = 1_000_000, context: ssl.SSLContext | None = None) -> None:
        self._answers, self._pieces, self._context = list(answers), pieces, context
        self.connections, self.bodies = 0, list[bytes]()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    @property
    def requests(self) -> int:
        return len(self.bodies)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            connection.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            if self._context is not None:
                try:
                    connection = self._context.wrap_socket(connection, server_side=True)
                except OSError:
                    connection.close()
                    continue
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while self._receive(connection) and self._answers:
                sent = self._answers.pop(0)
                whole = sent.removesuffix(CLOSE)
                for start in range(0, len(whole), self._pieces):
                    connection.sendall(whole[start : start + self._pieces])
                if sent.endswith(CLOSE):
                    return

    def _receive(self, connection: socket.socket) -> bool:
        """Takes one request whole; False where the other side has closed the connection."""
        received = b""
        while b"\r\n\r\n" not in received:
            try:
                more = connection.recv(65_536)
            except OSError:
                return False
            if not more:
                return False
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        while length is not None and len(body) < int(length[1]):
            body += connection.recv(65_536)
        self.bodies.append(body)
        return True
