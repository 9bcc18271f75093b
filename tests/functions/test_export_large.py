"""An export of a deployment: answers of a Lambda function end at 6 MB, and what is exported does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from stepfast import workflow
from stepfast.cli.app import app
from stepfast.functions import api as api_function
from tests.functions.conftest import Aws
from tests.http.serving import served

QUOTES = '"' * 4_000
"""Text that is longer in JSON, and again in the JSON of Lambda's answer."""


@workflow("echo")
async def echo(value: Any) -> Any:
    return value


@pytest.fixture
def export(deploy: Callable[..., Aws], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Starts executions with these inputs, and exports them."""
    aws = deploy(echo)
    function = aws.build("api")

    def handler(event: dict[str, Any], context: Any = None) -> Any:
        event["requestContext"]["authorizer"] = {"lambda": {"scopes": "read", "key": "tests"}}
        return function(event)

    def run(*args: str, inputs: dict[str, Any], code: int = 0, running: str = "") -> list[Any]:
        for id, value in inputs.items():
            aws.start("echo", value, id)
            if id != running:
                aws.advance(id)
            aws.clock.time += 1
        monkeypatch.setattr(api_function, "MAX_ANSWER_BYTES", 40_000)
        with served(handler) as url:
            result = CliRunner().invoke(app, ["export", *args], env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None})
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run


@pytest.mark.parametrize("all", [(), ("--all",)])
def test_executions_that_do_not_fit_in_an_answer_together_come_in_several(
    export: Callable[..., Any], all: tuple[str, ...]
) -> None:
    inputs = {f"e{number}": QUOTES for number in range(4)}
    written = export(*all, inputs=inputs)
    assert [line["execution_id"] for line in written] == [f"e{number}" for number in range(3, -1, -1)]
    assert all_equal(line["input"] for line in written)
    assert all_equal(line["result"] for line in written)
    if all:
        assert [event["type"] for event in written[0]["history"]] == ["execution-started", "execution-succeeded"]


def all_equal(values: Any) -> bool:
    return set(values) == {QUOTES}


def test_a_value_that_no_answer_can_hold_is_read_by_the_piece(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.cli.export_pages.EXPORTED_VALUE_BYTES", 1_000)
    monkeypatch.setattr("stepfast.engine.recordings.PIECE_CHARACTERS", 9_000)
    large, other = "x" * 60_000, "y" * 50_000
    running, last, whole, first = export("--all", inputs={"a": 1, "b": large, "c": 3, "d": other}, running="d")
    assert (running["status"], running["input"], running["omitted"]) == ("RUNNING", other, {})
    assert (first["result"], last["result"]) == (1, 3)
    assert (whole["input"], whole["result"], whole["omitted"]) == (large, large, {})
    assert whole["history"][0]["omitted"] == {"input": 60_002}  # it is in the execution itself
    assert whole["history"][0]["input"] is None


def test_a_value_that_no_answer_can_hold_is_named_and_the_others_are_there(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.cli.export_pages.EXPORTED_VALUE_BYTES", 1_000)
    last, large, first = export(inputs={"a": 1, "b": "x" * 60_000, "c": 3}, code=2)
    assert (first["result"], last["result"]) == (1, 3)
    assert (large["input"], large["result"]) == (None, None)
    assert large["omitted"] == {"input": 60_002, "result": 60_002}
