"""Every file in events/ is what its source really sends: handled, in the order of one order's life."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepfast.functions.api import build as build_api
from stepfast.functions.clients import Clients
from stepfast.functions.host import Host
from stepfast.language.registry import Registry, discover
from tests.functions.conftest import Aws, Context
from tests.functions.sources import EVENTS, failures, sample

ID = "order-1001"
FUNCTIONS = frozenset({"api", "authorizer", "advancer", "step", "timer", "resume", "sweeper", "events"})
"""The first word of a sample's name is the function that it is for."""
STARTED = ("api-start.json",)
SHIPPED = ("api-start.json", "advancer.json", "step.json")

API_SAMPLES: dict[str, tuple[tuple[str, ...], int]] = {
    "api-start.json": ((), 201),
    "api-start-base64.json": ((), 201),
    "api-start-iam.json": ((), 201),
    "api-batch.json": ((), 200),
    "api-list.json": (STARTED, 200),
    "api-list-prefix.json": (STARTED, 200),
    "api-statuses.json": (STARTED, 200),
    "api-show.json": (SHIPPED, 200),
    "api-show-command.json": (SHIPPED, 200),
    "api-show-unchanged.json": (STARTED, 304),
    "api-history.json": (SHIPPED, 200),
    "api-commands.json": (SHIPPED, 200),
    "api-items.json": (SHIPPED, 200),
    "api-runs.json": (SHIPPED, 200),
    "api-waits.json": (STARTED, 200),
    "api-links.json": (STARTED, 200),
    "api-recording.json": (SHIPPED, 200),
    "api-recording-run.json": (SHIPPED, 200),
    "api-recording-value.json": (SHIPPED, 200),
    "api-link-keys.json": ((), 200),
    "api-link-keys-rotate.json": ((), 200),
    "api-callback.json": ((), 403),
    "api-events.json": (STARTED, 200),
    "api-signal.json": (STARTED, 202),
    "api-handlers.json": (STARTED, 200),
    "api-query.json": (STARTED, 404),
    "api-update.json": (STARTED, 404),
    "api-update-state.json": (STARTED, 404),
    "api-cancel.json": (STARTED, 200),
    "api-pause.json": (STARTED, 200),
    "api-unpause.json": ((*STARTED, "api-pause.json"), 200),
    "api-close.json": (STARTED, 409),
    "api-reopen.json": (STARTED, 409),
    "api-terminate.json": (STARTED, 200),
    "api-delete.json": ((*STARTED, "api-cancel.json"), 200),
    "api-resume.json": (STARTED, 409),
    "api-repair.json": (SHIPPED, 409),
    "api-fork.json": (SHIPPED, 422),
    "api-dead-letters.json": (STARTED, 200),
    "api-dead-letters-by-step.json": (STARTED, 200),
    "api-dead-letter-groups.json": (STARTED, 200),
    "api-replay.json": (STARTED, 200),
    "api-replay-by-step.json": (STARTED, 200),
    "api-workflows.json": ((), 200),
    "api-workflow-pause.json": ((), 200),
    "api-workflow-unpause.json": (("api-workflow-pause.json",), 200),
    "api-figures.json": (SHIPPED, 200),
    "api-limits.json": ((), 200),
    "api-limit.json": ((), 404),
    "api-limit-set.json": ((), 404),
    "api-limit-reset.json": ((), 404),
    "api-gates.json": ((), 200),
    "api-gate-close.json": ((), 404),
    "api-gate-open.json": ((), 404),
    "api-schedules.json": ((), 200),
    "api-schedule.json": ((), 404),
    "api-schedule-pause.json": ((), 404),
    "api-schedule-unpause.json": ((), 404),
    "api-schedule-trigger.json": ((), 404),
    "api-schedule-backfill.json": ((), 404),
    "api-audit.json": (STARTED, 200),
    "api-webhooks.json": ((), 200),
    "api-webhook.json": ((), 404),
    "api-webhook-dead-letters.json": ((), 404),
    "api-webhook-redeliver.json": ((), 404),
    "api-job-start.json": ((), 201),
    "api-jobs.json": ((), 200),
    "api-job.json": ((), 404),
    "api-job-report.json": ((), 404),
    "api-job-stop.json": ((), 404),
    "api-health.json": ((), 200),
    "api-openapi.json": ((), 200),
}
"""What is sent before, and the status of the answer."""
OTHERS = {
    "advancer.json",
    "authorizer.json",
    "events.json",
    "resume-redriven.json",
    "resume.json",
    "step-poison.json",
    "step.json",
    "sweeper.json",
    "timer-scheduled-start.json",
    "timer-scheduler-start.json",
    "timer.json",
}
"""Each has a test of its own below."""


