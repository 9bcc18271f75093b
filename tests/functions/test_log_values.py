"""Inputs, outputs and errors in the logs: only when `log_values` says so, and then in one line each, cut to size."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.engine.value_log import LOGGED_VALUE_CHARACTERS, tell_start
from stepfast.functions import logs
from stepfast.model import Execution
from tests.functions.conftest import Aws

MARK = "marked-äöü"


@step(retry=Retry(max_attempts=2, initial=1.0, jitter="none"))
def convert(text: str) -> str:
    if "bad" in text:
        raise ValueError(f"cannot convert {text}")
    return text[::-1] if len(text) < 100 else text * 2


@workflow("conversion")
async def conversion(text: str) -> str:
    return await convert(text)


@pytest.fixture
def aws(deploy: Callable[..., Aws], caplog: pytest.LogCaptureFixture) -> Aws:
    caplog.set_level(logging.DEBUG, "stepfast")
    return deploy(conversion)


def ran(aws: Aws, text: str, *, log_values: bool) -> None:
    """An execution from its start to its end, retry and all."""
    aws.settings = replace(aws.settings, log_values=log_values)
    aws.start("conversion", text)
    aws.advance()
    message = aws.receive()
    for _ in range(2):  # what has ended leaves the message alone
        aws.invoke("step", message, pool="default")
        aws.clock.time += 5
    aws.advance()
    assert aws.execution().status in ("SUCCEEDED", "FAILED")


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The start, the attempts, the end; which of the last two is written first is the store's affair."""
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "stepfast.values"]
    return sorted(lines, key=lambda line: ("status" in line, "workflow" in line))


@pytest.mark.parametrize("text", [MARK, f"bad {MARK}"])
def test_without_the_setting_no_value_is_logged(aws: Aws, caplog: pytest.LogCaptureFixture, text: str) -> None:
    ran(aws, text, log_values=False)
    assert caplog.records
    assert MARK not in caplog.text
    assert MARK[::-1] not in caplog.text
    assert told(caplog) == []


def test_with_the_setting_inputs_and_outputs_are_logged_in_one_line_each(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    ran(aws, MARK, log_values=True)
    started, stepped, ended = told(caplog)
    assert started == {"execution_id": "one", "workflow": "conversion", "input": MARK}
    assert stepped.pop("step").startswith("convert")
    assert stepped == {
        "execution_id": "one",
        "attempt": 1,
        "status": "SUCCEEDED",
        "input": {"text": MARK},
        "output": MARK[::-1],
    }
    assert ended == {
        "execution_id": "one",
        "workflow": "conversion",
        "status": "SUCCEEDED",
        "output": MARK[::-1],
    }


def test_with_the_setting_the_errors_of_every_attempt_are_logged(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    ran(aws, f"bad {MARK}", log_values=True)
    _, first, second, ended = told(caplog)
    assert [(line["attempt"], line["status"]) for line in (first, second)] == [(1, "RETRYING"), (2, "FAILED")]
    for line in (first, second, ended):
        assert line["error"]["type"] == "ValueError"
        assert line["error"]["message"] == f"cannot convert bad {MARK}"
    assert "test_log_values.py" in first["error"]["traceback"]
    assert ended["status"] == "FAILED"
    assert {record.levelname for record in caplog.records if record.name == "stepfast.values"} == {"INFO"}


def test_a_large_value_is_cut(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    ran(aws, "x" * 50_000, log_values=True)
    _, stepped, ended = told(caplog)
    for value in (stepped["input"], stepped["output"], ended["output"]):
        assert len(value) < LOGGED_VALUE_CHARACTERS + 40
    assert stepped["output"].endswith("(100002 characters)")
    lines = [record.getMessage() for record in caplog.records if record.name == "stepfast.values"]
    assert max(map(len, lines)) < 4 * LOGGED_VALUE_CHARACTERS


def test_in_lambda_the_values_are_fields_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    ours = logging.getLogger("stepfast")
    kept = (list(ours.handlers), list(ours.filters), ours.level, ours.propagate)
    try:
        logs.configure("step")
        tell_start(Execution("one", "conversion", json.dumps({"text": MARK}), 0.0))
        (line,) = capsys.readouterr().out.splitlines()
    finally:
        ours.handlers, ours.filters, level, ours.propagate = kept
        ours.setLevel(level)
        for name in ("init", "powertools_handler"):
            vars(ours).pop(name, None)
    assert json.loads(line)["message"]["input"] == {"text": MARK}


def test_a_cancel_is_told_like_every_other_end(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.settings = replace(aws.settings, log_values=True)
    aws.start("conversion", MARK)
    assert aws.ask("POST", "/v1/executions/one/cancel")[0] == 200
    assert [(line.get("input"), line.get("status")) for line in told(caplog)] == [(MARK, None), (None, "CANCELLED")]
