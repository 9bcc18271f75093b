"""Steps behind a gate in a seeded world: one probe at a time, a ramp, nothing is lost; a broken rule is noticed."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from stepfast.engine import advancer, chain, finish, gates, late_failures
from stepfast.engine.gate_keeper import GateKeeper
from stepfast.engine.limiting import StepWaits
from stepfast.engine.ports import Delete
from tests.simulation.breaking import Patch, edited, noticed
from tests.simulation.gate_world import played


def test_gates_hold_and_nobody_resumes_anything() -> None:
    ends = Counter(played(seed) for seed in range(40))
    assert ends["closed"] > 30


def a_gate_is_not_told_of_failures(patch: Patch) -> None:
    async def told(self: Any, run: Any, ended: Any, record: Any) -> Any:
        await right(self, run, ended, record)
        return record

    right = GateKeeper.after_attempt
    patch.setattr(GateKeeper, "after_attempt", told)


def a_gate_is_told_of_a_success_after_its_outcome(patch: Patch) -> None:
    edited(patch, GateKeeper, "after_attempt", ('error is None and record.status == "SUCCEEDED"', "False"))
    edited(
        patch,
        chain.Chain,
        "run",
        (
            "        if not committed.record:\n",
            "        if record.status == 'SUCCEEDED':\n"
            "            await self._gates._succeeded(name, run.passes)\n"
            "        if not committed.record:\n",
        ),
    )


def every_step_is_a_probe(patch: Patch) -> None:
    edited(patch, gates, "_arrive_closed", ("if state.probe and", "if False and"), ("if now < at:", "if False:"))


def the_next_probe_is_put_off_by_the_end_of_this_one(patch: Patch) -> None:
    edited(patch, gates, "_arrive_closed", ("next_probe=now + gate.probe, ", ""))


def the_place_of_the_probe_has_no_lease(patch: Patch) -> None:
    edited(patch, gates, "_arrive_closed", ("probe_lease=now + lease", "probe_lease=now + 1e9"))


def a_ramp_lets_all_through(patch: Patch) -> None:
    edited(patch, gates, "arrive", ("if not line_empty or state.moment > now:", "if False:"))


def what_failed_before_the_gate_closed_stays_failed(patch: Patch) -> None:
    patch.setattr(gates, "to_resume", lambda state: ())


def whoever_ends_an_execution_late_does_not_look_at_the_gate(patch: Patch) -> None:
    async def look(self: Any, due: float | None) -> None:
        """Nothing is read and nothing is sent."""

    patch.setattr(late_failures.LateFailure, "_look", look)


def an_advance_that_ends_an_execution_late_does_not_look_at_the_gate(patch: Patch) -> None:
    edited(patch, advancer.Advancer, "_finish", ("await finish(", "await finish_alone("))

    async def finish_alone(*asked: Any) -> bool:
        with pytest.MonkeyPatch.context() as inner:
            whoever_ends_an_execution_late_does_not_look_at_the_gate(inner)
            return bool(await finish.finish(*asked))

    patch.setitem(advancer.Advancer._finish.__globals__, "finish_alone", finish_alone)


def the_message_of_a_step_at_a_gate_is_dropped(patch: Patch) -> None:
    async def enter(self: Any, *asked: Any) -> Any:
        entered = await right(self, *asked)
        return StepWaits(Delete()) if isinstance(entered, StepWaits) else entered

    right = GateKeeper.enter
    patch.setattr(GateKeeper, "enter", enter)


MUTANTS = {
    a_gate_is_not_told_of_failures: 0,
    a_gate_is_told_of_a_success_after_its_outcome: 922,
    every_step_is_a_probe: 0,
    the_next_probe_is_put_off_by_the_end_of_this_one: 790,
    the_place_of_the_probe_has_no_lease: 150,
    a_ramp_lets_all_through: 1,
    what_failed_before_the_gate_closed_stays_failed: 0,
    whoever_ends_an_execution_late_does_not_look_at_the_gate: 40,
    an_advance_that_ends_an_execution_late_does_not_look_at_the_gate: 119,
    the_message_of_a_step_at_a_gate_is_dropped: 0,
}
"""Each wrong engine, and the seed that shows it soonest."""


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: wrong.__name__)
def test_each_rule_that_is_broken_is_noticed(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(wrong)
    wrong(monkeypatch)
    assert noticed(partial(played, turns=15_000), MUTANTS[wrong])