@pytest.fixture(scope="module")
def examples() -> Registry:
    return discover(Path(__file__).parents[2] / "workflows")


@pytest.fixture
def aws(deploy: Callable[..., Aws], examples: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("ORDER_SHOP", str(tmp_path / "shop"))
    return deploy(examples)


def play(aws: Aws, name: str, iam: bool = False) -> Any:
    kind = re.split(r"[-.]", name)[0]
    return aws.invoke(kind, sample(name), **({"auth": "iam"} if iam else {}))


def test_no_sample_is_unused_and_none_is_missing() -> None:
    assert {path.name for path in EVENTS.glob("*")} == {*API_SAMPLES, *OTHERS}
    assert {re.split(r"[-.]", path.name)[0] for path in EVENTS.glob("*")} == FUNCTIONS


def test_every_route_has_a_sample(aws: Aws) -> None:
    described = json.loads(json.loads(json.dumps(play(aws, "api-openapi.json")))["body"])
    routes = {
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"\Z"))
        for path, methods in described["paths"].items()
        for method in methods
    }
    asked = [sample(name)["requestContext"]["http"] for name in API_SAMPLES]
    for method, pattern in routes:
        assert any(request["method"] == method and pattern.match(request["path"]) for request in asked), (
            method,
            pattern.pattern,
        )


@pytest.mark.parametrize("name", API_SAMPLES)
def test_a_request_is_answered(aws: Aws, name: str) -> None:
    before, status = API_SAMPLES[name]
    for earlier in before:
        play(aws, earlier)
    answer = play(aws, name, iam="iam" in name)
    assert answer["statusCode"] == status, answer["body"]
    assert answer["isBase64Encoded"] is False
    assert set(answer) <= {"statusCode", "headers", "cookies", "body", "isBase64Encoded"}


def test_the_samples_tell_the_life_of_one_order(aws: Aws) -> None:
    assert json.loads(play(aws, "api-start.json")["body"])["status"] == "RUNNING"
    assert json.loads(play(aws, "api-list.json")["body"])["executions"] == [], "the labels asked for differ"
    (executions,) = json.loads(play(aws, "api-list-prefix.json")["body"])["executions"]
    assert (executions["execution_id"], executions["omitted"]) == (ID, {"input": None})
    (executions,) = json.loads(play(aws, "api-statuses.json")["body"])["executions"]
    assert (executions["execution_id"], executions["status"]) == (ID, "RUNNING")
    assert play(aws, "advancer.json") == {"batchItemFailures": []}
    assert [message["command"] for message in aws.waiting()] == ["charge"]
    assert play(aws, "step.json") == {"batchItemFailures": []}
    shown = json.loads(play(aws, "api-show.json")["body"])
    assert (shown["status"], shown["result"]["status"]) == ("SUCCEEDED", "shipped")
    assert [command["id"] for command in shown["commands"]] == ["charge", "reserve", "ship"]
    (charge,) = json.loads(play(aws, "api-show-command.json")["body"])["commands"]
    assert charge == shown["commands"][0]
    assert play(aws, "api-cancel.json")["statusCode"] == 409


def test_the_stream_deletes_what_expired_and_lets_the_rest_be(aws: Aws) -> None:
    for sort in ("meta", "c#charge", "s#approval", "z#000001#000000"):
        for id in ("order-0900", "order-1002"):
            aws.clients.dynamodb.put_item(TableName="stepfast", Item={"pk": {"S": f"x#{id}"}, "sk": {"S": sort}})
    aws.clients.dynamodb.delete_item(TableName="stepfast", Key={"pk": {"S": "x#order-0900"}, "sk": {"S": "meta"}})
    assert play(aws, "advancer.json") == {"batchItemFailures": []}
    left = {item["pk"]["S"] for item in aws.clients.dynamodb.scan(TableName="stepfast")["Items"]}
    assert left == {"x#order-1002"}


