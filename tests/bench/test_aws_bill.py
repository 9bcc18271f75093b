"""What is multiplied by what: small bills whose cost can be worked out by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bench import aws_prices as prices
from bench.aws_bill import Bill, dollars, seconds
from bench.aws_cases import Cases
from bench.aws_lines import Line, idle_month, kept, per_million
from bench.bed import ROOT

MEMORY = {"step": 256, "advancer": 512}


def test_units_and_requests_cost_their_list_price() -> None:
    bill = Bill({"write_units": 16, "read_units": 3, "queue_requests": 3, "http": 1, "schedules": 2, "s3_puts": 1})
    parts = dollars(bill, MEMORY)
    assert parts["writes"] == pytest.approx(16 * 0.625e-6)
    assert parts["reads"] == pytest.approx(3 * 0.125e-6)
    assert parts["SQS"] == pytest.approx(3 * 0.40e-6)
    assert parts["API"] == pytest.approx(1e-6)
    assert parts["others"] == pytest.approx(2e-6 + 5e-6)
    assert (parts["requests"], parts["time"]) == (0, 0)


def test_a_function_with_a_seventh_of_a_processor_works_seven_times_as_long_and_waits_as_long() -> None:
    bill = Bill({"cpu:step": 0.001, "waited:step": 0.004})
    assert seconds(bill, "step", 1769) == pytest.approx(0.005)
    assert seconds(bill, "step", 256) == pytest.approx(0.001 * 1769 / 256 + 0.004)
    assert seconds(bill, "step", 3538) == pytest.approx(0.005), "one thread has no use for a second processor"


def test_lambda_charges_for_each_kind_of_function_by_its_own_memory() -> None:
    bill = Bill({"waited:step": 1.0, "waited:advancer": 1.0, "invocations:step": 1, "invocations:advancer": 2})
    parts = dollars(bill, MEMORY)
    assert parts["time"] == pytest.approx((0.25 + 0.5) * 13.3334e-6)
    assert parts["requests"] == pytest.approx(3 * 0.20e-6)
    assert parts["logs"] == pytest.approx(3 * prices.INVOCATION_LOG / 1e9 * 0.50)


def test_the_difference_of_two_executions_is_what_their_steps_cost() -> None:
    short, long = Bill({"writes": 103, "http": 1}), Bill({"writes": 203, "http": 1, "reads": 50})
    step = long.less(short).per(100)
    assert (step["writes"], step["http"], step["reads"], step["messages"]) == (1, 0, 0.5, 0)
    assert Bill({"invocations:step": 2, "invocations:api": 1, "cpu:api": 9}).total("invocations") == 3


def test_idle_queues_are_asked_fifteen_times_a_minute() -> None:
    assert prices.empty_receives(1, 60) == 15
    assert prices.empty_receives(3) * prices.SQS_REQUEST == pytest.approx(0.7776)


def test_a_month_in_which_nothing_runs_is_pollers_sweeps_and_what_watches() -> None:
    results = Cases({"sweeper": 512}, {"sweep": Bill({"write_units": 1, "invocations:sweeper": 1})})
    results.facts = {"queues": 3, "functions": 7, "seconds between sweeps": 300}
    pollers, sweeps, alarms, *_ = (line.value for line in idle_month(results))
    assert pollers == pytest.approx(0.7776)
    assert sweeps == pytest.approx(8640 * (0.625e-6 + 0.20e-6 + 330 / 1e9 * 0.5 + 1e-6))
    assert alarms == pytest.approx(2.30)


def test_keeping_records_is_charged_by_their_size_and_deleting_them_by_the_unit() -> None:
    results = Cases(facts={"bytes of a chained record": 400})
    assert kept(results, 30)["stored"] == pytest.approx(0.5 * 0.45)
    assert kept(results, 90)["stored"] == pytest.approx(3 * 0.5 * 0.45)
    assert kept(results, 90)["deleted"] == pytest.approx(0.625)


def test_what_others_charge() -> None:
    assert 1e6 * prices.step_functions(10) == pytest.approx(250)
    assert 1e6 * prices.durable_functions(4) == pytest.approx(32)
    assert prices.durable_functions(0, written=2e9) == pytest.approx(0.50)


def test_a_million_is_the_sum_of_its_parts() -> None:
    parts = dict(per_million(Cases(MEMORY, {"one": Bill({"write_units": 1, "read_units": 1})}), "one"))
    assert parts.pop("total") == pytest.approx(sum(parts.values())) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("value", "target", "met"), [(1.1, 1.1, True), (1.2, 1.1, False), (0, 0, True), (5, None, None)]
)
def test_a_target_is_the_most_that_a_figure_may_be(value: float, target: float | None, met: Any) -> None:
    assert Line("a figure", value, "", target).met is met


def test_the_alarms_that_are_charged_are_those_of_the_stack() -> None:
    stack = (ROOT / "tests" / "infra" / "stack.txt").read_text()
    alarms = re.findall(r'^(\w+)\.Type = "AWS::CloudWatch::Alarm"', stack, re.M)
    metrics_of_alarms = [
        re.findall(rf"^{alarm}\.Properties\.Metrics\.\d+\.MetricStat\.Stat ", stack, re.M) for alarm in alarms
    ]
    functions = stack.count('.Type = "AWS::Lambda::Function"')
    assert (
        sum(len(metrics) or 1 for metrics in metrics_of_alarms)
        == prices.ALARMED + prices.ALARMED_BY_FUNCTION * functions
    )
