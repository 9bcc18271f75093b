"""What `stepfast init` writes: the files of a new project, by their paths."""

from __future__ import annotations

import json
from typing import Any

PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["stepfast"]

[project.optional-dependencies]
dev = ["pytest"]
deploy = ["stepfast[aws,deploy]"]

# The folders are used where they are: installing the project installs what it depends on.
[tool.setuptools]
packages = []

[tool.stepfast]
retention_days = 90
# alarm_email = "you@example.com"

[tool.stepfast.pools.default]
# memory = 256
# max_concurrency = 10

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""

WORKFLOW = '''\
"""A first workflow: greets everyone at once, and counts the greetings."""

import asyncio

from pydantic import BaseModel

from stepfast import Retry, step, workflow


class Guests(BaseModel):
    names: list[str]


@step(retry=Retry(max_attempts=5), timeout=30)
async def greet(name: str) -> str:
    """Steps do the work: I/O, calls of services. Each is recorded, and retried when it raises."""
    return f"Hello, {name}!"


@workflow("hello")
async def hello(guests: Guests) -> list[str]:
    """Greets all guests."""
    return list(await asyncio.gather(*(greet(name) for name in guests.names)))
'''

TEST = '''\
"""The real engine on a database in memory, in simulated time: retries and days of sleep take milliseconds."""

import pytest

from stepfast.testing import Environment, MakeEnvironment
from workflows.hello import Guests, greet, hello

TWO = Guests(names=["Ada", "Bob"])


@pytest.fixture
def env(stepfast_env: MakeEnvironment) -> Environment:
    return stepfast_env(hello)


def test_every_guest_is_greeted_in_order(env: Environment) -> None:
    assert env.run(hello, TWO).result == ["Hello, Ada!", "Hello, Bob!"]


def test_a_greeting_that_fails_is_tried_again(env: Environment) -> None:
    env.fail(greet, times=2, error=ConnectionError("down"))
    run = env.run(hello, Guests(names=["Ada"]))
    assert run.result == ["Hello, Ada!"]
    assert [call.attempt for call in run.calls(greet)] == [1, 2, 3]
'''

README = """\
# {name}

    pip install -e '.[dev]'
    pytest
    stepfast dev

and in another terminal

    stepfast run hello '{{"names": ["Ada", "Bob"]}}' --wait

Workflows are in `workflows/`: each module or package there may define any number of them. `functions/` has a short file
for each Lambda function, with what a sandbox sets up once. `events/` has a sample of what each function receives; with
`pip install 'stepfast[cloud-testing]'`

    stepfast invoke api events/api-start.json

runs one of them on this machine.

## What is deployed is pinned

`constraints.txt` names every package of the Lambda bundles by version and hash, and nothing else is taken. After
a change of `dependencies` in pyproject.toml, and to take newer versions, make it anew, look at it, and commit it:

    pip install -e '.[deploy]'
    python -m stepfast.infra.lock

## Deploying to AWS

    pip install -e '.[deploy]'
    cdk bootstrap      # once per account and region; npm install --global aws-cdk@2.1148.1
    cdk deploy         # or, with no CDK of your own: python -m stepfast.infra.cdk deploy

prints the API's address and the table's name. Make a key with
`stepfast keys create me --scope read --scope run --scope operate --table TABLE`, set `STEPFAST_URL` and
`STEPFAST_API_KEY`, and `stepfast run` works as above. Settings are in pyproject.toml under `[tool.stepfast]`.
"""

APP = '''\
"""What `cdk deploy` deploys: the workflows of this project."""

from pathlib import Path

from stepfast.infra import synth

synth(Path(__file__).parents[1], name="{name}")
'''

CDK = """\
{
  "app": "python infra/app.py",
  "versionReporting": false,
  "watch": { "include": ["functions/**", "workflows/**", "infra/**", "pyproject.toml"] }
}
"""

FUNCTION = '''\
"""{about}"""

# What this file imports and sets up happens once per sandbox, while Lambda gives it a full processor.
from stepfast.functions.{kind} import handler

__all__ = ["handler"]
'''

