"""The code of docs/workflows.md about clients and pools, as it stands there."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs" / "workflows.md"


class Prices(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"price": 7}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def catalogue() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Prices) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def code_of(heading: str, monkeypatch: pytest.MonkeyPatch) -> list[types.ModuleType]:
    """The blocks of Python below a heading, each as a module."""
    section = DOCS.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    made = []
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL)):
        module = types.ModuleType(f"docs_block_{number}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(block, f"{DOCS}#{number}", "exec"), module.__dict__)
        made.append(module)
    return made


def test_a_client_and_a_pool_of_a_module(embedded: Any, catalogue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGUE_URL", catalogue)
    client, pooled = code_of("Clients, pools and locks", monkeypatch)
    connected = []

    async def connect_all() -> object:
        await asyncio.sleep(0)
        connected.append(asyncio.get_running_loop())
        return object()

    pooled.__dict__["connect_all"] = connect_all
    from stepfast import step, workflow

    @step
    async def uses_pool(number: int) -> bool:
        return await pooled.pool() is pooled._pool

    @workflow("pooling")
    async def pooling() -> bool:
        return all(await asyncio.gather(*(uses_pool(number) for number in range(20))))

    @step
    async def closes() -> None:
        await client.catalogue.aclose()

    @workflow("closing")
    async def closing() -> None:
        await closes()

    app = embedded(client.price_list, pooling, closing)
    for number in range(4):
        app.start("price-list", ["a", "b", "c"], f"p{number}")
    assert [app.ends(id=f"p{number}").result for number in range(4)] == ["21"] * 4
    assert app.run("pooling").result == "true"
    assert len(connected) == 1
    app.run("closing", None, "end")
