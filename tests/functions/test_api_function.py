"""The api function: the routes on the real table, and what is its own: the log, the gateway, answers' size."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import workflow
from stepfast.functions import api
from tests.functions.conftest import Aws, away
from tests.functions.sources import http


@workflow("echo")
async def echo(value: Any) -> Any:
    return value


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    return deploy(echo)


def test_fifty_identical_starts_make_one_execution(aws: Aws) -> None:
    body = {"input": [1, 2], "execution_id": "one"}
    statuses = []
    for _ in range(50):
        statuses.append(aws.ask("POST", "/v1/workflows/echo/executions", body)[0])
        aws.clock.time += 0.001
    assert statuses == [201] + [200] * 49
    assert [execution["execution_id"] for execution in aws.ask("GET", "/v1/executions")[1]["executions"]] == ["one"]
    assert aws.ask("POST", "/v1/workflows/echo/executions", {**body, "input": 3})[0] == 409


def test_a_scope_that_is_missing_is_named(aws: Aws) -> None:
    status, body = aws.ask("POST", "/v1/executions/one/cancel", scopes="read run")
    assert (status, body["scope"]) == (403, "operate")


def test_the_setting_says_whom_the_function_trusts(aws: Aws) -> None:
    by_iam = http("GET", "/v1/executions", authorizer={"iam": {"userArn": "arn:aws:iam::1:user/ann"}})
    assert aws.invoke("api", by_iam, auth="iam")["statusCode"] == 200
    assert aws.invoke("api", by_iam, auth="keys")["statusCode"] == 401


def test_while_the_table_is_away_the_answer_is_503(aws: Aws) -> None:
    handler = aws.build("api")
    with away(aws.clients.dynamodb):
        answer = handler(http("GET", "/v1/executions/one", authorizer={"lambda": {"scopes": "read"}}))
    assert answer["statusCode"] == 503
    assert "Retry-After" in answer["headers"]


def test_what_is_wrong_with_the_deployment_is_for_the_log_and_not_for_callers(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    event = http("GET", "/v1/executions/one", authorizer={"lambda": {"scopes": "read"}})
    answer = aws.invoke("api", event, table="misspelt")
    assert answer["statusCode"] == 503
    assert "misspelt" not in answer["body"]
    assert "'misspelt'" in caplog.text


def test_who_changes_something_is_logged_and_what_they_send_is_not(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "stepfast")
    aws.start("echo", "hunter2")
    aws.ask("GET", "/v1/executions/one")
    lines = [record for record in caplog.records if record.name == "stepfast.functions.api"]
    assert [record.getMessage() for record in lines] == ["POST /v1/workflows/echo/executions: 201"]
    assert vars(lines[0])["caller"] == "tests"
    assert "hunter2" not in caplog.text


def test_an_answer_that_lambda_cannot_give_is_a_problem_that_says_so(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.start("echo", "é" * 1000)
    assert aws.ask("GET", "/v1/executions/one")[0] == 200
    monkeypatch.setattr(api, "MAX_ANSWER_BYTES", 2000)
    status, body = aws.ask("GET", "/v1/executions/one")
    assert (status, body["type"]) == (422, "urn:stepfast:problem:answer-too-large")
    assert "limit" in body["detail"]


def test_the_size_counts_as_it_is_sent_with_its_escapes(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.start("echo", '"' * 1000)
    event = http("GET", "/v1/executions/one", authorizer={"lambda": {"scopes": "read"}})
    sent = len(json.dumps(aws.invoke("api", event)))
    monkeypatch.setattr(api, "MAX_ANSWER_BYTES", sent)
    assert aws.invoke("api", event)["statusCode"] == 200
    monkeypatch.setattr(api, "MAX_ANSWER_BYTES", sent - 1)
    assert aws.invoke("api", event)["statusCode"] == 422


def test_large_inputs_and_results_come_back_whole(aws: Aws) -> None:
    value = "x" * 300_000
    aws.start("echo", value)
    aws.advance()
    assert aws.ask("GET", "/v1/executions/one")[1]["result"] == value


def test_a_list_without_values_fetches_none(aws: Aws) -> None:
    aws.start("echo", "x" * 300_000)
    aws.start("echo", "y" * 3000, "two")
    aws.advance("one", "two")
    handler = aws.build("api")
    caller = {"lambda": {"scopes": "read"}}
    with away(aws.clients.s3), away(aws.clients.dynamodb, "GetItem"):
        answer = handler(http("GET", "/v1/executions", query="largest=0", authorizer=caller))
        assert answer["statusCode"] == 200
        for execution in json.loads(answer["body"])["executions"]:
            assert (execution["status"], execution["omitted"]) == ("SUCCEEDED", {"input": None, "result": None})
        asked = http("POST", "/v1/executions/statuses", {"execution_ids": ["two", "one"]}, caller)
        executions = json.loads(handler(asked)["body"])["executions"]
        assert [(execution["execution_id"], execution["status"]) for execution in executions] == [
            ("two", "SUCCEEDED"),
            ("one", "SUCCEEDED"),
        ]


def test_what_has_not_changed_is_answered_without_a_body(aws: Aws) -> None:
    aws.start("echo", 1)
    event = http("GET", "/v1/executions/one", authorizer={"lambda": {"scopes": "read"}})
    handler = aws.build("api")
    tag = handler(event)["headers"]["ETag"]
    event["headers"]["if-none-match"] = tag
    answer = handler(event)
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (304, "", False)
    aws.advance()
    assert handler(event)["statusCode"] == 200


def test_a_value_is_left_out_where_the_answer_would_be_too_large(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.start("echo", "x" * 3000)
    monkeypatch.setattr(api, "MAX_ANSWER_BYTES", 2500)
    status, body = aws.ask("GET", "/v1/executions/one")
    assert (status, body["type"]) == (422, "urn:stepfast:problem:answer-too-large")
    assert "largest" in body["detail"]
    status, body = aws.ask("GET", "/v1/executions/one", query="largest=1000")
    assert (status, body["input"], body["omitted"]) == (200, None, {"input": 3002})


def test_asking_how_executions_stand_is_not_logged_as_a_change(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "stepfast")
    assert aws.ask("POST", "/v1/executions/statuses", {"execution_ids": ["one"]}) == (200, {"executions": []})
    assert [record for record in caplog.records if record.name == "stepfast.functions.api"] == []


def test_resuming_works_without_any_queue(aws: Aws) -> None:
    aws.start("echo", 1)
    status, body = aws.ask("POST", "/v1/executions/one/resume")
    assert (status, body["execution_status"]) == (409, "RUNNING")
    assert aws.ask("POST", "/v1/dead-letters/replay", {"all": True})[0] == 200


def test_what_waiting_cannot_mend_is_not_asked_again(aws: Aws) -> None:
    event = http("GET", "/v1/executions/one", authorizer={"lambda": {"scopes": "read"}})
    answer = aws.invoke("api", event, table="misspelt")
    assert '"urn:stepfast:problem:misconfigured"' in answer["body"]
    assert "Retry-After" not in answer["headers"]


def test_a_batch_of_starts_has_an_outcome_for_each(aws: Aws) -> None:
    starts = [{"workflow": "echo", "input": number, "execution_id": f"e-{number}"} for number in range(40)]
    for created in (True, False):
        status, answer = aws.ask("POST", "/v1/executions/batch", {"starts": starts})
        assert status == 200
        assert [outcome["execution_id"] for outcome in answer["outcomes"]] == [
            start["execution_id"] for start in starts
        ]
        assert {outcome["created"] for outcome in answer["outcomes"]} == {created}
    assert len(aws.ask("GET", "/v1/executions")[1]["executions"]) == 40
    other = [{**starts[0], "input": "other"}, {"workflow": "nobody"}, {"workflow": "echo", "execution_id": "new"}]
    outcomes = aws.ask("POST", "/v1/executions/batch", {"starts": other})[1]["outcomes"]
    assert [outcome["problem"] and outcome["problem"]["status"] for outcome in outcomes] == [409, 404, None]


def test_while_the_table_is_away_each_start_of_a_batch_says_so(aws: Aws) -> None:
    handler = aws.build("api")
    starts = [{"workflow": "echo", "execution_id": f"e-{number}"} for number in range(3)]
    with away(aws.clients.dynamodb):
        event = http("POST", "/v1/executions/batch", {"starts": starts}, authorizer={"lambda": {"scopes": "run"}})
        outcomes = json.loads(handler(event)["body"])["outcomes"]
    assert [outcome["problem"]["status"] for outcome in outcomes] == [503] * 3
