"""A thousand steps that wait for five slots: never six, the slots are busy, and no customer waits too long."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Limit
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine import limiting
from stepfast.testing.memory import MemoryFile
from tests.contract.clock import FixedClock
from tests.simulation.crowd_world import CrowdWorld, TooMany

COUNT, SLOTS = 1000, 5


def one_key() -> str:
    """The world says whose turn it is."""
    return ""


def played(seed: int, crash: float, count: int = COUNT) -> CrowdWorld:
    file = MemoryFile()
    backend = SqliteBackend(file, FixedClock())  # type: ignore[arg-type]
    limit: Limit[Any] = Limit("crowd", concurrency=SLOTS, shared=True, key=one_key)
    world = CrowdWorld(backend.limits, limit, count, seed, crash)
    try:
        world.play()
    finally:
        file.close()
    return world


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_wait_for_five_slots_and_workers_die_at_any_call(seed: int) -> None:
    world = played(seed, 0.0003)
    assert world.died > 0
    assert world.most == SLOTS
    assert world.busy() >= 0.95
    assert world.longest_to_mean() <= 2


@pytest.mark.parametrize("seed", range(4))
def test_many_deaths_lead_to_no_sixth_step_and_all_end(seed: int) -> None:
    world = played(seed, 0.01, 200)
    assert world.died > 20
    assert len(world.begun) == 200


def test_slots_that_are_not_counted_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "free_slots", lambda item, numbers: 2)
    with pytest.raises(TooMany):
        played(0, 0.0, 50)
