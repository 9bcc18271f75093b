"""One process: typed starts, results, signals, lists, steering, and what is refused."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

import stepfast
from stepfast.client import ExecutionFailed
from stepfast.errors import DefinitionError, ExecutionConflict, StartupError, UnknownWorkflow
from stepfast.local.owner_client import OwnerClient
from stepfast.local.owner_file import OwnerFile
from tests.embedded.flows import Order, Receipt, approval, order

pytestmark = pytest.mark.anyio


def engine(path: Path) -> stepfast.Embedded:
    return stepfast.Embedded(path, workflows=[order, approval], durability="process")


async def test_a_start_returns_a_handle_and_the_result_has_the_type_of_the_workflow(tmp_path: Path) -> None:
    async with engine(tmp_path / "app.db") as app:
        handle = await app.start(order, Order(item="tea", count=2), execution_id="o-1")
        assert (handle.execution_id, handle.created) == ("o-1", True)
        assert await handle.result(30) == Receipt(item="tea", total=20)
        again = await app.start(order, Order(item="tea", count=2), execution_id="o-1")
        assert (again.created, await again.status()) == (False, "SUCCEEDED")
        assert app.is_owner


async def test_signals_lists_failures_and_batches(tmp_path: Path) -> None:
    async with engine(tmp_path / "app.db") as app:
        waiting = await app.start(approval, execution_id="a-1")
        await waiting.signal("approved", "yes")
        assert await waiting.result(30) == "yes"
        with pytest.raises(ExecutionFailed, match="no such item"):
            await (await app.start(order, Order(item="broken"))).result(30)
        assert len((await app.dead_letters())["dead_letters"]) == 1
        handles = await app.start_many(stepfast.Start(order, Order(item=str(n)), f"b-{n}") for n in range(200))
        last = handles[-1]
        assert isinstance(last, stepfast.AsyncExecution)
        assert (await last.result(60)).item == "199"
        page = await app.list(workflow="order", prefix="b-", limit=1000)
        assert len(page["executions"]) == 200
        with pytest.raises(ExecutionConflict):
            await app.start(approval, execution_id="b-1")
        with pytest.raises(UnknownWorkflow):
            await app.start("nobody")


async def test_many_waiters_hear_of_the_end_at_once(tmp_path: Path) -> None:
    async with engine(tmp_path / "app.db") as app:
        waiting = await app.start(approval, execution_id="a-1")
        waiters = [asyncio.create_task(app.execution("a-1", approval).result(60)) for _ in range(20)]
        await waiting.signal("approved", "yes")
        assert await asyncio.gather(*waiters) == ["yes"] * 20


async def test_what_was_left_goes_on_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    async with engine(path) as app:
        await app.start(approval, execution_id="a-1")
    async with engine(path) as app:
        waiting = app.execution("a-1", approval)
        await waiting.signal("approved", "later")
        assert await waiting.result(30) == "later"


async def test_it_says_when_it_is_not_open(tmp_path: Path) -> None:
    app = engine(tmp_path / "app.db")
    with pytest.raises(StartupError, match="async with"):
        await app.start(approval)
    for _ in range(2):
        await app.open()
        with pytest.raises(StartupError, match="already"):
            await app.open()
        assert (await app.health())["status"] == "ok"
        await app.close()
    with pytest.raises(StartupError, match="async with"):
        await app.list()
    await app.close()


async def test_a_second_engine_of_the_process_goes_through_the_first_and_takes_over(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    async with engine(path) as first:
        second = await engine(path).open()
        assert (first.is_owner, second.is_owner) == (True, False)
        handle = await second.start(order, Order(item="tea"), execution_id="o-1")
        assert (await handle.result(30)).total == 10
        waiting = await second.start(approval, execution_id="a-1")
    await waiting.signal("approved", "yes")
    assert await waiting.result(30) == "yes"
    assert second.is_owner
    await second.close()
    assert not Path(f"{path}.owner").exists()


async def test_the_port_of_the_owner_asks_for_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    async with engine(path), httpx.AsyncClient() as stranger:
        address = OwnerFile(path).read()
        assert address is not None
        assert (await stranger.get(f"{address.url}/v1/executions")).status_code == 401
        wrong = {"Authorization": "Bearer guessed"}
        assert (await stranger.post(f"{address.url}/v1/executions/batch", headers=wrong, json={})).status_code == 401


async def test_another_program_on_the_port_of_a_dead_owner_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    foreign = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    serving = threading.Thread(target=foreign.serve_forever)
    serving.start()
    try:
        OwnerFile(path).write(foreign.server_port, "old-secret")
        address, client = OwnerFile(path).read(), OwnerClient()
        assert address is not None
        assert not client.answers(address)
        client.close()
        async with engine(path) as app:
            assert app.is_owner
    finally:
        foreign.shutdown()
        serving.join()
        foreign.server_close()


async def test_the_logging_of_the_application_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("uvicorn.error")
    before = logger.level
    with caplog.at_level(logging.INFO):
        async with engine(tmp_path / "app.db"):
            assert logger.level == before
    assert not [record for record in caplog.records if record.name == "uvicorn.error"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
async def test_the_secret_of_the_owner_is_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    async with engine(path):
        assert stat.S_IMODE(Path(f"{path}.owner").stat().st_mode) == 0o600


async def test_a_file_whose_owner_does_not_share_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stepfast.language.registry import Registry
    from stepfast.local import shared_home
    from stepfast.local.runtime import Runtime

    path = tmp_path / "app.db"
    monkeypatch.setattr(shared_home, "OPENING_SECONDS", 0.0)
    runtime = Runtime(Registry([order]), path, durability="process")
    with runtime, pytest.raises(StartupError, match="does not share it"):
        await engine(path).open()


def test_two_workflows_of_one_name_are_refused(tmp_path: Path) -> None:
    @stepfast.workflow("order")
    async def other() -> None: ...

    with pytest.raises(DefinitionError, match="two workflows are named 'order'"):
        stepfast.Embedded(tmp_path / "app.db", workflows=[order, other])


def test_the_engine_is_imported_when_it_is_asked_for_only() -> None:
    program = "import sys, stepfast; stepfast.AsyncClient; print({'stepfast.local', 'sqlite3'} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
