"""The message of a step that an advance sends alone stays in hand: whoever has advanced handles it at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.engine.embedded import Stored
from stepfast.engine.messages import Hint, Message
from stepfast.engine.ports import Delivery
from stepfast.local.inbox import Advance, Bell, Inbox
from tests.local.conftest import Embedded
from tests.waiting import until

NOW = 1_800_000_000.0


def stored(seq: int = 1, due: float = NOW, id: str = "e1", **message: Any) -> Stored:
    of = {"kind": "step", "command_id": "pay", "generation": 0, **message}
    return Stored(seq, due, Delivery(Message(execution_id=id, **of), NOW, None if due == NOW else due))


class Desk:
    """An inbox with its leader."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.bell = Bell(asyncio.new_event_loop(), asyncio.Event())
        self.bell.loop.close()
        self.inbox.lead(self.bell)

    def take(self, now: float = NOW) -> Advance | Stored | None:
        taken = self.inbox.take(self.bell, now, 1)
        return taken[0] if taken else None

    def advancing(self, id: str = "e1") -> Advance:
        self.inbox.put_wake(id, 1)
        advance = self.take()
        assert isinstance(advance, Advance)
        return advance


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_step_sent_alone_is_in_the_hand_of_whoever_has_advanced(desk: Desk) -> None:
    advance, sent = desk.advancing(), stored()
    desk.inbox.put_message(sent)
    assert desk.take() is None
    assert desk.inbox.waits_until(1) == NOW, "the sweep would take it for lost"
    assert desk.inbox.advanced(advance) is sent
    assert desk.inbox.waits_until(1) is None
    assert desk.take() is None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(stored(id="e2"), id="of another execution"),
        pytest.param(stored(kind="timer"), id="a timer"),
        pytest.param(stored(due=NOW + 1.0), id="due later"),
        pytest.param(stored(hint=Hint("pay", "null", NOW)), id="one of several"),
    ],
)
def test_other_messages_wait_in_the_inbox(desk: Desk, sent: Stored) -> None:
    advance = desk.advancing()
    desk.inbox.put_message(sent)
    assert desk.inbox.advanced(advance) is None
    assert desk.take(NOW + 1.0) is sent


def test_a_second_message_waits_in_the_inbox(desk: Desk) -> None:
    advance, first, second = desk.advancing(), stored(1), stored(2, command_id="ship")
    desk.inbox.put_message(first)
    desk.inbox.put_message(second)
    assert desk.take() is second
    assert desk.inbox.advanced(advance) is first


def test_a_message_that_is_put_off_waits_in_the_inbox_though_its_execution_is_advanced(desk: Desk) -> None:
    advance, sent = desk.advancing(), stored()
    desk.inbox.put_message(sent, NOW + 5.0)
    assert desk.inbox.advanced(advance) is None
    assert desk.inbox.waits_until(1) == NOW + 5.0


def test_a_blocked_thread_gives_the_message_back_with_its_advance(desk: Desk) -> None:
    advance, sent = desk.advancing(), stored()
    desk.inbox.put_message(sent)
    desk.inbox.give_back(advance)
    assert isinstance(again := desk.take(), Advance)
    assert desk.take() is sent
    assert desk.inbox.advanced(advance) is None, "the blocked thread has nothing in hand when it answers again"
    assert desk.inbox.advanced(again) is None


def test_a_dropped_message_is_in_nobodys_hand(desk: Desk) -> None:
    advance = desk.advancing()
    desk.inbox.put_message(stored())
    desk.inbox.drop_message(1)
    assert desk.inbox.advanced(advance) is None


# -- in a runtime ------------------------------------------------------------------------------------------

replayed: Counter[int] = Counter()
reached = threading.Event()
may_end = threading.Event()


@step
async def double(number: int) -> int:
    return 2 * number


@step
async def held(number: int) -> int:
    reached.set()
    while not may_end.is_set():
        await asyncio.sleep(0.001)
    return number


@workflow("doubled")
async def doubled(number: int) -> int:
    replayed[number] += 1
    return await double(number)


@workflow("holds")
async def holds() -> int:
    return await held(1)


def test_an_execution_that_begins_is_read_once(embedded: Any) -> None:
    run: Embedded = embedded(doubled)
    run.run("doubled", 1)
    statements: list[str] = []
    for connection in run.runtime._backend._file._connections:  # type: ignore[attr-defined]
        connection.set_trace_callback(statements.append)
    run.start("doubled", 2, id="two")
    until(lambda: any("UPDATE executions SET status" in sql for sql in statements))
    heads = [sql for sql in statements if "LEFT JOIN orders" in sql]
    assert len(heads) == 1


def test_more_executions_than_the_leader_has_in_hand_start_their_code_once_each(embedded: Any) -> None:
    run: Embedded = embedded(doubled, durability="process")
    replayed.clear()

    async def start_all() -> None:
        for number in range(1_300):
            await run.operations.start("doubled", number, f"e{number}")

    run.runtime.call(start_all())
    until(lambda: run.read("e1299").status == "SUCCEEDED")
    until(lambda: all(run.read(f"e{number}").status == "SUCCEEDED" for number in range(0, 1_300, 100)))
    assert replayed.total() <= 1_300 * 1.1


def test_the_sweep_leaves_a_step_alone_that_runs_in_the_task_of_its_advance(embedded: Any) -> None:
    run: Embedded = embedded(holds)
    reached.clear()
    may_end.clear()
    run.start("holds")
    assert reached.wait(10.0)
    message = run.runtime._backend.messages_due_before(time.time() + 60.0, 0, 10)[0]
    assert message.seq in run.runtime.pool.holds()
    may_end.set()
    assert run.ends("SUCCEEDED").result == "1"
