"""`bench.waiting` and `bench.realistic` still run; how large their figures are is not a test's business."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bench import realistic, waiting
from bench.peers import calls
from bench.peers.calls import FAILS
from bench.peers.work import TIMER_SECONDS
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

pytestmark = pytest.mark.slow


def test_a_filled_file_has_executions_that_wait_and_a_runtime_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "waiting.db"
    waiting.fill(path, 40)
    with sqlite3.connect(path) as connection:
        assert dict(connection.execute("SELECT status, count(*) FROM executions GROUP BY status")) == {
            "RUNNING": 40,
            "SUCCEEDED": 1,
        }
        assert connection.execute("SELECT count(*) FROM messages WHERE kind = 'timer'").fetchone() == (20,)
    connection.close()
    measured = waiting.restart(path)
    assert measured["seconds"] > 0
    assert measured["resident_mb"] >= measured["before_mb"]


def test_reports_end_after_their_timer_also_where_a_call_has_failed(tmp_path: Path) -> None:
    registry = Registry(
        [realistic.report], [realistic.read_sales, realistic.read_costs, realistic.call_out, realistic.render]
    )
    with calls.serving(), Runtime(registry, tmp_path / "reports.db") as runtime:
        took = realistic.run(runtime, 3, "report")
    assert len(took) == 3
    assert min(took) >= TIMER_SECONDS
    assert FAILS > 3  # so that of these only the first, number 0, has a call that fails
