"""Beside the committed result of `bench.aws`: what an execution asks of AWS by now, where that has changed.

Only counted quantities are compared. They are the same on every machine, while the functions' own work is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.aws_bill import Bill
from bench.aws_cases import Cases
from bench.stepfast_bench import RESULTS
from bench.table import shown, table

REFERENCE = RESULTS / "aws-reference.json"
MEASURED = ("cpu:", "log_bytes")
"""What depends on the machine, or on the run."""
NOTICED = 0.01
"""The part by which a quantity has to differ."""
UNITS = ("write_units", "read_units", "queue_requests", "messages", "invocations", "http", "schedules")
"""The quantities that are compared; invocations of all functions together."""


def committed() -> Mapping[str, Any]:
    """The committed result, as JSON values; empty where there is none."""
    result: Mapping[str, Any] = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    return result


def compared(bills: Mapping[str, Bill], reference: Mapping[str, Any]) -> str:
    """A table of what has changed since the committed result, or a line that says that nothing has."""
    if not reference:
        return f"There is no {REFERENCE.name} to compare with: `python -m bench.aws --reference` makes it."
    rows = list(_changes(bills, reference["bills"]))
    if not rows:
        return f"Counted quantities are those of {REFERENCE.name}, of {reference['made']}."
    return table((f"counted otherwise than on {reference['made']}", "quantity", "then", "now"), rows)


def _changes(bills: Mapping[str, Bill], held: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, ...]]:
    for name in sorted({*bills, *held}):
        if name not in bills or name not in held:
            yield name, "the whole case", *(("", "new") if name in bills else ("there", "gone"))
            continue
        then = Bill(held[name])
        for unit in UNITS:
            before, after = then.total(unit), bills[name].total(unit)
            if abs(after - before) > NOTICED * max(abs(before), abs(after)):
                yield name, unit, shown(before), shown(after)


def with_measured_of(results: Cases, reference: Mapping[str, Any]) -> None:
    """Puts the measured work of the committed result in the place of this run's, for the cases that it has."""
    for name, held in reference.get("bills", {}).items():
        if name in results.bills:
            counted = _part(results.bills[name].quantities, measured=False)
            results.bills[name] = Bill({**counted, **_part(held, measured=True)})


def _part(quantities: Mapping[str, float], *, measured: bool) -> dict[str, float]:
    return {name: value for name, value in quantities.items() if name.startswith(MEASURED) == measured}
