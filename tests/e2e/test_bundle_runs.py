"""Every handler of the built bundle begins and answers under Lambda's own runtime client, with the bundle alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stepfast.cli.invoke import REGION
from stepfast.cli.invoke import deployed as resources_of_a_stack
from stepfast.deployment.settings import (
    BUCKET,
    PARK_QUEUE,
    POOL,
    QUEUES,
    SCHEDULE_ROLE,
    SCHEDULES,
    TABLE,
    TIMER_QUEUE,
    Settings,
)
from stepfast.functions.clients import Clients
from stepfast.infra.bundle import Bundle, Source, build
from stepfast.infra.preparing import CACHE
from stepfast.infra.target import Target
from stepfast.language.registry import discover
from tests.e2e.conftest import Deployed
from tests.e2e.emulator import ARCHITECTURE, ROOT, python_of_functions
from tests.e2e.runtime_api import sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENVIRONMENT = {
    "STEPFAST_TABLE": "table",
    "STEPFAST_BUCKET": "bucket",
    "STEPFAST_QUEUES": json.dumps({one: f"https://sqs.eu-central-1.example/1/{one}" for one in ("default", "pdf")}),
    "STEPFAST_TIMER_QUEUE": "https://sqs.eu-central-1.example/1/timers",
    "STEPFAST_PARK_QUEUE": "https://sqs.eu-central-1.example/1/park",
    "STEPFAST_SCHEDULES": "group",
    "STEPFAST_SCHEDULE_ROLE": "arn:aws:iam::111122223333:role/schedules",
    "STEPFAST_POOL": "default",
    "STEPFAST_AUTH": "keys",
}
REFUSED = {"version": "2.0", "headers": {"authorization": "Bearer none"}}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    target = Target(ARCHITECTURE, python_of_functions())  # type: ignore[arg-type]
    return build(Source(ROOT, extras=["examples"], include=["functions"]), target, ROOT / CACHE)


def event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def test_the_api_answers(bundle: Bundle) -> None:
    with sandbox(bundle.folder, "functions.api.handler", ENVIRONMENT) as lambda_:
        kind, answer = lambda_.call(event("api-health"))
        assert (kind, answer["statusCode"]) == ("response", 200)


def test_the_authorizer_refuses_what_is_no_key(bundle: Bundle) -> None:
    with sandbox(bundle.folder, "functions.authorizer.handler", ENVIRONMENT) as lambda_:
        assert lambda_.call(REFUSED) == ("response", {"isAuthorized": False})


# -- the life of one order, handler by handler ---------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """What a stack has, without anything that would call its functions; `play` hands one of events/ to a handler."""

    bundle: Path
    clients: Clients
    settings: Settings
    environment: Mapping[str, str]

    def play(self, kind: str, name: str) -> Any:
        with sandbox(self.bundle, f"functions.{kind}.handler", self.environment) as lambda_:
            answered, answer = lambda_.call(event(name))
            assert answered == "response", answer
            return answer


@pytest.fixture(scope="module")
def account(deployed: Deployed, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Account:
    emulator = deployed.emulator
    made = {one: emulator.client(one, REGION) for one in ("dynamodb", "sqs", "s3", "scheduler")}
    clients = Clients(REGION, **made)
    settings = resources_of_a_stack(clients, discover(ROOT / "workflows"))
    environment = {
        TABLE: settings.table,
        BUCKET: settings.bucket,
        QUEUES: json.dumps(settings.queues),
        TIMER_QUEUE: settings.timer_queue,
        PARK_QUEUE: settings.park_queue,
        SCHEDULES: settings.schedules,
        SCHEDULE_ROLE: settings.schedule_role,
        POOL: "default",
        "ORDER_SHOP": str(tmp_path_factory.mktemp("shop") / "shop"),
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_CA_BUNDLE": emulator.certificate,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    return Account(bundle.folder, clients, settings, environment)


def test_every_handler_does_its_work_with_the_bundle_alone(account: Account) -> None:
    assert account.play("authorizer", "authorizer") == {"isAuthorized": False}  # it has asked the table
    # The workflows, their packages and the validation of what they take are all in the bundle.
    listed = json.loads(account.play("api", "api-workflows")["body"])["workflows"]
    assert [(one["name"], one["paused"]) for one in listed] == [
        ("order-fulfilment", None),
        ("quarterly-financial-report", None),
    ]
    assert account.play("api", "api-start")["statusCode"] == 201
    assert account.play("advancer", "advancer") == {"batchItemFailures": []}
    asked = account.clients.sqs.receive_message(QueueUrl=account.settings.queues["default"])["Messages"]
    assert [json.loads(one["Body"])["command"] for one in asked] == ["charge"]
    assert account.play("step", "step") == {"batchItemFailures": []}
    shown = json.loads(account.play("api", "api-show")["body"])
    assert (shown["status"], shown["result"]["status"]) == ("SUCCEEDED", "shipped")
    # A timer of the year 2100 becomes a schedule; a parked failure that was resumed is let go.
    assert account.play("timer", "timer") == {"batchItemFailures": []}
    assert len(account.clients.scheduler.list_schedules(GroupName=account.settings.schedules)["Schedules"]) == 1
    assert account.play("resume", "resume") == {"batchItemFailures": []}
    assert account.play("sweeper", "sweeper") == {"rounds": 1, "complete": True}


def test_a_missing_package_is_noticed(bundle: Bundle, tmp_path: Path) -> None:
    short = tmp_path / "bundle"
    shutil.copytree(bundle.folder, short, ignore=shutil.ignore_patterns("pydantic_core"))
    with sandbox(short, "functions.api.handler", ENVIRONMENT) as lambda_:
        kind, answer = lambda_.answers.get(timeout=30)
        assert kind == "init/error"
        assert "pydantic_core" in answer["errorMessage"]


@pytest.mark.parametrize("variable", ["STEPFAST_BUCKET"])
def test_a_missing_setting_ends_the_beginning_with_its_name(bundle: Bundle, variable: str) -> None:
    less = {name: value for name, value in ENVIRONMENT.items() if name != variable}
    with sandbox(bundle.folder, "functions.api.handler", less) as lambda_:
        kind, answer = lambda_.answers.get(timeout=30)
        assert kind == "init/error"
        assert variable in answer["errorMessage"]
