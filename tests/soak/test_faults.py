"""Under load: a disk that fills up, a file that another process locks, ten thousand executions that wait."""

from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.local.dev_process import Dev
from tests.soak.soak import WORKFLOWS, Soak
from tests.soak.workflows import soaking
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WAITING = 10_000
SOME = range(0, WAITING, WAITING // 20)


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    made = Soak(tmp_path, 1)
    yield made
    made.unload()
    made.close()


def grows(soak: Soak, by: int = 20) -> None:
    """Waits until the server has taken more executions."""
    before = started(soak)
    until(lambda: started(soak) >= before + by, 60.0)


FULL = 65_536
"""Bytes up to which a process on a full disk may write: SQLite's log is longer than that from the start."""


def started(soak: Soak) -> int:
    return sum(one.started for one in list(soak.account.executions.values()))


def kept(soak: Soak) -> None:
    soak.unload()
    report = soak.report()
    assert not report.violations, "\n".join(report.violations[:10])
    print(report)


def test_a_full_disk_promises_nothing_and_loses_nothing(soak: Soak) -> None:
    """Almost every write of the process fails: 503 until it is started with room again."""
    soak.start()
    soak.load()
    grows(soak)
    assert soak.dev.process is not None
    pid = soak.dev.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, resource.RLIM_INFINITY))
    until(lambda: soak.account.answers["503"] >= 20, 60.0)
    assert soak.dev.process.poll() is None, "the server must outlive a full disk"
    assert soak.dev.http.get("/v1/health").status_code == 200
    soak.end(signal.SIGKILL)
    soak.start()
    grows(soak)
    kept(soak)


def test_a_disk_that_gets_room_again_needs_no_restart(soak: Soak) -> None:
    soak.start()
    soak.load()
    grows(soak)
    assert soak.dev.process is not None
    pid = soak.dev.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, resource.RLIM_INFINITY))
    until(lambda: soak.account.answers["503"] >= 20, 60.0)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    grows(soak)
    kept(soak)


@pytest.mark.parametrize("seconds", [2.0, 8.0])
def test_a_file_that_another_process_locks_is_waited_for_or_answered_with_503(
    soak: Soak, tmp_path: Path, seconds: float
) -> None:
    soak.start()
    soak.load()
    grows(soak)
    other = sqlite3.connect(tmp_path / "dev.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    other.execute("ROLLBACK")
    other.close()
    grows(soak)
    # SQLite's own patience is 5 s; after that it depends on who waited for the file first.
    assert seconds > 5.0 or soak.account.answers["503"] == 0
    kept(soak)


@pytest.mark.timeout(600)
def test_ten_thousand_waiting_executions_are_there_after_a_restart(tmp_path: Path) -> None:
    """Half of them wait for a signal, half for a timer."""
    _fill(tmp_path / "dev.db")
    dev = Dev(tmp_path, SOAK_TRACE="/dev/null")
    try:
        _seconds_to_answer(dev)
        _signal_some(dev)
        for number in SOME:
            until(partial(_has_ended, dev, f"waiting-{number}"))
    finally:
        dev.end()
        dev.http.close()


@pytest.mark.timing
@pytest.mark.timeout(600)
def test_ten_thousand_waiting_executions_do_not_delay_a_restart(tmp_path: Path) -> None:
    """Measured from the process's start to its first answer, beside a file without executions."""

    def best_of_two(dev: Dev) -> float:
        first = _seconds_to_answer(dev)
        dev.kill()
        return min(first, _seconds_to_answer(dev))

    (tmp_path / "empty").mkdir()
    empty, full = (Dev(folder, SOAK_TRACE="/dev/null") for folder in (tmp_path / "empty", tmp_path))
    try:
        _fill(tmp_path / "dev.db")
        without = best_of_two(empty)
        taken = best_of_two(full)
        slowest = _signal_some(full)  # while the sweep goes over all of them
    finally:
        for dev in (empty, full):
            dev.end()
            dev.http.close()
    print(
        f"ready after {taken:.2f} s with {WAITING} waiting, {without:.2f} s with none; slowest answer {slowest:.2f} s"
    )
    assert taken < 3 * without + 1.0
    assert slowest < 3.0


def _seconds_to_answer(dev: Dev) -> float:
    """Starts the server. Returns the seconds until it has answered and started an execution."""
    began = time.monotonic()
    dev.start("--workflows", str(WORKFLOWS))
    assert dev.http.get("/v1/health").status_code == 200
    assert dev.run("sequence", 3, f"new-{began}").status_code == 201
    return time.monotonic() - began


def _signal_some(dev: Dev) -> float:
    """Signals the executions of SOME. Returns the seconds of the slowest answer."""
    slowest = 0.0
    for number in SOME:
        began = time.monotonic()
        sent = dev.http.post(f"/v1/executions/waiting-{number}/signals/never", json={"payload": 7})
        assert sent.status_code == 202
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def _has_ended(dev: Dev, id: str) -> bool:
    return bool(dev.show(id)["result"] == 7)


def _fill(path: Path) -> None:
    """Starts the executions in this process, which is quicker than over HTTP, and lets them come to their wait."""
    registry = Registry([soaking.waiting, soaking.sleeping])
    with Runtime(registry, path, durability="process") as runtime:

        async def start(number: int) -> None:
            kind = "waiting" if number % 2 == 0 else "sleeping"
            await runtime.operations.start(kind, None, f"waiting-{number}")

        async def start_all() -> None:
            for first in range(0, WAITING, 500):
                await asyncio.gather(*(start(number) for number in range(first, first + 500)))

        runtime.call(start_all())
        until(lambda: _has_advanced(runtime), 300.0)


def _has_advanced(runtime: Runtime) -> bool:
    """Whether no advance is left to be made. Commits what was left to the next commit."""
    runtime._backend.flush()
    return not runtime._backend.outstanding()[1]
