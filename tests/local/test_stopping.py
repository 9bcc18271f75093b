"""The end of the runtime: running steps get a grace period, and what is cut off then is no crash."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from stepfast import current_step, step, workflow
from stepfast.model import Record
from tests.waiting import until

begun = threading.Event()
release = threading.Event()


@pytest.fixture(autouse=True)
def fresh() -> Any:
    begun.clear()
    release.clear()
    yield
    release.set()


@step(timeout=3600)
def works(number: int) -> int:
    begun.set()
    release.wait(60)
    return number


@step(timeout=3600)
async def waits(number: int) -> int:
    if current_step().attempt == 1:
        begun.set()
        await asyncio.Event().wait()
    return number


@step(timeout=3600, at_most_once=True)
async def pays(number: int) -> int:
    begun.set()
    await asyncio.Event().wait()
    return number


@workflow("twice")
async def twice() -> int:
    return await works(1) + await works(2)


@workflow("waiting")
async def waiting() -> int:
    return await waits(3)


@workflow("paying")
async def paying() -> int:
    return await pays(4)


def running(embedded: Any, workflow: str, **options: Any) -> Any:
    app = embedded(twice, waiting, paying, **options)
    app.start(workflow)
    assert begun.wait(30)
    return app


def record(app: Any, id: str) -> Record:
    record: Record = app.records()[id]
    return record


def test_a_step_that_ends_in_the_grace_period_is_recorded_and_nothing_new_begins(embedded: Any) -> None:
    app = running(embedded, "twice", grace=60.0)
    closing = threading.Thread(target=app.runtime.close)
    closing.start()
    until(app.runtime._stopping.is_set)
    release.set()
    closing.join(30)
    assert not closing.is_alive()
    begun.clear()
    app.open()
    assert app.ends().result == "3"
    assert [record(app, id).attempt for id in ("works", "works#2")] == [1, 1]


def test_an_attempt_cut_off_by_a_stop_is_told_as_that_and_runs_again(embedded: Any) -> None:
    app = running(embedded, "waiting")
    app.reopen()
    assert app.ends().result == "3"
    held = record(app, "waits")
    (past,) = held.attempts
    assert past.error is not None
    assert (held.attempt, held.interrupted, past.error.type) == (2, 1, "StepCancelled")
    assert "stepfast was told to end" in past.error.message
    assert "attempt-stopped waits" in app.history()


def test_a_step_that_may_run_once_only_fails_and_says_why(embedded: Any) -> None:
    app = running(embedded, "paying")
    app.reopen()
    error = app.ends("FAILED").error
    assert "stepfast was told to end" in record(app, "pays").error.message  # type: ignore[union-attr]
    assert "runs at most once" in error.message
    assert "died" not in error.message


def test_a_second_signal_ends_the_grace_period(embedded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    app = running(embedded, "waiting", grace=3600.0)

    def told_again() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.runtime, "_wait_for_steps", told_again)
    app.runtime.close()
    app.open()
    assert app.ends().result == "3"
