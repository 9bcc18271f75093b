"""How often a worker looks at the execution of a step that runs, and what the looks of one process share."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from stepfast.engine.looks import EVERY_TIME, LookPace, SharedGlances
from stepfast.model import Execution
from tests.engine.look_clock import EXECUTION, Hands


def looks(pace: LookPace, seconds: int, tick: float = 1.02) -> list[float]:
    """The ages at which a watch looks whose runner asks a little less often than once a second."""
    due, ages = pace.pause, []
    for number in range(1, int(seconds / tick) + 1):
        if (age := number * tick) >= due:
            ages.append(age)
            due = age + pace.pause
    return ages


def test_without_a_pace_every_second_is_looked_at() -> None:
    assert looks(EVERY_TIME, 30, tick=1.0) == list(range(1, 31))


@pytest.mark.parametrize("tick", [1.0, 1.02, 1.1])
def test_looks_are_about_so_many_seconds_apart_however_old_the_attempt(tick: float) -> None:
    ages = [0.0, *looks(LookPace(3.0), 300, tick)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(ages)]
    assert max(pauses) <= 3 * tick + 1e-6
    assert min(pauses) >= 2.5


class _Reads:
    """Counts the reads of a store, and answers that nothing has changed until `changed`."""

    def __init__(self) -> None:
        self.reads, self.changed = 0, False

    async def glance(self, run_id: str, order: int) -> bool:
        self.reads += 1
        return self.changed

    async def differs(self, execution: Execution) -> bool:
        self.reads += 1
        return self.changed


@pytest.mark.parametrize(
    "ask",
    [lambda shared: shared.glance("order-1", 3), lambda shared: shared.differs(EXECUTION)],
    ids=["order", "status"],
)
def test_attempts_side_by_side_share_a_glance(ask: Callable[[SharedGlances], asyncio.Future[bool]]) -> None:
    reads, hands = _Reads(), Hands()
    shared = SharedGlances(reads, hands)

    async def ten() -> list[bool]:
        return [await ask(shared) for _ in range(10)]

    assert asyncio.run(ten()) == [False] * 10
    assert reads.reads == 1
    hands.time, reads.changed = 3.0, True
    assert asyncio.run(ten()) == [True] * 10
    assert reads.reads == 2


def test_glances_at_other_entries_and_executions_are_not_shared() -> None:
    reads = _Reads()
    shared = SharedGlances(reads, Hands())

    async def three() -> None:
        await shared.glance("order-1", 3)
        await shared.glance("order-1", 4)
        await shared.glance("order-2", 3)

    asyncio.run(three())
    assert reads.reads == 3
