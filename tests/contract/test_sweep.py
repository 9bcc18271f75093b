"""The sweep is the net under everything: what was lost with nobody to bring it back goes on all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from stepfast import Limit, Retry, step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.claims import claim_of
from stepfast.engine.memory import News
from stepfast.engine.operations import Operations
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Commit, Delete, Delivery
from stepfast.engine.resending import RESEND_AFTER_SECONDS, Resend, resend_after
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import Runner
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.language.registry import Registry
from stepfast.replay.commands import Command

OLD = 121.0
"""Seconds after which an execution is old enough for a sweep that cannot see what is under way."""


@step(timeout=30, retry=Retry(max_attempts=2, initial=50, jitter="none"))
async def work(n: int) -> int:
    if n < 0:
        raise ValueError("below zero")
    return n


@workflow("pair")
async def pair(n: int) -> int:
    await asyncio.sleep(10)
    return sum(await asyncio.gather(work(n), work(n + 1)))


class Engine:
    """The engine on a backend whose messages and wakes the test delivers, or loses."""

    def __init__(self, backend: Any) -> None:
        self.backend, store, queue, clock = backend, backend.store, backend.queue, backend.clock
        registry = Registry([pair])
        self.advancer = Advancer(store, queue, clock, registry)
        self.operations = Operations(store, clock, registry, self.advancer)
        self.worker = Worker(
            StepHandler(store, queue, clock, registry, Runner()),
            TimerHandler(store, store, clock),
            ParkHandler(store, clock, registry),
        )

    def start(self, n: int, execution_id: str) -> None:
        """Starts an execution that is then old enough for any backend's sweep to look at it."""
        self.backend.run(self.operations.start("pair", n, execution_id))
        self.backend.clock.time += OLD

    def lose_everything(self) -> None:
        """Nothing is under way any more: not a message, not a wake."""
        self.backend.lose_everything()

    def sweep(self) -> None:
        self.backend.run(self.operations.sweep())

    def deliver(self) -> list[str]:
        """Delivers each message once, and advances; returns the commands that were meant."""
        messages, self.backend.messages[:] = list(self.backend.messages), []
        for stored in messages:
            self.backend.run(self.worker.handle(Delivery(stored.delivery.message, stored.delivery.sent_at)))
        self.backend.run(self.advancer.advance("one"))
        return sorted(one.delivery.message.command_id for one in messages)


@pytest.fixture
def engine(backend: Any) -> Engine:
    made = Engine(backend)
    made.start(3, "one")
    return made


def status(engine: Engine) -> str:
    return str(engine.backend.run(engine.operations.read("one")).status)


def test_an_execution_whose_every_message_is_lost_again_and_again_still_ends(engine: Engine) -> None:
    seen = []
    for _ in range(10):
        engine.lose_everything()
        engine.sweep()
        engine.backend.clock.time += 10
        seen.append(engine.deliver())
        if status(engine) == "SUCCEEDED":
            break
    assert status(engine) == "SUCCEEDED"
    assert seen[0] == [":timer"]
    assert ["work", "work#2"] in seen


def test_a_lost_retry_is_sent_again_once_it_is_overdue(backend: Any) -> None:
    engine = Engine(backend)
    engine.start(-5, "one")
    backend.run(engine.advancer.advance("one"))
    backend.clock.time += 10
    engine.deliver()  # the timer
    engine.deliver()  # both steps fail and are to be retried in 50 s
    assert {one.status for one in backend.run(engine.operations.load("one")).records.values()} == {
        "SUCCEEDED",
        "RETRYING",
    }
    engine.lose_everything()
    engine.sweep()
    assert backend.messages == []  # not due yet: whoever claimed them may still come back
    backend.clock.time += 51
    engine.sweep()
    assert engine.deliver() == ["work", "work#2"]
    assert status(engine) == "FAILED"


