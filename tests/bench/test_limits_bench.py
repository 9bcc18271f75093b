"""`bench.limits` still produces its figures; how large they are is not a test's business."""

from __future__ import annotations

import pytest

from bench import limit_keys, limits
from bench.limits import _rate_rows, _slot_rows
from bench.table import shown

pytestmark = pytest.mark.slow


def test_a_short_run_of_the_embedded_figures_has_every_row() -> None:
    rows = [
        *limits.throughput(1, 2),
        *limits.slots(6),
        *limits.crowd(1, 20),
        *limits.busy_process(50),
        *limits.keys(20),
    ]
    assert [measured for _, measured, _ in rows if not measured] == []
    assert len(rows) == 6 + 3 + 3 + 2 + 3


def test_write_units_of_a_played_step_are_counted() -> None:
    plain, calls = limits.played("played plain", 2, apart=True)
    assert plain > 1
    assert len(calls) == 2
    assert limits.played("played slot", 2, apart=True)[0] == plain + 2


def test_what_keys_cost_on_aws_goes_by_the_keys_in_use() -> None:
    measured = [measured for _, measured, _ in limit_keys.keys(6)]
    assert measured == ["1.00", "1.00", shown(1 + 1 / 6), shown(0), "1.00", "0"]


def test_a_rate_and_slots_are_judged_by_when_steps_begin() -> None:
    rows = _rate_rows("here", 2, [0.0, 0.5, 0.6, 2.0])
    assert [measured for _, measured, _ in rows] == ["3", "0.750"]
    changes = [(0.0, 1), (0.0, 1), (1.0, -1), (1.0, 1), (2.0, -1), (2.0, -1)]
    rows = _slot_rows("here", 3, changes, 0.75, [("a", 0.0), ("a", 3.0), ("b", 1.0)])
    assert [measured for _, measured, _ in rows] == ["2", "0.750", "1.50"]
