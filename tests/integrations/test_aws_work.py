"""The programs of docs/aws-work.md run as they stand, against moto's Lambda and ECS, in both homes."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager

from stepfast import Client
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.testing import Environment, MotoCloud
from tests.http.serving import served
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs/aws-work.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL))
REGION = "eu-central-1"
HOMES = pytest.mark.parametrize("home", [Environment, MotoCloud])


@dataclass
class Account:
    """moto's account, and what was asked of it."""

    subnet: str
    group: str
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls.append((model.name, dict(params)))

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == operation]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", REGION)):
        monkeypatch.setenv(f"AWS_{name}", value)
    # By itself moto's task would end by being looked at.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000})
    with mock_aws(config={"lambda": {"use_docker": False}}):
        session = boto3.Session()
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        ec2 = session.client("ec2")
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        made = Account(ec2.describe_subnets()["Subnets"][0]["SubnetId"], group)
        for event in ("lambda.Invoke", "ecs.RunTask"):
            session.events.register(f"provide-client-params.{event}", made.record)
        _make_function(session)
        ecs = session.client("ecs")
        ecs.create_cluster(clusterName="media")
        ecs.register_task_definition(
            family="render",
            networkMode="awsvpc",
            containerDefinitions=[{"name": "render", "image": "render:1", "cpu": 1, "memory": 128}],
        )
        yield made
    state_manager.unset_transition("ecs::task")


def _make_function(session: Any) -> None:
    role = session.client("iam").create_role(RoleName="pricing", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("pricing.py", "")
    session.client("lambda").create_function(
        FunctionName="pricing",
        Runtime="python3.13",
        Role=role,
        Handler="pricing.handler",
        Code={"ZipFile": content.getvalue()},
    )


def _function_answers(*answers: Any) -> None:
    queue = lambda_simple_backends[DEFAULT_ACCOUNT_ID][REGION].lambda_simple_results_queue
    queue.extend(json.dumps(answer) for answer in answers)


def program(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str | None = None) -> ModuleType:
    (folder / f"{name}.py").write_text(text or PROGRAMS[name], encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        return importlib.import_module(name)
    finally:
        sys.modules.pop(name, None)


@HOMES
def test_a_function_is_called_again_under_the_same_key(
    home: Any, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pricing = program("pricing", tmp_path, monkeypatch)
    _function_answers({"unexpected": "answer"}, {"price": 7})
    with home(pricing.pricing) as env:
        run = env.run(pricing.pricing, "o-1")
        assert (run.status, run.result) == ("SUCCEEDED", 7)
    sent = [json.loads(call["Payload"]) for call in account.asked("Invoke")]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert sent[0]["order_id"] == "o-1"
    assert sent[0]["idempotency_key"].startswith(run.execution_id)


def test_an_error_of_the_function_is_an_error_of_the_step(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pricing = program("pricing", tmp_path, monkeypatch)
    # moto's simple Lambda has no answer with FunctionError, so the answer is changed where botocore parses it.
    events = boto3.DEFAULT_SESSION.events
    events.register("after-call.lambda.Invoke", lambda parsed, **_: parsed.update(FunctionError="Unhandled"))
    failures = [{"errorType": "Busy", "errorMessage": "later"}, {"errorType": "UnknownOrder", "errorMessage": "?"}]
    _function_answers(*failures)
    with Environment(pricing.pricing) as env:
        run = env.run(pricing.pricing, "o-2")
        assert run.status == "FAILED"
    assert len(account.asked("Invoke")) == 2, "busy is tried again, an unknown order is not"


def test_boto3_waits_as_long_as_the_step_and_does_not_call_again_by_itself(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pricing = program("pricing", tmp_path, monkeypatch)
    config = pricing.functions().meta.config
    assert config.read_timeout >= pricing.price_of.timeout
    assert config.retries["total_max_attempts"] == 1


def _rendering(account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    text = PROGRAMS["rendering"].replace("subnet-12345678", account.subnet).replace("sg-12345678", account.group)
    return program("rendering", folder, monkeypatch, text)


def _stop_tasks() -> None:
    ecs = boto3.client("ecs")
    for task in ecs.list_tasks(cluster="media")["taskArns"]:
        ecs.stop_task(cluster="media", task=task)


def variables(call: dict[str, Any]) -> dict[str, str]:
    (container,) = call["overrides"]["containerOverrides"]
    return {variable["name"]: variable["value"] for variable in container["environment"]}


@HOMES
def test_a_task_is_started_and_its_signal_is_the_result(
    home: Any, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendering = _rendering(account, tmp_path, monkeypatch)
    with home(rendering.rendering) as env:
        env.at(timedelta(minutes=15)).signal("rendered-1", {"location": "s3://videos/a.mp4"})
        run = env.run(rendering.rendering, "a")
        assert (run.status, run.result) == ("SUCCEEDED", "s3://videos/a.mp4")
    (started,) = account.asked("RunTask")
    assert variables(started) == {"VIDEO": "a", "EXECUTION_ID": run.execution_id, "SIGNAL": "rendered-1"}
    assert len(started["clientToken"]) == 64


@HOMES
def test_a_task_that_stops_without_a_signal_is_started_anew_under_another_token(
    home: Any, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendering = _rendering(account, tmp_path, monkeypatch)
    with home(rendering.rendering) as env:
        env.at(timedelta(minutes=1)).do(_stop_tasks)
        env.at(timedelta(minutes=15)).signal("rendered-2", {"location": "s3://videos/b.mp4"})
        run = env.run(rendering.rendering, "b")
        assert (run.status, run.result) == ("SUCCEEDED", "s3://videos/b.mp4")
    first, second = account.asked("RunTask")
    assert first["clientToken"] != second["clientToken"]


def test_a_crash_at_any_point_starts_tasks_under_one_token_only(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendering = _rendering(account, tmp_path, monkeypatch)

    def calls_and_points(crash: int | None) -> tuple[int, int]:
        account.calls.clear()
        with Environment(rendering.rendering) as env:
            env.at(timedelta(minutes=5)).signal("rendered-1", {"location": "s3://videos/c.mp4"})
            if crash is not None:
                env.crash(at=crash)
            assert env.run(rendering.rendering, "c").result == "s3://videos/c.mp4"
        assert len({call["clientToken"] for call in account.asked("RunTask")}) == 1
        return len(account.asked("RunTask")), len(env.points)

    calls, points = calls_and_points(None)
    assert calls == 1
    counted = [calls_and_points(number)[0] for number in range(points)]
    assert max(counted) == 2, "one of the crashes comes between the start of the task and its record"


def test_the_container_sends_its_signal_once(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendering = _rendering(account, tmp_path, monkeypatch)
    task = program("task", tmp_path, monkeypatch)
    registry = Registry([rendering.rendering])
    runtime = Runtime(registry, tmp_path / "render.db", durability="process")
    with runtime, served(build(runtime.operations, registry, runtime.call)) as url, Client(url) as client:
        execution = client.run(rendering.rendering, "d")
        until(lambda: account.asked("RunTask"))
        for name, value in {**variables(account.asked("RunTask")[0]), "STEPFAST_URL": url}.items():
            monkeypatch.setenv(name, value)
        for _ in range(2):  # As after a crash of the task, once it has sent the signal.
            task.report("s3://videos/d.mp4")
        assert execution.result(timeout=60) == "s3://videos/d.mp4"
