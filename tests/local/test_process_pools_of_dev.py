"""Processes of pools by the settings of `stepfast dev`: they end with their server, and the API says how they died."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.dev_process import STEPFAST, Dev
from tests.local.test_process_pools import alive
from tests.waiting import until

WORKFLOWS = """
import os, sys, time
from pathlib import Path
from stepfast import step, workflow

TRACES = Path(os.environ["TRACES"])

def note(name):
    (TRACES / "part").write_text(f"{os.getpid()} {sys.prepared}")
    (TRACES / "part").rename(TRACES / name)

@step(pool="cpu", timeout=3600)
def waits(n: int) -> int:
    note("begun")
    while not (TRACES / "open").exists():
        time.sleep(0.002)
    return n

@workflow("waiting")
async def waiting(n: int) -> int:
    return await waits(n)
"""
SETTINGS = """
[tool.stepfast.pools.cpu]
processes = 1
max_concurrency = 2
memory = 512
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "waits.py").write_text(WORKFLOWS)
    (folder / "prepares.py").write_text("import sys\nsys.prepared = 'prepared'\n")
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def dev(project: Path) -> Iterator[Dev]:
    made = Dev(project, TRACES=str(project))
    yield made
    made.end()
    made.http.close()


def begun(project: Path) -> int:
    """Waits until the step has begun. Returns the id of its process, which has imported what the server has."""
    until((project / "begun").exists)
    pid, prepared = (project / "begun").read_text().split()
    assert prepared == "prepared"
    (project / "begun").unlink()
    return int(pid)


def test_no_process_is_left_when_the_server_is_killed(project: Path, dev: Dev) -> None:
    dev.start()
    server = dev.process.pid  # type: ignore[union-attr]
    dev.run("waiting", 7)
    pid = begun(project)
    assert pid != server
    dev.kill()
    until(lambda: not alive(pid), what="the end of the process")


def test_the_death_of_a_process_is_shown_with_its_cause(project: Path, dev: Dev) -> None:
    dev.start()
    dev.run("waiting", 7)
    os.kill(begun(project), signal.SIGKILL)
    second = begun(project)
    (project / "open").touch()
    until(lambda: dev.show()["status"] == "SUCCEEDED")
    command = dev.show()["commands"][0]
    assert (command["attempt"], command["status"]) == (2, "SUCCEEDED")
    cause = command["attempts"][0]["error"]
    assert cause["type"] == "StepInterrupted"
    assert "pool 'cpu' was ended by SIGKILL, likely because it was out of memory" in cause["message"]
    history = dev.http.get("/v1/executions/one/history").json()
    assert "attempt-interrupted" in [event["type"] for event in history["events"]]
    show = [STEPFAST, "--url", str(dev.http.base_url), "show", "one"]
    shown = subprocess.run(show, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "240"})
    assert "interrupted: the process" in shown.stdout
    status, errors = dev.end(signal.SIGTERM)
    assert status == 0
    assert "attempt 1 was cut off: the process" in errors
    assert "without effect here: pools.cpu.memory" in errors
    assert not alive(second)