FUNCTIONS = {
    "api": "The HTTP API behind API Gateway: start, look, signal, cancel, resume.",
    "authorizer": "Lets callers of the HTTP API in by their key.",
    "advancer": "Reads the stream of the table: replays an execution and sends what is outstanding.",
    "step": "Runs the steps of a pool, a message of its queue each; every pool has a function made of this file.",
    "timer": "Ends timers that are due, and starts workflows by the clock.",
    "resume": "Refuses a failed execution's message, so that SQS makes a dead letter of it; resumes a redriven one.",
    "sweeper": "Every few minutes: advances executions again that have made no progress.",
}

_ACCOUNT = "123456789012"
_REGION = "eu-central-1"
_PATH = "/v1/workflows/hello/executions"
_KEY = "Bearer sf_0123456789abcdef_this-sample-is-no-secret-of-any-deployment1"


def _request() -> dict[str, Any]:
    http = {"method": "POST", "path": _PATH, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "curl"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": _PATH,
        "rawQueryString": "",
        "headers": {"authorization": _KEY, "content-type": "application/json"},
        "requestContext": {"accountId": _ACCOUNT, "http": http, "routeKey": "$default", "stage": "$default"},
    }


def _start() -> dict[str, Any]:
    request = _request()
    request["requestContext"]["authorizer"] = {"lambda": {"key": "me", "scopes": "read run operate"}}
    body = {"input": {"names": ["Ada", "Bob"]}, "execution_id": "hello-1"}
    return {**request, "body": json.dumps(body), "isBase64Encoded": False}


def _authorize() -> dict[str, Any]:
    arn = f"arn:aws:execute-api:{_REGION}:{_ACCOUNT}:a1b2c3d4e5/$default/POST{_PATH}"
    return {**_request(), "type": "REQUEST", "routeArn": arn, "identitySource": [_KEY]}


def _message(queue: str, kind: str, command: str, **more: Any) -> dict[str, Any]:
    body = {
        "v": 1,
        "kind": kind,
        "execution": "hello-1",
        "command": command,
        "generation": 0,
        "pool": "default",
        **more,
    }
    record = {
        "messageId": "059f36b4-87a3-44ab-83d2-661970000000",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a0",
        "body": json.dumps({**body, "sent": 1795359607.2}),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795359607250"},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:{queue}",
    }
    return {"Records": [record]}


def _change() -> dict[str, Any]:
    keys = {"pk": {"S": "x#hello-1"}, "sk": {"S": "meta"}}
    change = {
        "Keys": keys,
        "NewImage": {**keys, "wake": {"N": "1"}},
        "SequenceNumber": "1100000000050000000001",
        "StreamViewType": "NEW_IMAGE",
    }
    return {"Records": [{"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}]}


EVENTS: dict[str, dict[str, Any]] = {
    "api-start": _start(),
    "authorizer": _authorize(),
    "advancer": _change(),
    "step": _message("pool-default", "step", "greet"),
    "timer": _message("timer", "timer", ":timer", due=1795359600.0),
    "resume": _message("park", "park", ""),
    "sweeper": {},
}
"""A sample of what each function receives, named after it; those of one execution belong together."""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    ".gitignore": ".stepfast/\n.venv/\n__pycache__/\n*.egg-info/\ncdk.out/\n",
    "cdk.json": CDK,
    "infra/app.py": APP,
    "workflows/__init__.py": "",
    "workflows/hello.py": WORKFLOW,
    "tests/test_hello.py": TEST,
    **{f"functions/{kind}.py": FUNCTION.format(kind=kind, about=about) for kind, about in FUNCTIONS.items()},
    **{f"events/{name}.json": json.dumps(event, indent=2) + "\n" for name, event in EVENTS.items()},
}
"""The files of a new project by their paths."""
TEMPLATES = frozenset({"pyproject.toml", "README.md", "infra/app.py"})
"""Those in which `{name}` stands for the project's name."""
