"""moto's Lambda and ECS for the programs of docs/aws-work.md, and these programs."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import lambda_simple_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager

from stepfast.integrations import external_work
from stepfast.testing import Environment, MotoCloud

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
    external_work._client.cache_clear()
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


def function_answers(*answers: Any) -> None:
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


def with_network(name: str, account: Account) -> str:
    """A program, in the network of the account."""
    text: str = PROGRAMS[name]
    return text.replace("subnet-12345678", account.subnet).replace("sg-12345678", account.group)


def variables(call: dict[str, Any]) -> dict[str, str]:
    (container,) = call["overrides"]["containerOverrides"]
    return {variable["name"]: variable["value"] for variable in container["environment"]}