def test_of_a_batch_with_poison_the_poison_alone_comes_again(aws: Aws) -> None:
    event = sample("step-poison.json")
    answer = play(aws, "step-poison.json")
    assert failures(answer) == [record["messageId"] for record in event["Records"][:2]]


def test_the_authorizer_knows_the_sample_key(aws: Aws) -> None:
    event = sample("authorizer.json")
    _, key_id, secret = event["headers"]["authorization"].removeprefix("Bearer ").split("_", 2)
    assert play(aws, "authorizer.json") == {"isAuthorized": False}
    aws.clients.dynamodb.put_item(
        TableName="stepfast",
        Item={
            "pk": {"S": f"k#{key_id}"},
            "sk": {"S": "key"},
            "name": {"S": "shop"},
            "scopes": {"S": "read run"},
            "created": {"N": "1795000000"},
            "hash": {"B": hashlib.sha256(secret.encode()).digest()},
        },
    )
    assert play(aws, "authorizer.json") == {"isAuthorized": True, "context": {"scopes": "read run", "key": "shop"}}


def test_timers_that_are_due_end_and_others_are_put_off(aws: Aws) -> None:
    event = sample("timer.json")
    # The first is of an execution that is gone, the second is due in 2100.
    assert failures(play(aws, "timer.json")) == []
    (schedule,) = aws.clients.scheduler.list_schedules(GroupName="stepfast")["Schedules"]
    made = aws.clients.scheduler.get_schedule(Name=schedule["Name"], GroupName="stepfast")
    assert json.loads(made["Target"]["Input"])["execution"] == json.loads(event["Records"][1]["body"])["execution"]


@pytest.mark.parametrize(
    ("name", "made_of"),
    [("timer-scheduled-start.json", "standing-order"), ("timer-scheduler-start.json", "order-fulfilment")],
)
def test_a_scheduled_start_that_comes_twice_starts_once(aws: Aws, name: str, made_of: str) -> None:
    play(aws, name)
    aws.clock.time += 2
    play(aws, name)
    assert aws.execution(f"{made_of}-2026-11-22T150000Z").status == "RUNNING"
    assert aws.counts.values["ExecutionsStarted", "order-fulfilment"] == [1]


def test_a_parked_failure_is_refused_and_a_redriven_one_resumes(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").write_text("in the way of the folder")
    play(aws, "api-start.json")
    play(aws, "advancer.json")
    while aws.execution(ID).status == "RUNNING":
        play(aws, "step.json")
        aws.clock.time += 70
    assert aws.execution(ID).status == "FAILED"
    (group,) = json.loads(play(aws, "api-dead-letter-groups.json")["body"])["groups"]
    assert (group["step"], group["count"], group["execution_id"]) == ("charge", 1, ID)
    assert len(failures(play(aws, "resume.json"))) == 1
    assert aws.execution(ID).status == "FAILED"
    assert play(aws, "resume-redriven.json") == {"batchItemFailures": []}
    assert (aws.execution(ID).status, aws.execution(ID).generation) == ("RUNNING", 1)
    assert json.loads(play(aws, "api-resume.json")["body"])["execution_status"] == "RUNNING"


def test_a_sweep_is_begun_by_an_empty_event(aws: Aws) -> None:
    assert play(aws, "sweeper.json") == {"rounds": 1, "complete": True}


def test_requests_without_a_caller_are_not_answered(aws: Aws) -> None:
    for name in API_SAMPLES:
        event = sample(name)
        event["requestContext"].pop("authorizer", None)
        expected = {"api-health.json": 200, "api-callback.json": 403}.get(name, 401)
        assert aws.invoke("api", event)["statusCode"] == expected, name


def test_the_api_takes_a_context_of_none(aws: Aws) -> None:
    handler = build_api(aws.settings, Clients("eu-central-1"), Host(aws.registry, aws.clock, aws.call))
    assert handler(sample("api-health.json"), None)["statusCode"] == 200
    assert Context().get_remaining_time_in_millis() == 300_000
