"""What docs/costs.md says of wide executions is what was counted, and the counting counts what it says."""

from __future__ import annotations

import json

import pytest

from bench.aws_width import SHAPES, Row, exponent, measured
from bench.aws_width_page import PAGE, REFERENCE, filled


def test_the_page_holds_the_committed_rows() -> None:
    page = PAGE.read_text()
    assert filled(page, json.loads(REFERENCE.read_text())) == page, "run `make bench-width` with --reference"


def test_every_shape_is_on_the_page_at_its_largest() -> None:
    rows = json.loads(REFERENCE.read_text())
    assert set(rows) == {shape[0] for shape in SHAPES}
    assert all(of_shape[-1]["size"] >= 100 for of_shape in rows.values())


@pytest.mark.parametrize("name", ["gather, at once", "timers"])
def test_the_committed_rows_do_not_grow(name: str) -> None:
    """Counted, not timed: the same on every machine."""
    rows = [Row(**row) for row in json.loads(REFERENCE.read_text())[name]]
    first, last = rows[0], rows[-1]
    assert last.price <= 1.05 * first.price
    assert exponent(first, last) <= 1.02


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has no"):
        filled("# What it costs", {})


def test_a_small_gather_is_counted() -> None:
    row = measured(SHAPES[0], 3)
    assert row.size == 3
    assert row.writes >= 2, "a claim and a result for each step"
    assert row.work == 0, "nobody asked for it"
    assert 0 < row.latency < 10
