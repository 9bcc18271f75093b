"""The lines of the tables: each figure with the target that issue 4 sets, and what each case costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench import aws_prices as prices
from bench.aws_bill import Bill, dollars
from bench.aws_cases import Cases
from bench.aws_cold import BASE, BASE_OF_ONE, KINDS, MAX_RATIO, SENDING, Cold

MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Line:
    """A figure; target: at most this."""

    title: str
    value: float
    unit: str
    target: float | None = None

    @property
    def met(self) -> bool | None:
        # Differences of medians are not exact; no target is so fine.
        return None if self.target is None else self.value <= self.target + 1e-9


@dataclass(frozen=True, slots=True)
class Case:
    """A line of costs: dollars per million by part, and what others charge. operations: of Lambda durable functions."""

    title: str
    bill: str
    transitions: float | None = None
    operations: float | None = None


CASES = (
    Case("chained step", "chained step", 1, 1),
    Case("  the same, taking 10 s (its own time left out)", "chained step of 10 s", 1, 1),
    Case("step in another pool, or after a chain's end", "step after a hop", 1, 1),
    Case("parallel step in a gather of 100", "gather", 1, 1),
    Case("  the same, results coming one by one", "gather, one by one", 1, 1),
    Case("item of a map of 500", "item of a map", 1, 1),
    Case("child of one step", "child of one step", 2, 2),
    Case("turn of one step, by ContinueAsNew", "turn of one step", 2, 2),
    Case("retry: failed attempt, and claim of the next", "retry", 1, 1),
    Case("timer of a minute", "timer", 1, 1),
    Case("signal", "signal", 1, 1),
    Case("execution: start, 10 chained steps, end", "execution of 10 steps", 10, 11),
    Case("  its expiry: its 10 records are deleted", "expiry of 10 steps"),
    Case("  what its encryption adds, the functions' own work left out", "encryption of 10 steps"),
    Case("sweep while nothing runs", "sweep"),
)
"""Others are charged as little as can be: for a gather no Map state and no branches, for an execution no start."""


def per_million(results: Cases, bill: str) -> Mapping[str, float]:
    """Dollars by part for a million of it, with their sum as `total`."""
    parts = {part: MILLION * cost for part, cost in dollars(results.bills[bill], results.memory).items()}
    return {**parts, "total": sum(parts.values())}


def figures(results: Cases, cold: Mapping[str, Cold]) -> Iterator[Line]:
    """Every figure that has a target, and a few beside them."""
    step, facts = results.bills["chained step"], results.facts
    yield Line("chained step: write units", step["write_units"], "a step", 1.1)
    yield Line("chained step: read requests", step["reads"], "a step", 0.15)
    yield Line("chained step: queue messages", step["messages"], "a step", 0)
    yield Line("chained step: stream invocations", step["invocations:advancer"], "a step", 0)
    yield Line("chained step, all in", per_million(results, "chained step")["total"], "$ a million", 1.0)
    yield Line("chained step: work of the function", 1000 * step["cpu:step"], "ms of a processor")
    yield Line("chained step of 10 s: read requests", results.bills["chained step of 10 s"]["reads"], "a step")
    yield Line("start to first step: puts by the API", facts["start: puts by the API"], "", 1)
    yield Line("start to first step: advancer passes", facts["start: advancer passes"], "", 1)
    yield Line("start to first step: messages", facts["start: messages"], "", 1)
    yield Line("parallel step in a gather of 100", per_million(results, "gather")["total"], "$ a million", 5.0)
    slow = per_million(results, "gather, one by one")["total"]
    yield Line("  the same, results coming one by one", slow, "$ a million")
    yield Line("item of a map of 500", per_million(results, "item of a map")["total"], "$ a million", 4.5)
    yield Line("retry: writes that record a failed attempt", facts["retry: writes"], "", 1)
    yield Line("retry: visibility changes", facts["retry: visibility changes"], "", 1)
    yield Line("retry: writes, with the claim of the next attempt", results.bills["retry"]["writes"], "")
    others = facts["idle: calls beside the sweep"] + facts["idle: invocations beside the sweep"]
    yield Line("idle: calls and invocations but pollers and sweep", others, "a day", 0)
    for kind in KINDS:
        yield Line(f"cold start: {kind}", cold[kind].cpu / cold[BASE].cpu, f"of {BASE}", MAX_RATIO)


def own_ratio(cold: Mapping[str, Cold], kind: str) -> float:
    """A cold start beside boto3 and the clients that this function makes, which are fewer for some."""
    return cold[kind].cpu / cold[BASE if kind in SENDING else BASE_OF_ONE].cpu


def idle_month(results: Cases) -> list[Line]:
    """Dollars of a month in which nothing runs, by list price."""
    queues, functions = int(results.facts["queues"]), int(results.facts["functions"])
    sweeps = prices.MONTH / results.facts["seconds between sweeps"]
    sweep: Bill = results.bills["sweep"].plus(Bill({"schedules": 1}))
    alarmed = prices.ALARMED + prices.ALARMED_BY_FUNCTION * functions
    receives = prices.empty_receives(queues)
    return [
        Line(f"pollers of {queues} queues, {receives:,.0f} empty receives", receives * prices.SQS_REQUEST, "$"),
        Line(f"sweeps, {sweeps:,.0f}", sweeps * sum(dollars(sweep, results.memory).values()), "$"),
        Line(f"alarms, {alarmed} metrics", alarmed * prices.ALARM_METRIC, "$"),
        Line("dashboard", prices.DASHBOARD, "$"),
        Line("metrics written", prices.METRICS_WHILE_IDLE * prices.CUSTOM_METRIC, "$"),
    ]


def kept(results: Cases, days: float) -> Mapping[str, float]:
    """Dollars for a million chained steps: storing them so long, and deleting them then."""
    stored = MILLION * (results.facts["bytes of a chained record"] + prices.STORED_ITEM) / prices.GB
    months = days * 86400 / prices.MONTH
    return {
        "stored": stored * months * (prices.TABLE_GB_MONTH + prices.RECOVERY_GB_MONTH),
        "deleted": MILLION * prices.WRITE_UNIT,
    }


def others_charge(case: Case) -> Sequence[float | None]:
    """What Step Functions Standard and Lambda durable functions charge for a million, before their Lambda time."""
    theirs = None if case.transitions is None else MILLION * prices.step_functions(case.transitions)
    durable = None if case.operations is None else MILLION * prices.durable_functions(case.operations)
    return theirs, durable
