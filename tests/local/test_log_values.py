"""Inputs, outputs and errors in the log of the embedded runtime: only for who asks for them."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from tests.local.conftest import Embedded
from tests.local.dev_process import Dev
from tests.waiting import until


@step(retry=Retry(max_attempts=2, initial=0.01, jitter="none"))
def work(text: str) -> str:
    if text == "bad":
        raise ValueError("cannot work on bad")
    return text.upper()


@workflow("working")
async def working(text: str) -> str:
    return await work(text)


def logged_values(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "stepfast.values"]


def test_values_are_logged_once_they_are_written(
    embedded: Callable[..., Embedded], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stepfast")
    made = embedded(working, log_values=True)
    made.run("working", "good", "a")
    made.run("working", "bad", "b")
    until(lambda: len([line for line in logged_values(caplog) if "workflow" in line and "status" in line]) == 2)
    by_id = {id: [line for line in logged_values(caplog) if line["execution_id"] == id] for id in ("a", "b")}
    started, stepped, ended = by_id["a"]
    assert (started["input"], stepped["input"], stepped["output"], ended["output"]) == (
        "good",
        {"text": "good"},
        "GOOD",
        "GOOD",
    )
    assert [line.get("status") for line in by_id["b"]] == [None, "RETRYING", "FAILED", "FAILED"]
    assert {line["error"]["message"] for line in by_id["b"][1:]} == {"cannot work on bad"}


def test_by_default_none_is_logged(embedded: Callable[..., Embedded], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "stepfast")
    made = embedded(working)
    made.run("working", "good", "a")
    assert logged_values(caplog) == []
    assert "good" not in caplog.text.lower()


@pytest.mark.slow
@pytest.mark.parametrize(("options", "environment"), [(["--log-values"], {}), ([], {"STEPFAST_LOG_VALUES": "true"})])
def test_stepfast_dev_takes_an_option_or_a_variable(
    tmp_path: Path, options: list[str], environment: dict[str, str]
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows/made.py").write_text(
        "from stepfast import workflow\n\n@workflow('simple')\nasync def simple(n: int) -> int:\n    return n + 1\n"
    )
    dev = Dev(tmp_path, **environment).start(*options)
    try:
        assert dev.run("simple", 41).status_code == 201
        until(lambda: dev.show()["status"] == "SUCCEEDED")
    finally:
        _, written = dev.end(signal.SIGTERM)
        dev.http.close()
    assert '"workflow": "simple", "input": 41' in written
    assert '"output": 42' in written


@workflow("idling")
async def idling(text: str) -> None:
    await asyncio.sleep(3600)


def test_a_cancel_is_told_like_every_other_end(
    embedded: Callable[..., Embedded], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stepfast")
    made = embedded(idling, log_values=True)
    made.start("idling", "x", "a")
    made.cancel("a")
    assert [(line.get("input"), line.get("status")) for line in logged_values(caplog)] == [
        ("x", None),
        (None, "CANCELLED"),
    ]
