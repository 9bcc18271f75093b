"""Starts in a seeded world: one at a time for a key, at the rate, nobody waits for ever; a broken rule is noticed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from stepfast.backends.sqlite import starts
from stepfast.engine import beginning, turns
from stepfast.engine.beginning import Beginning
from stepfast.engine.resuming import Resuming
from stepfast.engine.turns import Turns
from stepfast.errors import Unavailable
from stepfast.model import Execution
from tests.simulation.breaking import Patch, edited, noticed
from tests.simulation.start_flows import debounced
from tests.simulation.start_world import played


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_starts_take_turns_and_nobody_waits_for_ever(first: int) -> None:
    for seed in range(first, first + 20):
        played(seed)


@pytest.mark.parametrize("seed", [342, 1127, 1684])
def test_what_was_replaced_is_resumed_and_what_stalls_takes_another_moment(seed: int) -> None:
    """Seeds of which the first engine, or the first invariant, was wrong."""
    played(seed)


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_starts_that_are_debounced_become_one_execution_with_the_last_input(first: int) -> None:
    for seed in range(first, first + 10):
        played(seed, flow=debounced)


def an_end_wakes_nobody(patch: Patch) -> None:
    patch.setattr(Execution, "is_awaited", property(lambda self: self.link is not None))


def an_end_passes_no_key_on(patch: Patch) -> None:
    async def release(self: Any, execution: Any) -> None:
        return None

    patch.setattr(Beginning, "release", release)


def a_key_is_taken_whoever_has_taken_it_meanwhile(patch: Patch) -> None:
    patch.setattr(starts, "stands", lambda tx, hold: True)


def an_execution_begins_whoever_holds_its_key(patch: Patch) -> None:
    async def holds(self: Any, execution: Any, start: Any, id: Any) -> bool:
        return True

    patch.setattr(Beginning, "_holds", holds)


def a_resume_does_not_take_its_key(patch: Patch) -> None:
    async def free(self: Any, execution: Any) -> None:
        return None

    patch.setattr(Resuming, "_free_key", free)


def a_key_is_free_once_nobody_is_in_line(patch: Patch) -> None:
    edited(patch, Turns, "_try", ("holder = await holder_of(self._store, hold)", "holder = None"))


def an_heir_is_sent_no_message(patch: Patch) -> None:
    edited(patch, Beginning, "_pass_on", ("if here is None or heir", "if False and heir"))


def an_heir_is_sent_its_message_after_the_write(patch: Patch) -> None:
    send = "await self._queue.send([(begin_message(heir), None)])"
    edited(
        patch,
        Beginning,
        "_pass_on",
        (send, "pass"),
        ("(id, place_of(heir))\n", f"(id, place_of(heir))\n{' ' * 12}{send}\n"),
    )


def a_start_that_waits_is_not_in_line(patch: Patch) -> None:
    edited(patch, starts, "place", ("    elif id is not None:\n", "    elif False:\n"))


def a_start_that_is_skipped_is_not_written(patch: Patch) -> None:
    async def turn_away(self: Any, turned: Any, hold: Any) -> bool:
        return True

    patch.setattr(starts.SqliteStarts, "turn_away", turn_away)


def an_id_that_was_skipped_is_created(patch: Patch) -> None:
    edited(patch, starts, "may_create", ("away is None and ", ""))


def nobody_is_replaced(patch: Patch) -> None:
    edited(patch, Beginning, "_holds", ('start.into != "replaced" or', "True or"))


def a_moment_is_not_reserved(patch: Patch) -> None:
    edited(patch, beginning, "reserved_moment", ("replace(taken, changed_at=now)", "replace(item, changed_at=now)"))
    patch.setattr(turns, "reserved_moment", beginning.reserved_moment)


def a_moment_that_has_passed_is_used(patch: Patch) -> None:
    patch.setattr(beginning, "LATE_SECONDS", 1e9)


def a_moment_that_passes_while_it_is_reserved_is_used(patch: Patch) -> None:
    edited(patch, beginning, "reserved_moment", (" and clock.now() <= moment + LATE_SECONDS", ""))
    patch.setattr(turns, "reserved_moment", beginning.reserved_moment)


def the_moment_of_whoever_was_faster_is_lost(patch: Patch) -> None:
    edited(patch, Beginning, "drive", ("        execution = stored\n", "        return None\n"))


def a_start_becomes_a_part_of_what_has_begun(patch: Patch) -> None:
    begun = "held is None or held[0] != start_text(execution.start) or "
    edited(patch, starts, "fold", (begun, ""), ("and begin(tx, execution, start)", ""))


def a_start_that_is_debounced_is_not_written(patch: Patch) -> None:
    edited(patch, starts, "fold", ("(turned is not None and not put_away(tx, turned))", "False"))


def the_first_input_is_kept(patch: Patch) -> None:
    edited(patch, starts, "fold", ("tx.put(rows.input_write(execution.execution_id, input)) and ", ""))


OF_DEBOUNCE: dict[Any, int] = {
    a_start_becomes_a_part_of_what_has_begun: 20,
    a_start_that_is_debounced_is_not_written: 0,
    the_first_input_is_kept: 0,
}
MUTANTS: dict[Any, int] = {
    an_end_wakes_nobody: 4,
    an_end_passes_no_key_on: 0,
    a_key_is_taken_whoever_has_taken_it_meanwhile: 4,
    an_execution_begins_whoever_holds_its_key: 0,
    a_resume_does_not_take_its_key: 7,
    a_key_is_free_once_nobody_is_in_line: 0,
    an_heir_is_sent_no_message: 0,
    an_heir_is_sent_its_message_after_the_write: 5,
    a_start_that_waits_is_not_in_line: 0,
    a_start_that_is_skipped_is_not_written: 1,
    an_id_that_was_skipped_is_created: 16,
    nobody_is_replaced: 2,
    a_moment_is_not_reserved: 3,
    a_moment_that_has_passed_is_used: 13,
    a_moment_that_passes_while_it_is_reserved_is_used: 1684,
    the_moment_of_whoever_was_faster_is_lost: 14,
}
"""Each wrong engine, and the seed that shows it soonest."""


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: wrong.__name__)
def test_each_rule_that_is_broken_is_noticed(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    assert noticed(partial(played, turns=15_000), MUTANTS[wrong], 120, Unavailable)


@pytest.mark.parametrize("wrong", OF_DEBOUNCE, ids=lambda wrong: wrong.__name__)
def test_each_rule_of_debounce_that_is_broken_is_noticed(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    assert noticed(partial(played, turns=15_000, flow=debounced), OF_DEBOUNCE[wrong], 120, Unavailable)
