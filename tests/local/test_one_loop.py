"""`async` steps share one event loop, so that clients, pools and locks of a module work from all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import httpx
import pytest

from stepfast import step, workflow
from tests.waiting import until

WIDTH = 15


class Slowly(BaseHTTPRequestHandler):
    """Answers each request after a moment, over connections that stay open."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Slowly) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


class Database:
    """As drivers for asyncio are made: connections are opened once, kept, and waited for by who finds none free."""

    def __init__(self, size: int) -> None:
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._size, self._lock = size, asyncio.Lock()
        self._server: asyncio.Server | None = None
        self.opened = 0

    async def ask(self, text: str) -> str:
        async with self._lock:
            if self._server is None:
                self._server = await asyncio.start_server(_echo, "127.0.0.1", 0)
                for _ in range(self._size):
                    self.opened += 1
                    address = self._server.sockets[0].getsockname()
                    self._free.put_nowait(await asyncio.open_connection(*address))
        reader, writer = await self._free.get()
        try:
            writer.write(f"{text}\n".encode())
            return (await reader.readline()).decode().strip()
        finally:
            self._free.put_nowait((reader, writer))

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        while not self._free.empty():
            self._free.get_nowait()[1].close()


def test_a_client_a_pool_and_locks_of_a_module_work_from_many_steps_at_once(embedded: Any, server: str) -> None:
    client = httpx.AsyncClient(base_url=server, limits=httpx.Limits(max_connections=2), trust_env=False)
    database, lock, gate, tokens = Database(2), asyncio.Lock(), asyncio.Semaphore(2), anyio.CapacityLimiter(2)
    loops = set()

    @step
    async def uses_all(number: int) -> int:
        loops.add(asyncio.get_running_loop())
        async with gate, tokens:
            assert (await client.get("/")).text == "ok"
            assert await database.ask(str(number)) == str(number)
        async with lock:
            await asyncio.sleep(0)
        return number

    @step
    async def closes() -> None:
        await client.aclose()
        await database.close()

    @workflow("many")
    async def many() -> int:
        return sum(await asyncio.gather(*(uses_all(number) for number in range(WIDTH))))

    @workflow("chain")
    async def chain() -> int:
        return sum([await uses_all(number) for number in range(5)])

    @workflow("end")
    async def end() -> None:
        await closes()

    app = embedded(many, chain, end)
    ids = [f"{name}{number}" for name in ("many", "chain") for number in range(4)]
    for id in ids:
        app.start(id[:-1], None, id)
    for id in ids:
        app.ends(id=id)
        assert {record.attempt for record in app.records(id).values()} == {1}
    assert len(loops) == 1
    assert database.opened == 2
    app.run("end", None, "end")


def test_after_a_block_steps_run_on_the_loop_where_the_clients_live_again(embedded: Any) -> None:
    release = threading.Event()
    loops: dict[str, asyncio.AbstractEventLoop] = {}

    @step
    async def notes(key: str) -> None:
        loops[key] = asyncio.get_running_loop()

    @step(timeout=3600)
    async def blocks() -> None:
        release.wait(60)

    @workflow("noting")
    async def noting(key: str) -> None:
        await notes(key)

    @workflow("blocking")
    async def blocking() -> None:
        await blocks()

    app = embedded(noting, blocking, blocked=0.2)
    app.run("noting", "before", "before")
    app.start("blocking", None, "b")
    until(lambda: any(thread.blocked_at for thread in app.runtime.pool.threads))
    app.run("noting", "meanwhile", "meanwhile")
    release.set()
    app.ends(id="b")
    until(lambda: not any(thread.blocked_at for thread in app.runtime.pool.threads))
    app.run("noting", "after", "after")
    assert loops["before"] is loops["after"]
    assert loops["meanwhile"] is not loops["before"]


def test_def_steps_and_workflows_go_on_while_an_async_step_blocks_for_less_than_the_patience(embedded: Any) -> None:
    release = threading.Event()

    @step(timeout=3600)
    async def blocks() -> int:
        release.wait(60)
        return 1

    @step
    def plain(number: int) -> int:
        return number

    @workflow("blocking")
    async def blocking() -> int:
        return await blocks()

    @workflow("plain")
    async def plainly() -> int:
        return await plain(1) + sum(await asyncio.gather(plain(2), plain(3)))

    app = embedded(blocking, plainly, blocked=60.0)
    app.start("blocking", None, "b")
    until(lambda: app.records("b"))
    assert app.run("plain", None, "p").result == "6"
    assert app.read("b").status == "RUNNING"
    release.set()
    assert app.ends(id="b").result == "1"


def test_more_async_steps_wait_at_once_than_one_thread_has_places_for(embedded: Any) -> None:
    """The thread that leads may have all of the runtime's places in hand."""
    together = asyncio.Event()
    waiting = set[int]()

    @step(timeout=60)
    async def meets(number: int) -> int:
        waiting.add(number)
        if len(waiting) == 200:
            together.set()
        await together.wait()
        return number

    @workflow("meeting")
    async def meeting() -> int:
        return len(await asyncio.gather(*(meets(number) for number in range(200))))

    assert embedded(meeting).run("meeting").result == "200"
