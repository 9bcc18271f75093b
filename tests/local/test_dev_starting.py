"""How `stepfast dev` starts and ends, and what it says when it cannot."""

from __future__ import annotations

import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stepfast.http.page import DashboardPage
from stepfast.local.dev import say_ready
from tests.local.dev_process import Dev

pytestmark = pytest.mark.slow

WORKFLOW = """
from stepfast import step, workflow

@step
def work(n: int) -> int:
    return n

@workflow("simple")
async def simple(n: int) -> int:
    return await work(n)
"""


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "made.py").write_text(WORKFLOW)
    made = Dev(tmp_path)
    yield made
    made.end()
    made.http.close()


def refused(dev: Dev, *options: str) -> str:
    """Starts it, which must fail with one line on standard error; returns the line."""
    dev.start(*options)
    assert dev.ready == ""
    status, errors = dev.end()
    assert status == 2
    assert len(errors.strip().splitlines()) == 1, errors
    return errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_when_it_is_ready_and_ends_cleanly(dev: Dev, number: signal.Signals) -> None:
    dev.start()
    assert dev.ready.startswith("stepfast is ready at http://127.0.0.1:")
    assert "simple" in dev.ready
    assert dev.http.get("/v1/health").json()["status"] == "ok"
    status, errors = dev.end(number)
    assert status == 0
    assert "Traceback" not in errors


def test_where_the_page_is_not_built_it_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_ready("http://127.0.0.1:1", "simple", DashboardPage(tmp_path))
    printed = capsys.readouterr()
    (ready,), (hint,) = printed.out.splitlines(), printed.err.splitlines()
    assert ready == "stepfast is ready at http://127.0.0.1:1 (simple)"
    assert "make dashboard" in hint
    (tmp_path / "index.html").touch()
    say_ready("http://127.0.0.1:1", "simple", DashboardPage(tmp_path))
    assert capsys.readouterr().out.splitlines() == [ready]


def test_a_second_one_on_the_same_file_is_refused(dev: Dev, tmp_path: Path) -> None:
    dev.start()
    other = Dev(tmp_path)
    assert "in use by another stepfast" in refused(other)
    assert dev.http.get("/v1/health").status_code == 200


def test_a_port_in_use_is_refused(dev: Dev) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        errors = refused(dev, "--port", str(taken.getsockname()[1]))
    assert "cannot listen on 127.0.0.1" in errors
    assert "--port" in errors


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com"])
def test_without_api_keys_it_listens_on_loopback_only(dev: Dev, host: str) -> None:
    assert "STEPFAST_API_KEYS" in refused(dev, "--host", host)


def test_a_workflows_folder_with_a_syntax_error_is_refused_with_the_line(dev: Dev) -> None:
    (dev.folder / "workflows" / "broken.py").write_text("x = 1\ndef f(:\n")
    errors = refused(dev)
    assert "broken.py, line 2" in errors


def test_a_missing_workflows_folder_is_refused(dev: Dev) -> None:
    assert "no workflows folder" in refused(dev, "--workflows", "nowhere")


def test_a_file_of_a_newer_version_is_refused(dev: Dev) -> None:
    dev.start()
    dev.end(signal.SIGINT)
    with closing(sqlite3.connect(dev.folder / "dev.db")) as db, db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "newer stepfast" in refused(dev)


def test_with_api_keys_every_route_wants_one(dev: Dev) -> None:
    dev.environment["STEPFAST_API_KEYS"] = "first-key,second-key"
    dev.start("--host", "0.0.0.0")
    dev.http.base_url = f"http://127.0.0.1:{dev.http.base_url.port}"
    assert dev.http.get("/v1/executions").status_code == 401
    assert dev.http.get("/v1/executions", headers={"x-api-key": "wrong"}).status_code == 401
    assert dev.http.get("/v1/executions", headers={"x-api-key": "second-key"}).status_code == 200
    assert dev.http.get("/v1/executions", headers={"Authorization": "Bearer first-key"}).status_code == 200


def test_the_weaker_durability_runs_too(dev: Dev) -> None:
    dev.start("--durability", "process")
    assert dev.run("simple", 3).status_code == 201
    dev.kill()
    dev.start("--durability", "process")
    assert dev.show()["workflow"] == "simple"
