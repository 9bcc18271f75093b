"""Settings from the environment, and clients made of them."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from stepfast.deployment.settings import ALSO, NEEDS, Settings
from stepfast.errors import StartupError
from stepfast.functions.clients import Clients

ENVIRONMENT = {
    "STEPFAST_TABLE": "table",
    "STEPFAST_BUCKET": "bucket",
    "STEPFAST_QUEUES": json.dumps({"default": "https://queue/1/default", "pdf": "https://queue/1/pdf"}),
    "STEPFAST_TIMER_QUEUE": "https://queue/1/timer",
    "STEPFAST_PARK_QUEUE": "https://queue/1/park",
    "STEPFAST_SCHEDULES": "group",
    "STEPFAST_SCHEDULE_ROLE": "arn:aws:iam::1:role/r",
    "STEPFAST_POOL": "pdf",
    "STEPFAST_UNDELIVERED": "https://queue/1/undelivered",
    "STEPFAST_EVENT_BUS": "default",
    "STEPFAST_EVENT_QUEUE": "https://queue/1/events",
    "AWS_REGION": "eu-central-1",
}


def test_everything_is_read() -> None:
    more = {
        "STEPFAST_RETENTION_DAYS": "7",
        "STEPFAST_LISTING_SHARDS": "2",
        "STEPFAST_AUTH": "iam",
        "STEPFAST_LOG_VALUES": "true",
    }
    settings = Settings.from_environment({**ENVIRONMENT, **more, "LAMBDA_TASK_ROOT": "/var/task"}, NEEDS["step"])
    assert (settings.table, settings.bucket, settings.pool, settings.region) == (
        "table",
        "bucket",
        "pdf",
        "eu-central-1",
    )
    assert settings.queues["pdf"] == "https://queue/1/pdf"
    assert (settings.retention, settings.listing_shards, settings.auth, settings.log_values) == (
        7 * 86400.0,
        2,
        "iam",
        True,
    )
    assert settings.workflows == "/var/task/workflows"


def test_what_may_be_left_out_has_a_default() -> None:
    settings = Settings.from_environment({"STEPFAST_TABLE": "table"})
    assert (settings.retention, settings.listing_shards, settings.auth, settings.workflows) == (
        90 * 86400.0,
        8,
        "keys",
        "workflows",
    )
    assert settings.log_values is False
    assert Settings.from_environment({"STEPFAST_TABLE": "t", "STEPFAST_RETENTION_DAYS": "0"}).retention is None


def test_an_absolute_folder_of_workflows_stays_as_it_is() -> None:
    environment = {"STEPFAST_TABLE": "t", "STEPFAST_WORKFLOWS": "/opt/flows", "LAMBDA_TASK_ROOT": "/var/task"}
    assert Settings.from_environment(environment).workflows == "/opt/flows"


@pytest.mark.parametrize("kind", NEEDS)
def test_a_function_asks_for_what_it_needs_and_all_that_is_missing_is_named(kind: str) -> None:
    with pytest.raises(StartupError) as raised:
        Settings.from_environment({}, NEEDS[kind])
    assert all(name in str(raised.value) for name in NEEDS[kind])
    needed = {name: value for name, value in ENVIRONMENT.items() if name in NEEDS[kind]}
    Settings.from_environment(needed, NEEDS[kind])
    assert not {*NEEDS[kind]} & {*ALSO[kind]}


def test_the_authorizer_needs_the_table_alone() -> None:
    assert (NEEDS["authorizer"], ALSO["authorizer"]) == (("STEPFAST_TABLE",), ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STEPFAST_TABLE", "  "),
        ("STEPFAST_QUEUES", "default"),
        ("STEPFAST_QUEUES", "[]"),
        ("STEPFAST_QUEUES", '{"pdf": 1}'),
        ("STEPFAST_QUEUES", '{"pdf": ""}'),
        ("STEPFAST_POOL", "other"),
        ("STEPFAST_RETENTION_DAYS", "-1"),
        ("STEPFAST_RETENTION_DAYS", "ninety"),
        ("STEPFAST_LISTING_SHARDS", "0"),
        ("STEPFAST_AUTH", "none"),
        ("STEPFAST_LOG_VALUES", "yes"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=name):
        Settings.from_environment({**ENVIRONMENT, name: value}, NEEDS["step"])


# -- clients ---------------------------------------------------------------------------------------------------


def test_a_client_is_made_once_and_only_when_it_is_asked_for(no_account: None) -> None:
    made: list[str] = []

    class Noting(Clients):
        def _make(self, service: str) -> Any:
            made.append(service)
            return super()._make(service)

    clients = Noting("eu-west-1")
    assert made == []
    assert clients.sqs is clients.sqs
    assert made == ["sqs"]
    assert clients.sqs.meta.region_name == "eu-west-1"


def test_a_client_retries_adaptively_and_does_not_wait_long_for_a_connection(no_account: None) -> None:
    config = Clients("eu-west-1").dynamodb.meta.config
    assert config.retries["mode"] == "adaptive"
    assert config.connect_timeout < 5
    assert config.read_timeout <= 10


def test_a_client_that_is_given_is_used() -> None:
    mine = object()
    assert Clients("eu-west-1", s3=mine).s3 is mine


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StartupError, match=r"pip install 'stepfast\[aws\]'"):
        _ = Clients("eu-west-1").dynamodb


def test_the_region_may_be_said_as_to_the_aws_command_line(no_account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert Clients().dynamodb.meta.region_name == "eu-north-1"
    assert Clients("eu-west-1").dynamodb.meta.region_name == "eu-west-1"


def test_without_a_region_it_says_what_to_set(no_account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(StartupError, match="AWS_REGION"):
        _ = Clients().dynamodb
