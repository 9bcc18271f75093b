"""`stepfast show` marks what is overdue."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from stepfast.cli.timeline import render


def text_of(**command: Any) -> str:
    now = datetime.now(UTC)
    shown = {
        "id": "pay", "kind": "step", "name": "pay", "status": "RETRYING", "attempt": 1, "first_at": now.isoformat(),
        "ended_at": None, "due": (now - timedelta(minutes=5)).isoformat(), "attempts": [], "error": None, **command,
    }  # fmt: skip
    execution = {
        "execution_id": "one", "workflow": "w", "status": "RUNNING", "generation": 0, "created_at": now.isoformat(),
        "ended_at": None, "labels": {}, "input": None, "result": None, "error": None, "commands": [shown],
    }  # fmt: skip
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render(execution))
    console.file.close()
    return console.export_text()


def test_a_retry_whose_time_is_long_past_is_marked() -> None:
    since = (datetime.now(UTC) - timedelta(minutes=4)).isoformat()
    text = text_of(overdue=True, overdue_at=since)
    assert "OVERDUE by 5 min" in text
    assert "1 command(s)" in text


def test_one_that_is_in_time_is_not() -> None:
    assert "overdue" not in text_of(overdue=False, overdue_at=None).lower()
    assert "overdue" not in text_of().lower()  # of a server that does not tell