def test_a_running_step_is_left_alone_while_its_lease_lasts(engine: Engine) -> None:
    backend = engine.backend
    backend.run(engine.advancer.advance("one"))
    backend.clock.time += 10
    engine.deliver()
    snapshot = backend.run(engine.operations.load("one"))
    replay = engine.operations.replay(snapshot)
    assert replay is not None
    assert sorted(replay.outstanding) == ["work", "work#2"]
    claim = claim_of(snapshot.execution, replay.outstanding["work"], None, None, backend.clock.now())
    assert backend.run(backend.store.commit("one", Commit(claim, wake=False)))
    engine.lose_everything()
    engine.sweep()
    assert [one.delivery.message.command_id for one in backend.messages] == ["work#2"]
    engine.lose_everything()
    backend.clock.time += 41  # the timeout, its margin, and a second
    engine.sweep()
    assert sorted(one.delivery.message.command_id for one in backend.messages) == ["work", "work#2"]


def test_a_sweep_goes_on_where_the_last_one_stopped(backend: Any) -> None:
    engine = Engine(backend)
    started = [f"e{number:02}" for number in range(25)]
    for execution_id in started:
        engine.start(1, execution_id)
    engine.lose_everything()
    seen: list[str] = []
    position, rounds = "", 0
    while rounds == 0 or position:
        position, rounds = backend.run(engine.operations.sweep(position, limit=10)), rounds + 1
        found = [one.delivery.message.execution_id for one in backend.messages]
        assert len(found) - len(seen) <= 10
        seen = found
    assert sorted(seen) == started
    assert rounds == 3


def test_an_execution_that_cannot_be_advanced_does_not_keep_the_sweep_from_the_others(backend: Any) -> None:
    engine = Engine(backend)
    for number in range(3):
        engine.start(1, f"e{number}")
    seen: list[str] = []

    class Failing(Advancer):
        async def advance(
            self, execution_id: str, *, resend: Resend | None = None, news: News | None = None
        ) -> NoReturn:
            seen.append(execution_id)
            raise RuntimeError("a bug")

    broken = Failing(backend.store, backend.queue, backend.clock, Registry([pair]))
    engine.lose_everything()
    assert backend.run(Operations(backend.store, backend.clock, Registry([pair]), broken).sweep()) == ""
    assert sorted(seen) == ["e0", "e1", "e2"]


def test_a_step_that_a_deployment_has_moved_is_run_in_its_new_pool(engine: Engine) -> None:
    backend = engine.backend
    backend.run(engine.advancer.advance("one"))
    backend.clock.time += 10
    engine.deliver()  # the timer
    (first, *_) = [one for one in backend.messages if one.delivery.message.command_id == "work"]
    old = replace(first.delivery.message, pool="old", hint=None)
    backend.messages[:] = []
    assert backend.run(engine.worker.handle(Delivery(old, backend.clock.now()))) == Delete()
    (moved,) = backend.messages
    assert (moved.delivery.message.command_id, moved.delivery.message.pool) == ("work", "default")
    assert "work" not in backend.run(engine.operations.load("one")).records


@pytest.mark.parametrize(
    ("overdue", "sent"),
    [(59, False), (60, True), (400, True), (700, True), (1100, False), (1300, True), (2000, False), (2500, True)],
)
def test_what_is_overdue_is_sent_again_ever_more_seldom(overdue: float, sent: bool) -> None:
    """Visits every 300 s: at the first after a minute, and when it has been overdue for 1, 2, 4 … periods."""
    assert Resend(300.0).wanted(overdue, RESEND_AFTER_SECONDS) is sent


@pytest.mark.parametrize(("limits", "seconds"), [((), 60.0), ((Limit("slots", concurrency=1),), 1800.0)])
def test_a_step_that_may_wait_in_a_line_is_overdue_later(limits: tuple[Any, ...], seconds: float) -> None:
    """Its own message comes back every few minutes, so that another would only wait beside it."""

    @step(limits=list(limits))
    def limited() -> None: ...

    assert resend_after(Command("limited", "step", "limited", None, step=limited)) == seconds
