"""Code that blocks a worker thread's event loop: other threads do the rest, and nothing of what it did is lost."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepfast import GiveUp, Retry, current_step, step, workflow
from stepfast.local import workers
from stepfast.local.workers import OwnTime
from tests.waiting import until

THREE_QUICK_ATTEMPTS = Retry(max_attempts=3, initial=0.01, jitter="none")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@step
async def works() -> int:
    return 1


@workflow("working")
async def working() -> int:
    return await works()


def blocked(app: Any) -> int:
    return sum(thread.blocked_at is not None for thread in app.runtime.pool.threads)


def test_async_steps_that_block_every_worker_do_not_stop_other_executions(
    embedded: Any, release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    begun = threading.Semaphore(0)

    @step(timeout=3600)
    async def blocks() -> str:
        begun.release()
        release.wait(60)
        return "at last"

    @workflow("blocking")
    async def blocking() -> str:
        return await blocks()

    app = embedded(blocking, working, blocked=0.3)
    for number in range(3):
        app.start("blocking", None, f"b{number}")
        assert begun.acquire(timeout=20)
    assert app.run("working", None, "w").result == "1"
    release.set()
    for number in range(3):
        assert app.ends(id=f"b{number}").result == '"at last"'
        assert app.records(f"b{number}")["blocks"].attempt == 1
    assert "must be a `def`" in caplog.text
    assert "threading.py" in caplog.text
    assert "test_runtime_blocked.py" in caplog.text


def test_workflow_code_that_blocks_costs_its_thread_and_not_the_others(
    embedded: Any, release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow("circling")
    async def circling() -> str:
        release.wait(60)
        return "done"

    app = embedded(circling, working, blocked=0.3)
    app.start("circling", None, "c0")
    app.start("circling", None, "c1")
    until(lambda: blocked(app) == 2)
    assert app.run("working", None, "w").result == "1"
    release.set()
    assert app.ends(id="c0").result == app.ends(id="c1").result == '"done"'
    assert "in workflow code" in caplog.text


async def _at_once(wait: Any) -> None:
    wait()


async def _after_a_turn(wait: Any) -> None:
    await asyncio.sleep(0.001)
    wait()


async def _in_a_task(wait: Any) -> None:
    async def inner() -> None:
        wait()

    await asyncio.create_task(inner())


@pytest.mark.parametrize("block", [_at_once, _after_a_turn, _in_a_task])
@pytest.mark.parametrize("siblings", [1, 3])
def test_what_becomes_of_a_step_that_had_blocked_its_thread_is_carried_out(
    embedded: Any, release: threading.Event, block: Any, siblings: int
) -> None:
    """A retry, a success and a failure: none of them waits for a lease, a sweep or a restart."""

    @step(timeout=3600, retry=THREE_QUICK_ATTEMPTS)
    async def once_more(number: int) -> int:
        if current_step().attempt == 1:
            await block(lambda: release.wait(60))
            raise ConnectionError("try again")
        return current_step().attempt

    @step(timeout=3600)
    async def gives_up() -> None:
        await block(lambda: release.wait(60))
        raise GiveUp("no use")

    @workflow("retrying")
    async def retrying() -> int:
        return sum(await asyncio.gather(*(once_more(number) for number in range(siblings))))

    @workflow("failing")
    async def failing() -> None:
        await gives_up()

    app = embedded(retrying, failing, blocked=0.2)
    app.start("retrying", None, "r")
    until(lambda: blocked(app) >= 1)
    app.start("failing", None, "f")
    until(lambda: blocked(app) >= 2)
    release.set()
    assert app.ends(id="r").result == str(2 * siblings)
    assert app.ends("FAILED", id="f").error.type == "GiveUp"
    assert {record.interrupted for record in app.records("r").values()} == {0}


def test_threads_that_had_been_blocked_free_their_place_however_often_that_happens(embedded: Any) -> None:
    gates: dict[str, threading.Event] = {
        str(number): threading.Event() for number in range(2 * workers.MAX_EXTRA_THREADS)
    }

    @step(timeout=3600)
    async def blocks(gate: str) -> str:
        gates[gate].wait(60)
        return gate

    @workflow("blocking")
    async def blocking(gate: str) -> str:
        return await blocks(gate)

    app = embedded(blocking, working, blocked=0.05)
    for gate, event in gates.items():
        app.start("blocking", gate, gate)
        until(lambda: blocked(app) == 1)
        event.set()
        app.ends(id=gate)
        until(lambda: blocked(app) == 0)
    until(lambda: len(app.runtime.pool.threads) == 2)
    assert app.run("working", None, "w").result == "1"


def test_with_all_threads_blocked_it_says_so_and_goes_on_watching(
    embedded: Any, release: threading.Event, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "MAX_EXTRA_THREADS", 2)

    @step(timeout=3600)
    async def blocks() -> None:
        release.wait(60)

    @workflow("blocking")
    async def blocking() -> None:
        await blocks()

    app = embedded(blocking, working, blocked=0.1)
    for number in range(4):
        app.start("blocking", None, f"b{number}")
        until(lambda number=number: blocked(app) == number + 1)
    app.start("working", None, "w")
    until(lambda: "all 4 worker threads are blocked" in caplog.text)
    assert "in blocks" in caplog.text.partition("all 4 worker threads")[2]
    assert app.read("w").status == "RUNNING"
    release.set()
    assert app.ends(id="w").result == "1"
    until(lambda: len(app.runtime.pool.threads) == 2)
    release.clear()
    app.start("blocking", None, "again")
    until(lambda: blocked(app) == 1)


def test_a_gap_in_the_watchs_own_time_counts_as_little() -> None:
    own = OwnTime(100.0, most=2.0)
    assert [own.at(now) for now in (101.0, 102.0, 177.0, 178.0)] == [1.0, 2.0, 4.0, 5.0]


PAUSED = """
import logging, sys, threading, time
from pathlib import Path
from stepfast import step, workflow
from stepfast.local.runtime import Runtime
from stepfast.language.registry import Registry

logging.basicConfig(level=logging.INFO)

@step
async def works() -> int:
    return 1

@workflow("working")
async def working() -> int:
    return await works()

with Runtime(Registry([working]), Path(sys.argv[1]), blocked=0.4) as runtime:
    print("ready", flush=True)
    sys.stdin.readline()
    runtime.call(runtime.operations.start("working", None, "one"))
    while runtime.call(runtime.operations.read("one")).status == "RUNNING":
        time.sleep(0.01)
    print(len(runtime.pool.threads), flush=True)
"""


def test_a_pause_of_the_whole_process_is_no_blocked_thread(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PAUSED, str(tmp_path / "a.db")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(3):
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.8)  # a pause of the process cannot be simulated: it lasts twice the patience
            process.send_signal(signal.SIGCONT)
            time.sleep(0.1)
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2\n"
        assert "has been blocked" not in process.stderr.read()


def test_a_thread_busy_in_stepfasts_own_code_is_not_blamed_on_the_user(
    embedded: Any, release: threading.Event, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app = embedded(working, blocked=0.2)
    real = app.runtime._backend._file._commit
    held = threading.Event()

    def slow_disk(batch: Any) -> None:
        if threading.current_thread().name.startswith("stepfast-worker") and not held.is_set():
            held.set()
            release.wait(60)
        real(batch)

    monkeypatch.setattr(app.runtime._backend._file, "_commit", slow_disk)
    app.start("working", None, "w")
    until(lambda: blocked(app) >= 1)
    release.set()
    assert app.ends(id="w").result == "1"
    assert "must be a `def`" not in caplog.text
    assert "must not compute" not in caplog.text
