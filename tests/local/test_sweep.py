"""The embedded sweep: whatever is overdue is taken up again, and said at WARNING with execution and command."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, current_step, signal, step, workflow
from stepfast.local.sweep import Sweep
from tests.local.conftest import Embedded
from tests.waiting import until


class Ahead:
    """The wall clock, some seconds ahead."""

    def __init__(self) -> None:
        self.by = 0.0

    def now(self) -> float:
        return time.time() + self.by

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@step(timeout=3600, retry=Retry(max_attempts=3, initial=30, jitter="none"))
def fails_once(number: int) -> int:
    if current_step().attempt == 1:
        raise ConnectionError("try again")
    return number


@workflow("lone")
async def lone() -> int:
    return await fails_once(1)


@workflow("pair")
async def pair() -> int:
    return sum(await asyncio.gather(fails_once(1), fails_once(2)))


@workflow("sleeps")
async def sleeps() -> str:
    await asyncio.sleep(30)
    return "awake"


@workflow("waits")
async def waits() -> Any:
    return await signal("go", timeout=timedelta(days=1))


class Swept:
    """A runtime whose own sweep has nothing to do, and one that the test calls."""

    def __init__(self, embedded: Any) -> None:
        self.clock = Ahead()
        self.app: Embedded = embedded(lone, pair, sleeps, waits, clock=self.clock)
        runtime = self.app.runtime
        self.backend, self.inbox = runtime._backend, runtime._inbox
        self.sweep = Sweep(self.backend, self.inbox, runtime.pool.holds, self.clock)

    def begin(self, workflow: str, waiting: int = 1) -> None:
        """Starts it, and waits until so many of its messages wait for their time."""
        self.app.start(workflow)
        until(lambda: sum(self.waits(message) > time.time() + 5 for message in self.messages()) == waiting)
        until(lambda: not self.app.runtime.pool.holds())

    def messages(self) -> list[Any]:
        self.backend.flush()
        return self.backend.messages_due_before(time.time() + 1e6, 0, 100)

    def waits(self, stored: Any) -> float:
        return self.inbox.waits_until(stored.seq) or 0.0

    def forget(self, stored: Any) -> None:
        self.inbox.drop_message(stored.seq)

    def delete(self, stored: Any) -> None:
        self.forget(stored)
        self.backend.delete(stored.seq)
        self.backend.flush()

    def lap(self) -> None:
        self.app.runtime.call(self.sweep.lap())


@pytest.fixture
def swept(embedded: Any, caplog: pytest.LogCaptureFixture) -> Swept:
    caplog.set_level(logging.WARNING)
    return Swept(embedded)


def test_a_retry_whose_message_is_only_in_the_file_is_taken_up(swept: Swept, caplog: Any) -> None:
    swept.begin("lone")
    swept.forget(swept.messages()[0])
    swept.clock.by = 120
    swept.lap()
    assert swept.app.ends().result == "1"
    assert "execution one: fails_once is overdue by" in caplog.text


@pytest.mark.parametrize(
    ("workflow", "command", "result"), [("lone", "fails_once", "1"), ("sleeps", ":timer", '"awake"')]
)
def test_what_has_no_message_at_all_is_sent_again(
    swept: Swept, caplog: Any, workflow: str, command: str, result: str
) -> None:
    swept.begin(workflow)
    swept.delete(swept.messages()[0])
    swept.clock.by = 120
    swept.lap()
    assert swept.app.ends().result == result
    assert f"execution one: {command} is overdue by" in caplog.text


def test_one_of_two_whose_message_is_gone_is_sent_again(swept: Swept, caplog: Any) -> None:
    swept.begin("pair", waiting=2)
    first, second = swept.messages()
    swept.delete(second)
    swept.clock.by = 120
    swept.inbox.put_message(first, swept.clock.now())
    until(lambda: swept.app.records()[first.delivery.message.command_id].status == "SUCCEEDED")
    until(lambda: not swept.messages() and not swept.backend.wakes())
    swept.clock.by = 240  # an execution that has just gone on may be merely slow
    swept.lap()
    assert swept.app.ends().result == "3"
    assert f"execution one: {second.delivery.message.command_id} is overdue by" in caplog.text


def test_a_message_that_is_put_off_further_than_its_retry_is_hastened(swept: Swept, caplog: Any) -> None:
    swept.begin("lone")
    (stored,) = swept.messages()
    swept.forget(stored)
    swept.inbox.put_message(stored, time.time() + 3600)
    swept.clock.by = 120
    swept.lap()
    assert swept.app.ends().result == "1"
    assert "execution one: fails_once is overdue by" in caplog.text
    assert "RETRYING" in caplog.text


def test_a_wake_that_nobody_knows_of_any_more_is_found_at_the_second_look(swept: Swept, caplog: Any) -> None:
    swept.app.runtime._backend.on_wake = lambda execution_id, seq: None
    swept.app.start("waits")
    swept.app.signal("go", 7)
    swept.lap()
    assert swept.app.read().status == "RUNNING"
    swept.app.runtime._backend.on_wake = swept.inbox.put_wake
    swept.lap()
    assert swept.app.ends().result == "7"
    assert "execution one has not been advanced" in caplog.text


def test_what_is_in_time_is_left_alone(swept: Swept, caplog: Any) -> None:
    swept.begin("pair", waiting=2)
    due = [swept.waits(message) for message in swept.messages()]
    swept.clock.by = 20
    swept.lap()
    swept.lap()
    assert [swept.waits(message) for message in swept.messages()] == due
    assert [record.getMessage() for record in caplog.records if record.name != "stepfast.events"] == []
