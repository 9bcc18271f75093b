"""Every handler of the built bundle begins and answers under Lambda's own runtime client, with the bundle alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepfast.infra.app import CACHE
from stepfast.infra.bundle import Bundle, Source, build
from stepfast.infra.target import Target
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
NO_RECORDS: dict[str, Any] = {"Records": []}
REFUSED = {"version": "2.0", "headers": {"authorization": "Bearer none"}}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    target = Target(ARCHITECTURE, python_of_functions())  # type: ignore[arg-type]
    return build(Source(ROOT, extras=["examples"]), target, ROOT / CACHE)


def event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def test_the_api_answers(bundle: Bundle) -> None:
    with sandbox(bundle.folder, "stepfast.functions.api.handler", ENVIRONMENT) as lambda_:
        kind, answer = lambda_.call(event("api-health"))
        assert (kind, answer["statusCode"]) == ("response", 200)
        # The workflows, their packages and the validation of what they take are all in the bundle.
        kind, answer = lambda_.call(event("api-workflows"))
        assert (kind, answer["statusCode"]) == ("response", 200)
        names = [one["name"] for one in json.loads(answer["body"])["workflows"]]
        assert names == ["order-fulfilment", "quarterly-financial-report"]


def test_the_authorizer_refuses_what_is_no_key(bundle: Bundle) -> None:
    with sandbox(bundle.folder, "stepfast.functions.authorizer.handler", ENVIRONMENT) as lambda_:
        assert lambda_.call(REFUSED) == ("response", {"isAuthorized": False})


@pytest.mark.parametrize("kind", ["advancer", "step", "timer", "resume"])
def test_consumers_begin_and_answer(bundle: Bundle, kind: str) -> None:
    with sandbox(bundle.folder, f"stepfast.functions.{kind}.handler", ENVIRONMENT) as lambda_:
        answered, answer = lambda_.call({"Records": []})
        assert answered in ("response", "error"), answer
        assert "ImportModuleError" not in str(answer)


def test_the_sweeper_begins(bundle: Bundle) -> None:
    with sandbox(bundle.folder, "stepfast.functions.sweeper.handler", ENVIRONMENT) as lambda_:
        assert lambda_.ready.is_set()
        assert lambda_.answers.empty()


def test_a_missing_package_is_noticed(bundle: Bundle, tmp_path: Path) -> None:
    import shutil

    short = tmp_path / "bundle"
    shutil.copytree(bundle.folder, short, ignore=shutil.ignore_patterns("pydantic_core"))
    with sandbox(short, "stepfast.functions.api.handler", ENVIRONMENT) as lambda_:
        kind, answer = lambda_.answers.get(timeout=30)
        assert kind == "init/error"
        assert "pydantic_core" in answer["errorMessage"]


@pytest.mark.parametrize("variable", ["STEPFAST_BUCKET"])
def test_a_missing_setting_ends_the_beginning_with_its_name(bundle: Bundle, variable: str) -> None:
    less = {name: value for name, value in ENVIRONMENT.items() if name != variable}
    with sandbox(bundle.folder, "stepfast.functions.api.handler", less) as lambda_:
        kind, answer = lambda_.answers.get(timeout=30)
        assert kind == "init/error"
        assert variable in answer["errorMessage"]
