"""How soon an event reaches a page that watches: `python -m bench.watching`.

The time from the write of a change to its arrival at a client of the event stream, beside that of a bare echo: an
application that does nothing but send a line to its stream, on the same server, in the same run. What counts is the
ratio of the two medians.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from stepfast import signal, workflow
from stepfast.engine.observed import StoreListener
from stepfast.http.api import build
from stepfast.http.server import Server, listen
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

EVENTS = 40
"""An execution of so many records is what a page commonly watches."""
PAUSE_SECONDS = 0.02
TARGET = 2.0
HOST = "127.0.0.1"


@workflow("watched")
async def watched() -> None:
    while True:
        await signal("go")


class Stamps(StoreListener):
    """When the first change after `arm` was written."""

    def __init__(self) -> None:
        self.first: float | None = None

    def on_changed(self, execution_id: str) -> None:
        if self.first is None:
            self.first = time.perf_counter()


class Stream:
    """A client of a stream on a socket of its own."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n\r\n"
        self._socket.sendall(head.encode())
        self.quiet()

    def arrival(self) -> float:
        """When the next event has come."""
        while b"data:" not in self._socket.recv(65536):
            pass
        return time.perf_counter()

    def quiet(self) -> None:
        """Reads until nothing has come for a while."""
        self._socket.settimeout(0.1)
        try:
            while self._socket.recv(65536):
                pass
        except TimeoutError:
            self._socket.settimeout(10)

    def close(self) -> None:
        self._socket.close()


def times(stream: Stream, happen: Callable[[], None], written: Callable[[], float]) -> list[float]:
    """Seconds that events took. happen: makes one. written: when it was written."""
    taken = []
    for _ in range(EVENTS):
        happen()
        arrived = stream.arrival()
        taken.append(arrived - written())
        stream.quiet()
        time.sleep(PAUSE_SECONDS)
    return taken


@contextmanager
def bare() -> Iterator[tuple[int, Callable[[], None], Callable[[], float]]]:
    """The bare echo: its port, what sends one line, and when that was sent."""
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    sent = [0.0]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        event = asyncio.Event()
        loops.append((asyncio.get_running_loop(), event))
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while not server.should_exit:
            await event.wait()
            event.clear()
            await send({"type": "http.response.body", "body": b"event: echo\ndata: {}\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
    listener = listen(HOST, 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def happen() -> None:
        loop, event = loops[-1]
        sent[0] = time.perf_counter()
        loop.call_soon_threadsafe(event.set)

    yield listener.getsockname()[1], happen, lambda: sent[0]
    server.should_exit = True
    happen()  # the application ends with this line
    thread.join(5)


def run() -> tuple[list[float], list[float]]:
    """The times of the bare echo, and those of the stream of an execution."""
    with bare() as (port, happen, written):
        echo = Stream(port, "/")
        alone = times(echo, happen, written)
        echo.close()
    stamps, registry = Stamps(), Registry([watched])
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(registry, Path(folder) / "bench.db", listeners=[stamps])
        handler = build(runtime.operations, registry, runtime.call, None, ends=runtime.ends)
        server = Server(handler, listener := listen(HOST, 0))
        thread = threading.Thread(target=server.run)
        thread.start()
        runtime.call(runtime.operations.start("watched", None, "one"))
        time.sleep(1.0)
        stream = Stream(listener.getsockname()[1], "/v1/executions/one/events")

        def signalled() -> None:
            stamps.first = None
            runtime.call(runtime.operations.signal("one", "go", None))

        watching = times(stream, signalled, lambda: stamps.first or 0.0)
        stream.close()
        server.stop()
        thread.join()
        runtime.close()
    return alone, watching


def main() -> int:
    """Prints the figures; 1 if the target is missed."""
    alone, watching = run()
    for name, taken in (("bare echo", alone), ("event stream", watching)):
        print(f"{name:<14} median {statistics.median(taken) * 1000:6.2f} ms, of {len(taken)}")
    ratio = statistics.median(watching) / statistics.median(alone)
    print(f"ratio {ratio:.2f}, at most {TARGET:g}: {'met' if ratio <= TARGET else 'missed'}")
    return ratio > TARGET


if __name__ == "__main__":
    sys.exit(main())
