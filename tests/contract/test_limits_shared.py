"""Who shares a limit: processes of one file or one stack do, whatever their clocks say, and two stacks do not."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Limit, step
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.limit_items import LimitId
from stepfast.engine.limit_wants import Want
from stepfast.engine.limiting import Limiter, PassedOn, StepWaits
from stepfast.engine.messages import Message
from stepfast.replay.commands import Command

DESK = Limit("desk", concurrency=2)
PACE = Limit("pace", rate=1, per=10)


@step(timeout=20)
async def sit() -> None: ...


class SkewedClock:
    """The clock of another machine."""

    def __init__(self, clock: Any, ahead: float) -> None:
        self._clock, self._ahead = clock, ahead

    def now(self) -> float:
        return float(self._clock.now() + self._ahead)

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


def process(backend: Any, ahead: float = 0.0) -> Limiter:
    return Limiter(backend.store, backend.queue, SkewedClock(backend.clock, ahead))


def take(backend: Any, limiter: Limiter, limit: Limit[Any], number: int) -> Any:
    message, command = Message("step", f"x{number}", "sit", 0), Command("sit", "step", "sit", None, "{}", sit)
    want = Want(limit, LimitId(limit.name), "", 0)
    return backend.run(limiter.take([want], message, 1000.0 + number, command, None))


@pytest.mark.parametrize("skew", [0.0, 3.0, -3.0])
def test_processes_share_the_slots_of_a_limit_whatever_their_clocks_say(backend: Any, skew: float) -> None:
    here, there = process(backend), process(backend, skew)
    mine, other = take(backend, here, DESK, 1), take(backend, there, DESK, 2)
    assert isinstance(take(backend, here, DESK, 3), StepWaits)
    assert isinstance(take(backend, there, DESK, 4), StepWaits)
    backend.run(there.give_back("x2/sit", other))
    assert len(backend.run(backend.store.limits.read(LimitId("desk"))).holders) == 2  # The third has the slot.
    backend.run(here.give_back("x1/sit", mine))
    assert set(backend.run(backend.store.limits.read(LimitId("desk"))).holders) == {"x3/sit", "x4/sit"}


@pytest.mark.parametrize("skew", [0.0, 3.0, -3.0])
def test_processes_share_the_moments_of_a_rate_whatever_their_clocks_say(backend: Any, skew: float) -> None:
    here, there = process(backend), process(backend, skew)
    (first,) = take(backend, here, PACE, 1)
    second = take(backend, there, PACE, 2)
    third = take(backend, here, PACE, 3)
    for waits in (second, third):
        assert isinstance(waits, StepWaits)
        assert isinstance(waits.disposition, PassedOn)
    moments = [first.since, second.disposition.at, third.disposition.at]
    # One is as far from the next as the rate says, but for the clock that is wrong.
    assert moments[1] - moments[0] >= 10 - abs(skew)
    assert moments[2] - moments[1] >= 10


def test_two_files_and_two_tables_do_not_share_a_limit(backend: Any, tmp_path: Any) -> None:
    here = process(backend)
    for number in (1, 2):
        assert not isinstance(take(backend, here, DESK, number), StepWaits)
    if hasattr(backend, "make_store"):
        from stepfast.backends.dynamodb import table

        client = backend.dynamodb
        client.create_table(**table.definition("another-stack"))
        store: Any = type(backend.store)(client, "another-stack", backend.queue, backend.blobs, backend.clock)
    else:
        store = SqliteBackend(SqliteFile(tmp_path / "other.db"), backend.clock)
    other = Limiter(store, backend.queue, backend.clock)
    want = Want(DESK, LimitId("desk"), "", 0)
    message, command = Message("step", "x9", "sit", 0), Command("sit", "step", "sit", None, "{}", sit)
    assert not isinstance(backend.run(other.take([want], message, 1000.0, command, None)), StepWaits)
    if not hasattr(backend, "make_store"):
        store.close()
