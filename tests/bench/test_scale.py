"""The model behind docs/scale.md: its page is up to date, and it obeys the laws that it claims."""

from __future__ import annotations

import pytest

from bench.scale.__main__ import PAGE, filled
from bench.scale.demand import first_to_give_way, measured, prepared, stacks
from bench.scale.flow import PASSING, TICK_SECONDS, play
from bench.scale.quotas import DEFAULTS, as_deployed
from bench.scale.report import report


def test_the_page_holds_what_the_model_says() -> None:
    page = PAGE.read_text()
    assert filled(page, report()) == page, "run `make simulate-scale`"


@pytest.mark.parametrize("step_seconds", [0.0, 1.0, 10.0, 100.0])
def test_the_quota_that_is_named_is_the_one_that_holds_the_load_up(step_seconds: float) -> None:
    demand = measured(step_seconds)
    name, rate = first_to_give_way(demand, as_deployed(warm=True))
    below = play(demand, as_deployed(warm=True), 0.9 * rate, 300)
    above = play(demand, as_deployed(warm=True), 1.2 * rate, 300)
    assert not below.held_up_by
    assert below.ended[1] == pytest.approx(below.ended[0])
    assert {held.partition(": ")[2] for held in above.held_up_by} == {name}
    assert above.ended[1] > above.ended[0] > below.ended[0]


@pytest.mark.parametrize("quota", ["gateway", "concurrency", "warm writes", "listing key", "advancers", "pollers"])
def test_no_more_is_served_than_a_quota_allows(quota: str) -> None:
    demand = measured(1.0)
    limit = demand.needs(10.0, 1)[quota]
    setup = as_deployed(warm=True).raised({quota: limit})
    outcome = play(demand, setup, rate=20.0, load_seconds=100)
    assert outcome.taken_meanwhile == pytest.approx(0.5, abs=0.01)
    assert outcome.drained == pytest.approx(100, abs=1)


def test_what_is_prepared_for_a_rate_keeps_it_without_a_queue() -> None:
    demand = measured(1.0)
    for rate in (10.0, 1_000.0, 100_000.0):
        share = rate / stacks(demand, rate)
        outcome = play(demand, prepared(demand, share), share, 60)
        assert outcome.drained == pytest.approx(PASSING * TICK_SECONDS)
        assert not outcome.held_up_by


def test_a_stack_fewer_would_not_do() -> None:
    demand = measured(10.0)
    number = stacks(demand, 10_000.0)
    share = 10_000.0 / (number - 1)
    needs = demand.needs(share, 10)
    assert number > 1
    assert any(needs[name] > quota.limit for name, quota in DEFAULTS.items() if quota.raised_by == "never")


def test_a_cold_deployment_is_slower_and_loses_nothing() -> None:
    demand = measured(1.0)
    cold, warm = (play(demand, as_deployed(warm), 30.0, 60) for warm in (False, True))
    assert cold.ended[1] > warm.ended[1]
    assert cold.drained is not None
    assert set(cold.held_up_by) == {"step: pollers"}
