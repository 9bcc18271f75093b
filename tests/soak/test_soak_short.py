"""The soak for a short while; `make soak SECONDS=600` does it for long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.lanes import seed
from tests.soak.load import Promised
from tests.soak.soak import Soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_short_soak_breaks_no_promise(tmp_path: Path) -> None:
    soak = Soak(tmp_path, seed(12))
    try:
        report = soak.run(15.0, least=60)
    finally:
        soak.close()
    again = f"python -m tests.soak --seconds 60 --seed {soak.seed}"
    assert not report.violations, "\n".join([*report.violations[:10], str(report), again])
    assert report.done["kills"] >= 1
    assert report.promises > 60
    assert report.runs > 60


def test_what_is_lost_is_noticed(tmp_path: Path) -> None:
    """The checks themselves: behind the server's back a signal, a result and an execution are taken away."""
    soak = Soak(tmp_path, 1)
    try:
        soak.start()
        for kind in ("approval", "sequence", "payment"):
            assert soak.dev.run(kind, 2, kind).status_code == 201
            soak.account.executions[kind] = Promised(kind, kind, 2, started=True)
        assert not soak.report().violations
        with closing(sqlite3.connect(tmp_path / "dev.db")) as db, db:
            db.execute("DELETE FROM signals WHERE signal_id = 'signal-1'")
            db.execute("UPDATE executions SET result = '77' WHERE execution_id = 'sequence'")
            db.execute("DELETE FROM executions WHERE execution_id = 'payment'")
        db.close()
        soak.trace.write_text("\n".join(line for line in soak.trace.read_text().splitlines() for _ in "ab"))
        soak.start()
        found = "\n".join(soak.report(patience=5.0).violations)
    finally:
        soak.close()
    for said in (
        "approval was sent the signals",
        "sequence with 2 returned 77",
        "payment was promised and is gone",
        "one attempt ran 2 times",
        "it SUCCEEDED with 77; the code now returns 1",
    ):
        assert said in found, found
