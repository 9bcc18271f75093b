"""The tables say which targets are met, whatever the figures are."""

from __future__ import annotations

from bench.aws_bill import Bill
from bench.aws_cases import Cases
from bench.aws_cold import BASE, PROGRAMS, Cold
from bench.aws_lines import CASES
from bench.aws_report import report

FACTS = (
    "bytes of a chained record",
    "start: puts by the API",
    "start: advancer passes",
    "start: messages",
    "retry: writes",
    "retry: visibility changes",
    "idle: calls beside the sweep",
    "idle: invocations beside the sweep",
    "queues",
    "functions",
    "seconds between sweeps",
)
MEMORY = dict.fromkeys(("api", "authorizer", "advancer", "step"), 256)


def report_lines(step: Bill, starting: float = 200.0) -> list[str]:
    """The report's lines, all bills being that of a step, and all functions taking so many ms to start."""
    results = Cases(MEMORY, {case.bill: step for case in CASES}, dict.fromkeys(FACTS, 1.0))
    cold = {name: Cold(starting, starting, [starting], {"stepfast": 1.0}, [("stepfast", 1.0)]) for name in PROGRAMS}
    cold[BASE] = Cold(100.0, 100.0, [100.0], {}, [])
    return report(results, cold).splitlines()


def verdict(lines: list[str], title: str) -> str:
    (line,) = (line for line in lines if line.startswith(title))
    return line.split()[-1]


def test_a_target_that_is_not_reached_is_called_missed() -> None:
    lines = report_lines(Bill({"write_units": 1.2, "reads": 0.2, "writes": 1}))
    assert verdict(lines, "chained step: write units") == "MISSED"
    assert verdict(lines, "chained step: read requests") == "MISSED"
    assert verdict(lines, "chained step: queue messages") == "met"
    assert verdict(lines, "cold start: step") == "MISSED"
    assert verdict(lines, "idle: calls") == "MISSED"


def test_targets_that_are_reached_are_called_met() -> None:
    lines = report_lines(Bill({"write_units": 1, "reads": 0.1, "writes": 1}), starting=150.0)
    for title in (
        "chained step: write units",
        "chained step: read requests",
        "chained step, all in",
        "cold start: api",
    ):
        assert verdict(lines, title) == "met"


def test_costs_stand_beside_what_others_charge() -> None:
    line = next(line for line in report_lines(Bill({"write_units": 1})) if line.startswith("execution: start, 10"))
    assert line.split()[-3:] == ["0.625", "250", "88"]
