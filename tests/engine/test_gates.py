"""The state machine of a gate: when it closes, whom it lets through, and how it opens."""

from __future__ import annotations

from dataclasses import replace

from stepfast.engine.gates import (
    EMPTY,
    LINE,
    FailedBehind,
    GateState,
    arrive,
    closed_by_hand,
    failed,
    hand_out,
    opened_by_hand,
    state_in,
    state_text,
    succeeded,
    to_resume,
)
from stepfast.language.limits import Gate

GATE = Gate(failures=3, window=60, probe=30, ramp=2.0)
DOWN = "ConnectionError in render"


def closed(now: float = 100.0) -> GateState:
    state = EMPTY
    for _ in range(3):
        state, _ = failed(state, GATE, DOWN, "x/render", now)
    return state


def meets(
    state: GateState, step: str, now: float, *, handed_out: bool = False, line_empty: bool = True
) -> float | None:
    return arrive(state, GATE, step, 40.0, now, handed_out=handed_out, line_empty=line_empty).at


def test_it_closes_after_failures_of_one_cause_within_the_window() -> None:
    state, held = failed(EMPTY, GATE, DOWN, "a", 0.0)
    state, _ = failed(state, GATE, "ValueError in render", "b", 1.0)
    state, _ = failed(state, GATE, DOWN, "c", 2.0)
    assert (state.status, held) == ("OPEN", False)
    late, held = failed(state, GATE, DOWN, "d", 61.0)
    assert (late.status, held) == ("OPEN", False)
    state, held = failed(state, GATE, DOWN, "d", 59.0)
    assert (state.status, held, state.cause, state.next_probe) == ("CLOSED", True, DOWN, 89.0)


def test_closed_it_lets_one_probe_through_and_the_next_only_after_its_end_or_its_lease() -> None:
    state = closed()
    assert meets(state, "a", 101.0) == 130.0
    appointed = arrive(state, GATE, "a", 40.0, 101.0, handed_out=False, line_empty=True).state
    assert meets(appointed, "b", 101.0) == LINE
    probing = arrive(appointed, GATE, "a", 40.0, 130.0, handed_out=False, line_empty=True)
    assert (probing.at, probing.probes) == (None, True)
    assert meets(probing.state, "b", 169.0) == LINE
    assert meets(probing.state, "b", 171.0) is None
    again, held = failed(probing.state, GATE, DOWN, "a", 140.0)
    assert (again.status, again.next_probe, again.probe, held) == ("CLOSED", 170.0, "", True)
    assert meets(again, "b", 150.0) == 170.0


def test_only_the_success_of_the_probe_opens_it_and_the_rate_doubles_each_period() -> None:
    probing = arrive(closed(), GATE, "a", 40.0, 130.0, handed_out=False, line_empty=True).state
    assert succeeded(probing, GATE, "b", 131.0) == probing
    state = succeeded(probing, GATE, "a", 131.0)
    assert state.status == "RAMPING"
    _, moments = hand_out(state, GATE, 131.0, 1000, 131.0 + 120.0)
    counts = [sum(131 + 30 * period <= at < 161 + 30 * period for at in moments) for period in range(4)]
    assert all(2 ** (period + 1) - 1 <= count <= 2 ** (period + 1) + 1 for period, count in enumerate(counts))


def test_a_ramp_lets_through_whom_it_has_handed_out_and_others_only_where_nobody_waits() -> None:
    state = replace(closed(), status="RAMPING", since=200.0, moment=210.0, next_probe=0.0)
    assert meets(state, "a", 205.0, handed_out=True) is None
    assert meets(state, "b", 205.0) == LINE
    assert meets(state, "b", 211.0, line_empty=False) == LINE
    admitted = arrive(state, GATE, "b", 40.0, 211.0, handed_out=False, line_empty=True)
    assert (admitted.at, admitted.state.moment) == (None, 211.0 + 15.0)
    assert arrive(state, GATE, "b", 40.0, 231.0, handed_out=False, line_empty=True).state == EMPTY


def test_retry_after_closes_until_then_without_a_probe_before() -> None:
    state, held = failed(EMPTY, GATE, DOWN, "a", 100.0, retry_after=600.0)
    assert (state.status, state.next_probe, held) == ("CLOSED", 700.0, True)


def test_by_hand_it_stays_closed_until_somebody_opens_it_and_then_ramps() -> None:
    state = closed_by_hand(EMPTY, 100.0, None, "ada", "upgrade")
    assert (state.by, state.why, meets(state, "a", 1e9)) == ("ada", "upgrade", LINE)
    still, held = failed(state, GATE, DOWN, "a", 110.0)
    assert (still.next_probe, held) == (None, True)
    assert opened_by_hand(still, 200.0, "bob", "").status == "RAMPING"
    assert opened_by_hand(EMPTY, 200.0, "bob", "") == EMPTY
    assert meets(closed_by_hand(EMPTY, 100.0, 500.0, "", ""), "a", 101.0) == 500.0


def test_what_failed_shortly_before_it_closed_is_resumed_and_what_failed_in_the_ramp_is_not() -> None:
    old, early = FailedBehind("x1", 1, "render", 1.0), FailedBehind("x2", 1, "render", 90.0)
    state, _ = failed(replace(EMPTY, failed=(old,)), GATE, DOWN, "x2/render", 90.0, final=early)
    state, _ = failed(state, GATE, DOWN, "x3/render", 95.0)
    state, held = failed(state, GATE, DOWN, "x4/render", 99.0, final=FailedBehind("x4", 1, "render", 99.0))
    assert held
    assert state.failed == (early,)
    ramp = opened_by_hand(state, 200.0, "", "")
    assert to_resume(ramp) == (early,)
    late = FailedBehind("x5", 1, "render", 210.0)
    ramp, held = failed(replace(ramp, failed=()), GATE, DOWN, "x5/render", 210.0, final=late)
    assert (held, to_resume(ramp), ramp.failed) == (False, (), (late,))


def test_a_state_comes_back_from_its_text_and_an_open_gate_has_none() -> None:
    state = replace(closed_by_hand(closed(), 1.0, None, "ada", "x"), failed=(FailedBehind("x", 1, "s", 2.0),))
    assert state_in(state_text(state)) == state
    assert state_text(EMPTY) == ""
    assert state_in(state_text(closed())) == closed()
