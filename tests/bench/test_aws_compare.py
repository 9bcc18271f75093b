"""`make bench-aws` says what is counted otherwise than in the committed result."""

from __future__ import annotations

from bench.aws_bill import Bill
from bench.aws_cases import Cases
from bench.aws_compare import REFERENCE, committed, compared, with_measured_of
from bench.aws_lines import CASES

STEP = {"write_units": 2.0, "read_units": 3.0, "invocations:step": 1.0, "cpu:step": 0.004}


def reference(**quantities: float) -> dict[str, object]:
    return {"made": "2026-11-01T00:00:00", "bills": {"gather": {**STEP, **quantities}}}


def test_the_committed_result_has_every_case() -> None:
    assert {case.bill for case in CASES} <= committed()["bills"].keys()
    assert REFERENCE.name in compared({}, {})


def test_quantities_that_are_as_they_were_are_one_line() -> None:
    told = compared({"gather": Bill({**STEP, "cpu:step": 0.9})}, reference())
    assert told == "Counted quantities are those of aws-reference.json, of 2026-11-01T00:00:00."


def test_a_quantity_that_has_grown_is_shown_beside_what_it_was() -> None:
    told = compared({"gather": Bill(STEP)}, reference(read_units=2.9, write_units=1.99))
    assert [line.split() for line in told.splitlines()[2:]] == [["gather", "read_units", "2.90", "3.00"]]


def test_invocations_of_all_functions_count_together() -> None:
    told = compared({"gather": Bill({**STEP, "invocations:advancer": 0.5})}, reference())
    assert told.splitlines()[-1].split() == ["gather", "invocations", "1.00", "1.50"]


def test_cases_that_come_and_go_are_named() -> None:
    told = compared({"map": Bill(STEP)}, reference())
    assert [line.split() for line in told.splitlines()[2:]] == [
        ["gather", "the", "whole", "case", "there", "gone"],
        ["map", "the", "whole", "case", "new"],
    ]


def test_counting_anew_keeps_the_work_that_was_measured() -> None:
    results = Cases(bills={"gather": Bill({**STEP, "write_units": 1.5, "cpu:step": 9.0}), "map": Bill(STEP)})
    with_measured_of(results, reference())
    assert results.bills["gather"].quantities == {**STEP, "write_units": 1.5}
    assert results.bills["map"].quantities == STEP, "there is no other"
