"""I/O, threads and waiting in workflow code are refused, with a word on what to do; the rest is let be."""

import asyncio
import concurrent.futures
import gc
import glob
import linecache
import logging
import logging.handlers
import multiprocessing
import os
import shutil
import smtplib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
import warnings
import weakref
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from stepfast import StepFailed
from stepfast.errors import ForbiddenInWorkflow
from stepfast.replay.replay import Replay
from tests.replay.driver import played, started
from tests.replay.steps import boom, echo


def forbidden(replay: Replay) -> str:
    assert isinstance(replay.error, ForbiddenInWorkflow), replay.error
    return str(replay.error)


def calling(function: Callable[[], Any]) -> Any:
    async def body() -> None:
        function()

    return body


CALLS: dict[str, Callable[[], Any]] = {
    "open": lambda: open("/etc/hostname"),  # noqa: SIM115
    "read_text": lambda: Path("/etc/hostname").read_text(),
    "write": lambda: Path("/tmp/zoneinfo.txt").write_text("x"),
    "os.open": lambda: os.open("/etc/hostname", os.O_RDONLY),
    "listdir": lambda: os.listdir("/tmp"),
    "iterdir": lambda: list(Path("/tmp").iterdir()),
    "glob": lambda: glob.glob("/tmp/*"),
    "mkdir": lambda: Path("/tmp/never-made").mkdir(),
    "remove": lambda: Path("/tmp/never-there").unlink(),
    "rmtree": lambda: shutil.rmtree("/tmp/never-there"),
    "tempfile": tempfile.TemporaryDirectory,
    "sqlite": lambda: sqlite3.connect(":memory:"),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=0.1),
    "resolve": lambda: socket.getaddrinfo("localhost", 80),
    "urlopen": lambda: urllib.request.urlopen("http://127.0.0.1:9"),
    "httpx": lambda: httpx.get("http://127.0.0.1:9"),
    "smtp": lambda: smtplib.SMTP("127.0.0.1", 9),
    "run": lambda: subprocess.run(["true"], check=False),
    "system": lambda: os.system("true"),
    "popen": lambda: os.popen("true"),
    "fork": lambda: os.fork(),
    "process": lambda: multiprocessing.get_context("fork").Process(target=print).start(),
    "thread": lambda: threading.Thread(target=print).start(),
    "timer": lambda: threading.Timer(0, print).start(),
    "pool": lambda: concurrent.futures.ThreadPoolExecutor().submit(print),
    "sleep": lambda: time.sleep(0.001),
    "input": input,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_blocking_call_is_refused(name: str) -> None:
    said = forbidden(started(calling(CALLS[name])))
    assert said.startswith("workflow code called ")
    assert "move the call into a function with @step and await that" in said


def test_a_refused_sleep_says_how_to_wait() -> None:
    assert "to wait, use asyncio.sleep" in forbidden(started(calling(lambda: time.sleep(1))))


AWAITED: dict[str, Callable[[], Any]] = {
    "to_thread": lambda: asyncio.to_thread(print),
    "executor": lambda: asyncio.get_running_loop().run_in_executor(None, print),
    "connection": lambda: asyncio.open_connection("127.0.0.1", 9),
    "server": lambda: asyncio.start_server(print, "127.0.0.1", 0),
    "subprocess": lambda: asyncio.create_subprocess_exec("true"),
    "shell": lambda: asyncio.create_subprocess_shell("true"),
    "getaddrinfo": lambda: asyncio.get_running_loop().getaddrinfo("localhost", 80),
    "reader": lambda: asyncio.get_running_loop().add_reader(0, print),
    "signal": lambda: asyncio.get_running_loop().add_signal_handler(2, print),
    "threadsafe": lambda: asyncio.get_running_loop().call_soon_threadsafe(print),
    "stop": lambda: asyncio.get_running_loop().stop(),
    "httpx": lambda: httpx.AsyncClient().get("http://127.0.0.1:9"),
}


@pytest.mark.parametrize("name", AWAITED)
def test_what_only_a_real_event_loop_can_do_is_refused(name: str) -> None:
    async def body() -> None:
        await AWAITED[name]()

    said = forbidden(started(body))
    assert "workflow code" in said
    assert "@step" in said


def test_a_future_of_another_loop_is_refused() -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()

    async def body() -> None:
        await future

    assert "of another event loop" in forbidden(started(body))
    loop.close()


def test_swallowing_the_refusal_does_not_help() -> None:
    async def body() -> int:
        try:
            open("/etc/hostname")  # noqa: SIM115
        except Exception:
            return await echo(1)
        return 0

    forbidden(started(body))


def test_the_refused_call_is_not_made(tmp_path: Path) -> None:
    started(calling(lambda: (tmp_path / "made").mkdir()))
    started(calling(lambda: (tmp_path / "made").write_text("x")))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "data.txt").write_text("42")
    (tmp_path / "lazily_imported.py").write_text(
        "import colorsys\nfrom pathlib import Path\nVALUE = int((Path(__file__).parent / 'data.txt').read_text())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    return "lazily_imported"


def test_importing_a_module_late_is_allowed_also_one_that_reads_files(module: str) -> None:
    async def body() -> int:
        return int(__import__(module).VALUE)

    assert started(body).result == "42"


def test_time_zones_are_allowed() -> None:
    zoneinfo.ZoneInfo.clear_cache(only_keys=["Asia/Kathmandu"])  # zones are equal by identity: other tests hold some

    async def body() -> str:
        return str(zoneinfo.ZoneInfo("Asia/Kathmandu").key)

    assert started(body).result == '"Asia/Kathmandu"'


def test_warnings_and_tracebacks_may_read_program_text() -> None:
    linecache.clearcache()

    async def body() -> bool:
        try:
            await boom()
        except StepFailed:
            shown = warnings.formatwarning(UserWarning("x"), UserWarning, __file__, 1)
            return "await boom()" in traceback.format_exc() and "I/O" in shown
        return False

    assert played(body).execution.result == "true"


def test_log_handlers_may_write_files(tmp_path: Path) -> None:
    handler = logging.handlers.RotatingFileHandler(tmp_path / "log", maxBytes=60, backupCount=2, delay=True)
    log = logging.Logger("author's")
    log.addHandler(handler)

    async def body() -> int:
        for _ in range(5):
            log.warning("a line of some length, so that the file is soon full")
        return await echo(1)

    assert played(body).execution.result == "1"
    handler.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_finalizers_that_the_collector_runs_may_do_what_they_like(tmp_path: Path) -> None:
    class Holder:
        pass

    async def body() -> int:
        gc.collect()
        return 1

    (tmp_path / "lock").write_text("x")
    holder = Holder()
    holder.me = holder  # type: ignore[attr-defined]
    weakref.finalize(holder, os.remove, tmp_path / "lock")
    del holder
    replay = started(body)
    assert (replay.result, replay.error) == ("1", None)
    assert list(tmp_path.iterdir()) == []


def test_the_same_calls_are_free_outside_workflows_and_in_other_threads() -> None:
    seen: list[str] = []

    async def body() -> int:
        return await echo(1)

    replay = started(body)
    thread = threading.Thread(target=lambda: seen.append(Path(__file__).read_text()[:3]))
    thread.start()
    thread.join()
    replay.close()
    assert seen == ['"""']
    time.sleep(0)


def test_printing_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    started(calling(lambda: print("hello")))
    assert capsys.readouterr().out == "hello\n"
