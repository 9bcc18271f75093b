"""The programs of docs/library.md run as they stand."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from stepfast import Client
from stepfast.cli.app import app
from stepfast.http.api import build
from stepfast.http.server import listen
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.http.serving import served
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")
PROGRAMS = {
    code.split("\n", 1)[0].removeprefix("# "): code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The programs as modules of an empty folder, which is the current folder."""
    for name, code in PROGRAMS.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield
    for name in PROGRAMS:
        sys.modules.pop(name.removesuffix(".py"), None)


def program(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.mark.usefixtures("programs")
def test_the_page_has_these_programs() -> None:
    assert list(PROGRAMS) == ["shop.py", "web.py", "remote.py", "plain.py"]


@pytest.mark.usefixtures("programs")
def test_the_script_prints_the_total_and_again_when_it_is_repeated() -> None:
    for _ in range(2):
        assert asyncio.run(program("shop").main()) == 60


@pytest.mark.usefixtures("programs")
def test_the_web_application_takes_orders_and_serves_the_api_below_a_path() -> None:
    web = program("web")

    async def main() -> None:
        transport = httpx.ASGITransport(web.app)
        async with (
            web.lifespan(web.app),
            httpx.AsyncClient(transport=transport, base_url="http://shop.example") as shop,
        ):
            assert (await shop.post("/orders/o-1", json={"item": "tea", "count": 2})).json() == {"id": "o-1"}
            assert (await shop.post("/orders/o-1/approval")).status_code == 202
            assert (await shop.get("/orders/o-1")).json() == {"item": "tea", "total": 120}
            assert (await shop.get("/stepfast/v1/executions")).status_code == 401
            listed = await shop.get("/stepfast/v1/executions", headers={"x-api-key": "change-me"})
            assert [shown["execution_id"] for shown in listed.json()["executions"]] == ["o-1"]
            assert (await shop.get("/stepfast/openapi.json", headers={"x-api-key": "change-me"})).status_code == 200

    asyncio.run(main())


@pytest.mark.usefixtures("programs")
def test_behind_a_real_server_clients_and_the_command_line_reach_the_mounted_engine() -> None:
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(program("web").app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started)
        with Client(f"{url}/stepfast", "change-me") as client:
            assert client.run("order", {"item": "tea"}, "o-1").result(30) == {"item": "tea", "total": 60}
        ran = CliRunner().invoke(app, ["--url", f"{url}/stepfast", "--api-key", "change-me", "list", "--json"])
        assert [shown["execution_id"] for shown in json.loads(ran.stdout)["executions"]] == ["o-1"]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.mark.usefixtures("programs")
def test_the_client_orders_many() -> None:
    registry = Registry([program("shop").order])
    runtime = Runtime(registry, Path("remote.db"), durability="process")
    with runtime, served(build(runtime.operations, registry, runtime.call)) as url:
        assert asyncio.run(program("remote").order_many(url, ["tea", "ink", "tea/bad"])) == [60, 60]


@pytest.mark.usefixtures("programs")
def test_a_workflow_is_still_a_function() -> None:
    assert program("plain").try_it().total == 60
