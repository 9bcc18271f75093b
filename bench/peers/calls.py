"""The HTTP call of a report: a server of its own process that answers after 20 ms, and the call itself.

Of every tenth report the first call is answered 503, and the next one 200. The server runs on the same cores as the
engine that is measured, and does the same for each of them. Standard library only.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CALL_SECONDS = 0.02
FAILS = 10
"""One report in so many has a call that fails at its first try."""
PORT = "BENCH_PEERS_CALLS"
"""The variable that holds the server's port."""
ROOM = 1024
"""Connections that may wait to be accepted."""


@contextmanager
def serving() -> Iterator[None]:
    """Runs the server, and says its port to this process and those that it starts."""
    command = [sys.executable, "-m", "bench.peers.calls"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.environ[PORT] = server.stdout.readline().strip()
        try:
            yield
        finally:
            del os.environ[PORT]
            server.terminate()


async def call_out(number: int, total: int) -> int:
    """Sends the total and returns what comes back. Raises ConnectionError for another answer than 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ[PORT]))
    try:
        writer.write(f"GET /{number}/{total} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
    if head.split()[1] != "200":
        raise ConnectionError("the call was not answered")
    return int(body)


async def _serve() -> None:
    failed: set[str] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        _, number, total = request.split()[1].split("/")
        await asyncio.sleep(CALL_SECONDS)
        status = "200 OK"
        if int(number) % FAILS == 0:
            failed.symmetric_difference_update({number})
            status = "503 Service Unavailable" if number in failed else status
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(total)}\r\nConnection: close\r\n\r\n{total}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=ROOM)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
