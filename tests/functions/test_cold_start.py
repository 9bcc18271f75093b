"""What a cold start imports: only what the function needs. Each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT = "import json, sys, stepfast.functions.{kind}; print(json.dumps(sorted(sys.modules)))"
ENGINE = (
    "stepfast.model",
    "stepfast.engine.operations",
    "stepfast.replay.replay",
    "stepfast.engine.step_handler",
    "stepfast.language.workflows",
)
NEVER = (
    "aws_lambda_powertools.utilities.batch",
    "aws_xray_sdk",
    "boto3",
    "botocore.client",
    "botocore.session",
    "httpx",
    "moto",
    "rich",
    "stepfast.cli",
    "stepfast.client",
    "stepfast.infra",
    "stepfast.local",
    "stepfast.testing",
    "tomllib",
    "typer",
    "uvicorn",
)
OPERATORS = ("stepfast.engine.operations", "stepfast.engine.job_runner", "stepfast.engine.forking")
"""What operators ask for, which is most of the engine."""
SENDING = ("stepfast.backends.aws.sqs", "stepfast.backends.aws.scheduler")
NOT_IN = {
    "authorizer": ("asyncio", "pydantic", "stepfast.backends.dynamodb.store", "stepfast.http", *ENGINE),
    "api": (
        "aws_lambda_powertools.event_handler.appsync",
        "aws_lambda_powertools.utilities.data_classes.sqs_event",
        "stepfast.backends.aws.sqs",
        "stepfast.backends.aws.scheduler",
        "stepfast.engine.step_handler",
        "stepfast.deployment.plan",
    ),
    "advancer": (*OPERATORS, "stepfast.engine.step_handler", "stepfast.http", "stepfast.deployment.plan"),
    "sweeper": ("stepfast.engine.step_handler", "stepfast.http", "stepfast.deployment.plan"),
    "resume": (
        "stepfast.engine.step_handler",
        "stepfast.backends.aws.sqs",
        "stepfast.backends.aws.scheduler",
        "stepfast.http",
        "stepfast.deployment.plan",
    ),
    "step": (*OPERATORS, "stepfast.http", "stepfast.deployment.plan"),
    "timer": (*OPERATORS, "stepfast.engine.step_handler", "stepfast.http", "stepfast.deployment.plan"),
}


def imported(kind: str, folder: Path) -> set[str]:
    """The modules of a new process in which Lambda would have begun a sandbox of the function."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": kind,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(folder),
        "POWERTOOLS_TRACE_DISABLED": "true",
        "STEPFAST_BUCKET": "bucket",
        "STEPFAST_PARK_QUEUE": "https://sqs.eu-central-1.amazonaws.com/123456789012/park",
        "STEPFAST_POOL": "default",
        "STEPFAST_QUEUES": '{"default": "https://sqs.eu-central-1.amazonaws.com/123456789012/default"}',
        "STEPFAST_SCHEDULES": "group",
        "STEPFAST_SCHEDULE_ROLE": "arn:aws:iam::123456789012:role/r",
        "STEPFAST_TABLE": "table",
        "STEPFAST_TIMER_QUEUE": "https://sqs.eu-central-1.amazonaws.com/123456789012/timer",
    }
    (folder / "workflows").mkdir()
    command = [sys.executable, "-c", IMPORT.format(kind=kind)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("kind", NOT_IN)
def test_a_function_imports_nothing_in_vain(kind: str, tmp_path: Path) -> None:
    modules = imported(kind, tmp_path)
    assert f"stepfast.functions.{kind}" in modules
    assert "stepfast.backends.aws.direct_client" in modules, "its clients are made while the sandbox begins"
    assert [module for module in (*NEVER, *NOT_IN[kind]) if module in modules] == []
    others = [other for other in NOT_IN if other != kind and f"stepfast.functions.{other}" in modules]
    assert others == []


def test_a_light_package_of_powertools_is_whole_for_whoever_asks_for_more() -> None:
    code = """
import sys, stepfast.functions.slim_powertools
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
assert "aws_lambda_powertools.utilities.data_classes.sqs_event" not in sys.modules
from aws_lambda_powertools.event_handler import AppSyncResolver
from aws_lambda_powertools.utilities.data_classes import SQSEvent, event_source
import aws_lambda_powertools.event_handler as handlers, aws_lambda_powertools.utilities.data_classes as sources
assert callable(event_source) and handlers.APIGatewayHttpResolver is APIGatewayHttpResolver
assert all(hasattr(handlers, name) for name in handlers.__all__)
assert all(hasattr(sources, name) for name in sources.__all__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
