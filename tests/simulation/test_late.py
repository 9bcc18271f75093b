"""Steps on a rate where everything is late: never too many begin, the rate is used, and mutants are noticed."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Limit
from stepfast.backends.sqlite.limits import SqliteLimits
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine import limiting
from stepfast.engine.pacing import Pacer
from stepfast.testing.memory import MemoryFile
from tests.contract.clock import FixedClock
from tests.simulation.breaking import Patch, edited
from tests.simulation.late_world import BrokenRate, Lateness, LateWorld, check_rate

BUSY, JITTER = Lateness(busy=0.1), Lateness(jitter=0.3)
LATE = Lateness(messages=3.0)
VERY_LATE, STALLS = Lateness(jitter=3.0), Lateness(busy=1.5, busy_every=8.0)
DIES = Lateness(jitter=0.3, busy=0.1, crash=0.002)
WARM = 6.0
"""Seconds after which the lateness of messages costs nothing any more: the first of them are awaited."""


def played(late: Lateness, seed: int, *, sole: bool, used: float, burst: int = 1, count: int = 1200) -> None:
    """Plays steps at 100 in a second if one process begins them all, and at 100 in 10 s if three do."""
    file = MemoryFile()
    backend = SqliteBackend(file, FixedClock())  # type: ignore[arg-type]
    limit: Limit[Any] = Limit("late", rate=100.0, per=1.0 if sole else 10.0, burst=burst)
    world = LateWorld(backend.limits, limit, count if sole else count // 3, seed, late, sole=sole)
    try:
        check_rate(world.play(), limit, used, WARM)
    finally:
        file.close()


@pytest.mark.parametrize("sole", [True, False], ids=["one process", "three processes"])
@pytest.mark.parametrize("late", [Lateness(), BUSY, JITTER, LATE, VERY_LATE, STALLS, DIES])
def test_no_window_has_more_beginnings_than_the_rate_however_late_steps_are(late: Lateness, sole: bool) -> None:
    for seed in range(3):
        played(late, seed, sole=sole, used=0.0)
        played(late, seed, sole=sole, used=0.0, burst=10)


@pytest.mark.parametrize("sole", [True, False], ids=["one process", "three processes"])
@pytest.mark.parametrize("late", [Lateness(), BUSY, LATE])
def test_the_rate_is_used_by_steps_that_are_late_all_the_time(late: Lateness, sole: bool) -> None:
    for seed in range(2):
        played(late, seed, sole=sole, used=0.97 if sole else 0.95)


def beginnings_are_not_spaced(patch: Patch) -> None:
    patch.setattr(Pacer, "_try_now", lambda self, tracks: True)
    patch.setattr(Pacer, "_try", lambda self, tracks, ticket, until: 0.0)


def those_who_come_together_reserve_one_moment(patch: Patch) -> None:
    edited(patch, SqliteLimits, "reserve", ("held.moment if held.moment >= least else now", "now"))


def a_moment_that_is_missed_is_used(patch: Patch) -> None:
    patch.setattr(limiting, "lateness", lambda rate: 1e9)
    patch.setattr(limiting, "LATE_SECONDS", 1e9)


def a_late_step_begins_beside_the_others(patch: Patch) -> None:
    patch.setattr(limiting, "moment_of", lambda item, permit: permit.since)


def late_steps_begin_at_once(patch: Patch) -> None:
    patch.setattr(limiting, "at_front", lambda item, permit, rate, now: (item, permit))


MUTANTS = {
    beginnings_are_not_spaced: (STALLS, True),
    those_who_come_together_reserve_one_moment: (Lateness(), False),
    a_moment_that_is_missed_is_used: (STALLS, False),
    a_late_step_begins_beside_the_others: (VERY_LATE, False),
    late_steps_begin_at_once: (STALLS, False),
}
"""Each wrong engine, and the world that shows it."""


def _played_often(late: Lateness, sole: bool) -> None:
    for seed in range(6):
        played(late, seed, sole=sole, used=0.0)


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: wrong.__name__)
def test_each_rule_of_late_steps_that_is_broken_is_noticed(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    late, sole = MUTANTS[wrong]
    with pytest.raises(BrokenRate, match="began within"):
        _played_often(late, sole)
