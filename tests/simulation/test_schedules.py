"""Moments of schedules in a seeded world: each is decided about once; a broken rule is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepfast.backends.sqlite import schedules
from stepfast.backends.sqlite.schedules import SqliteSchedules
from stepfast.engine.schedule_items import OVERLAPS, Overlap, ScheduleItem
from stepfast.engine.schedule_starts import ScheduledStarts
from tests.simulation.breaking import Patch, edited
from tests.simulation.schedule_world import played

SEEDS = 60


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_each_moment_is_decided_about_once(overlap: Overlap) -> None:
    worlds = [played(seed, overlap) for seed in range(SEEDS)]
    assert sum(world.deliveries for world in worlds) > SEEDS * 8


def a_decision_is_taken_beside_one_that_was_not_carried_out(patch: Patch) -> None:
    edited(patch, ScheduledStarts, "take", ("if item.unbegun:", "if False:"))


def a_moment_that_was_skipped_is_decided_about_anew(patch: Patch) -> None:
    kept = "await self._write(changed.seen(moment), item)"
    lost = (
        f"if changed.skipped != item.skipped:\n            return MomentOutcome('skipped', moment.id)\n        {kept}"
    )
    edited(patch, ScheduledStarts, "take", (kept, lost))
    patch.setattr(ScheduleItem, "is_late", lambda self, moment: False)


def a_decision_is_written_over_another(patch: Patch) -> None:
    patch.setattr(schedules, "_UPDATE", schedules._UPDATE.replace("AND version = ?", "AND version <> -?"))
    edited(patch, SqliteSchedules, "write", ("if newest is None or int(newest.version or 0) < number + 1:", "if True:"))


def what_is_replaced_goes_on(patch: Patch) -> None:
    edited(patch, ScheduledStarts, "_begin", ("for earlier in moment.replaces:", "for earlier in ():"))


def a_late_moment_replaces_a_later_one(patch: Patch) -> None:
    patch.setattr(ScheduleItem, "is_late", lambda self, moment: False)


def a_decision_to_start_is_left_to_nobody(patch: Patch) -> None:
    edited(patch, ScheduledStarts, "_known", ("if start.begun else await self._begin(target, start)", ""))


def a_line_is_not_looked_at_again(patch: Patch) -> None:
    edited(patch, ScheduledStarts, "_known", ("look_at = await self.look(target)", "look_at = 0.0"))


MUTANTS: dict[Callable[[Patch], None], Overlap] = {
    a_decision_is_taken_beside_one_that_was_not_carried_out: "skip",
    a_moment_that_was_skipped_is_decided_about_anew: "skip",
    a_decision_is_written_over_another: "skip",
    what_is_replaced_goes_on: "replace",
    a_late_moment_replaces_a_later_one: "replace",
    a_decision_to_start_is_left_to_nobody: "skip",
    a_line_is_not_looked_at_again: "wait",
}
"""Each wrong engine, and the policy under which it shows."""


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: wrong.__name__)
def test_each_rule_that_is_broken_is_noticed(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    assert any(broken(seed, MUTANTS[wrong]) for seed in range(SEEDS * 5))


def broken(seed: int, overlap: Overlap) -> bool:
    try:
        played(seed, overlap)
    except AssertionError:
        return True
    return False
