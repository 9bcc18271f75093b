"""The sweep is the net under everything: what was lost with nobody to bring it back goes on all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.advancer import Advancer
from stepfast.claims import claim_of
from stepfast.operations import SWEEP_BATCH, Operations
from stepfast.ports import Delivery
from stepfast.registry import Registry
from stepfast.running import Runner
from stepfast.worker import Worker


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
        self.backend, ports, clock = backend, backend.ports, backend.clock
        registry = Registry([pair])
        self.advancer = Advancer(ports, ports, clock, registry)
        self.operations = Operations(ports, clock, registry, self.advancer)
        self.worker = Worker(ports, ports, clock, registry, Runner(), self.operations.resume)

    def lose_everything(self) -> None:
        """Nothing is under way any more: not a message, not a wake."""
        messages, wakes = self.backend.ports.outstanding()
        for one in messages:
            self.backend.ports.delete(one.seq)
        for execution_id, seq in wakes:
            self.backend.ports.advanced(execution_id, seq)
        self.backend.ports.flush()
        self.backend.messages.clear()

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
    backend.run(made.operations.start("pair", 3, "one"))
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
    backend.run(engine.operations.start("pair", -5, "one"))
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
    assert backend.run(backend.ports.put_record("one", claim, wake=False))
    engine.lose_everything()
    engine.sweep()
    assert [one.delivery.message.command_id for one in backend.messages] == ["work#2"]
    engine.lose_everything()
    backend.clock.time += 41  # the timeout, its margin, and a second
    engine.sweep()
    assert sorted(one.delivery.message.command_id for one in backend.messages) == ["work", "work#2"]


def test_a_sweep_goes_on_where_the_last_one_stopped(backend: Any) -> None:
    engine = Engine(backend)
    for number in range(SWEEP_BATCH + 5):
        backend.run(engine.operations.start("pair", 1, f"e{number:04}"))
    engine.lose_everything()
    after = backend.run(engine.operations.sweep())
    assert after == f"e{SWEEP_BATCH - 1:04}"
    assert backend.run(engine.operations.sweep(after)) == ""
    assert len({one.delivery.message.execution_id for one in backend.messages}) == SWEEP_BATCH + 5
