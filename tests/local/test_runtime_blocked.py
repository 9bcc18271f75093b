"""Code that blocks a worker thread's event loop: the thread is replaced, and everything else goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stepfast import step, workflow
from tests.local.conftest import until


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


def test_async_steps_that_block_every_worker_do_not_stop_other_executions(
    embedded: Any, release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = threading.Semaphore(0)

    @step(timeout=3600)
    async def blocks() -> str:
        blocked.release()
        release.wait(60)
        return "at last"

    @workflow("blocking")
    async def blocking() -> str:
        return await blocks()

    with caplog.at_level(logging.WARNING, logger="stepfast.local.runtime"):
        app = embedded(blocking, working, blocked=0.3)
        for number in range(3):
            app.start("blocking", None, f"b{number}")
            assert blocked.acquire(timeout=20)
        assert app.run("working", None, "w").result == "1"
        release.set()
        for number in range(3):
            assert app.ends(id=f"b{number}").result == '"at last"'
            assert app.records(f"b{number}")["blocks"].attempt == 1
    assert "must be a `def`" in caplog.text
    assert "threading.py" in caplog.text


def test_workflow_code_that_blocks_costs_its_thread_and_not_the_others(embedded: Any, release: threading.Event) -> None:
    @workflow("circling")
    async def circling() -> str:
        release.wait(60)
        return "done"

    app = embedded(circling, working, blocked=0.3)
    app.start("circling", None, "c0")
    app.start("circling", None, "c1")
    until(lambda: len(app.runtime.pool.threads) == 4)
    assert app.run("working", None, "w").result == "1"
    release.set()
    assert app.ends(id="c0").result == app.ends(id="c1").result == '"done"'
