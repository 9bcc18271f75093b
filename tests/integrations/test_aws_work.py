"""The programs of docs/aws-work.md run as they stand, against moto's Lambda and ECS, in both homes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from stepfast import Client
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from stepfast.testing import Environment
from tests.http.serving import served
from tests.integrations.aws_account import HOMES, Account, function_answers, program, variables, with_network
from tests.integrations.aws_account import account as account
from tests.waiting import until


@HOMES
def test_a_function_is_called_again_under_the_same_key(
    home: Any, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pricing = program("pricing", tmp_path, monkeypatch)
    function_answers({"unexpected": "answer"}, {"price": 7})
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
    function_answers(*failures)
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
    return program("rendering", folder, monkeypatch, with_network("rendering", account))


def _stop_tasks() -> None:
    ecs = boto3.client("ecs")
    for task in ecs.list_tasks(cluster="media")["taskArns"]:
        ecs.stop_task(cluster="media", task=task)


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
