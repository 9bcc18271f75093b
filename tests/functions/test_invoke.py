"""`stepfast invoke` on the samples, and what it says of a wrong one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stepfast.cli.app import app
from tests.functions.sources import EVENTS

WORKFLOWS = EVENTS.parent / "workflows"


def invoke(function: str, *files: str | Path, code: int = 0, workflows: Path = WORKFLOWS) -> Result:
    paths = [str(EVENTS / file) if isinstance(file, str) else str(file) for file in files]
    result = CliRunner().invoke(app, ["invoke", function, *paths, "--workflows", str(workflows)])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


def answers(result: Result) -> list[Any]:
    decoder, text, answers = json.JSONDecoder(), result.stdout.strip(), list[Any]()
    while text:
        value, end = decoder.raw_decode(text)
        answers.append(value)
        text = text[end:].strip()
    return answers


def test_an_answer_is_printed_as_json() -> None:
    (answer,) = answers(invoke("api", "api-start.json"))
    assert answer["statusCode"] == 201
    assert json.loads(answer["body"])["execution_id"] == "order-1001"


def test_events_find_what_those_before_them_have_written() -> None:
    started, shown, cancelled = answers(invoke("api", "api-start.json", "api-show.json", "api-cancel.json"))
    assert (started["statusCode"], shown["statusCode"]) == (201, 200)
    assert json.loads(cancelled["body"])["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("function", "file", "answer"),
    [
        ("authorizer", "authorizer.json", {"isAuthorized": False}),
        ("advancer", "advancer.json", {"batchItemFailures": []}),
        ("step", "step.json", {"batchItemFailures": []}),
        ("resume", "resume.json", {"batchItemFailures": []}),
        ("sweeper", "sweeper.json", {"rounds": 1, "complete": True}),
    ],
)
def test_every_function_can_be_invoked(function: str, file: str, answer: Any) -> None:
    assert answers(invoke(function, file)) == [answer]


def test_an_event_of_a_caller_who_signs_wants_to_be_told() -> None:
    event = str(EVENTS / "api-start-iam.json")
    for options, status in (([], 401), (["--auth", "iam"], 201)):
        result = CliRunner().invoke(app, ["invoke", "api", event, "--workflows", str(WORKFLOWS), *options])
        assert answers(result)[0]["statusCode"] == status


def test_each_call_begins_with_an_empty_account() -> None:
    for _ in range(2):
        assert answers(invoke("api", "api-start.json"))[0]["statusCode"] == 201


def test_an_unknown_function_lists_those_there_are() -> None:
    assert "there are: api, authorizer" in invoke("apis", "api-start.json", code=2).stderr


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not JSON"), ("[]", "holds no event"), (None, "cannot read"), ("\udcff", "is not JSON")]
)
def test_a_file_that_holds_no_event_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "event.json"
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    result = invoke("step", path, code=2)
    assert said in result.stderr
    assert "event.json" in result.stderr


def test_an_event_of_another_function_is_told_with_the_place() -> None:
    result = invoke("step", "api-start.json", code=2)
    assert "step failed on" in result.stderr
    assert "KeyError: 'Records'" in result.stderr
    assert "Traceback" in result.stderr


def test_a_folder_without_workflows_is_named(tmp_path: Path) -> None:
    assert "no workflows folder" in invoke("api", "api-start.json", code=2, workflows=tmp_path / "none").stderr


def test_a_pool_that_no_step_names_is_told() -> None:
    result = CliRunner().invoke(
        app, ["invoke", "step", str(EVENTS / "step.json"), "--workflows", str(WORKFLOWS), "--pool", "pfd"]
    )
    assert result.exit_code == 2
    assert "there are: default, pdf" in result.stderr


def test_without_moto_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moto", None)
    assert "pip install 'stepfast[cloud-testing]'" in invoke("api", "api-start.json", code=2).stderr
