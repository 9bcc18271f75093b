"""`@external_step`: a step that is a Lambda function or an ECS task of others, started by boto3 or by your own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

from stepfast.errors import DefinitionError, GiveUp
from stepfast.language.external_steps import FUNCTION, TASK, EcsTask, ExternalCall, ExternalStep, Invoker
from stepfast.language.external_types import ExternalStepDecorator
from stepfast.language.options import Seconds
from stepfast.language.retry import Retry
from stepfast.language.steps import DEFAULT_POOL

__all__ = ["EcsTask", "ExternalCall", "external_step"]

P = ParamSpec("P")
R = TypeVar("R")
LONGEST_OVERRIDES = 8192
"""Characters of the overrides of a task: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html."""
_TRANSIENT = ("Throttl", "TooManyRequests", "LimitExceeded", "BlockedException", "NotReady", "Timeout")
_FUNCTION_PREFIX = "function:"


def external_step(
    *,
    arn: str,
    timeout: Seconds,
    heartbeat: Seconds | None = None,
    retry: Retry | None = None,
    name: str | None = None,
    pool: str = DEFAULT_POOL,
    task: EcsTask | None = None,
    invoke: Invoker | None = None,
) -> ExternalStepDecorator:
    """Makes a step whose work is done by a Lambda function or an ECS task, which answers by a link.

    The decorated function gives the name, the types of the arguments and the type of the answer. Its body runs only
    outside of an engine, as in a unit test.

    arn: of the function or of the task definition. "function:NAME" and "task-definition/FAMILY" are those of the
    account and region of the deployment. With `invoke` it may be any text.
    timeout: how long one attempt of the work may take, in seconds or as a timedelta, 366 days at most.
    heartbeat: the longest time between two heartbeats of the work, in seconds or as a timedelta. Without it a silent
    work is noticed only after the whole timeout.
    retry: the policy for a work that has failed or has fallen silent; `Retry()` by default. Its classes of exceptions
    are compared with CallbackFailed and CallbackTimeout, and by name with the type of a reported failure. A reported
    "GiveUp" is never tried again. Throttling and outages at the start of the work are tried again by themselves.
    name: the name in records, 48 characters at most; the name of the function by default.
    pool: the pool of the short step that starts the work. On AWS its function gets the permission to do so.
    task: how ECS runs a task; needed for a task definition.
    invoke: starts the work in place of boto3, a `def` or `async def` function that takes an ExternalCall and returns
    nothing. Its exceptions are tried again, but for GiveUp.

    Raises DefinitionError for a wrong option.
    """
    if not isinstance(arn, str) or not arn:
        raise DefinitionError(f"external step: arn is a text, not {arn!r}")
    if invoke is not None and not callable(invoke):
        raise DefinitionError(f"external step {arn!r}: invoke is a function that takes an ExternalCall, not {invoke!r}")
    starter = invoke or _by_boto3(arn, task)

    def decorate(function: Callable[..., Any]) -> Any:
        return ExternalStep(
            function,
            arn=arn,
            task=task,
            timeout=timeout,
            heartbeat=heartbeat,
            retry=retry,
            name=name,
            pool=pool,
            invoke=starter,
        )

    return decorate


def _by_boto3(arn: str, task: EcsTask | None) -> Callable[[ExternalCall], None]:
    if FUNCTION.fullmatch(arn):
        if task is not None:
            raise DefinitionError(f"external step {arn!r}: task= is for an ECS task definition, and this is a function")
        return _invoke_function
    if TASK.fullmatch(arn):
        if task is None:
            raise DefinitionError(
                f"external step {arn!r}: a task definition needs task=EcsTask(cluster=…, container=…)"
            )
        return _run_task
    raise DefinitionError(
        f"external step: arn is that of a Lambda function or of an ECS task definition, or 'function:NAME', or "
        f"'task-definition/FAMILY', not {arn!r}; for other work give invoke= a function that starts it"
    )


@cache
def _client(service: str, arn: str) -> Any:
    import boto3  # here, since workflows with an invoker of their own need no boto3
    from botocore.config import Config

    region = arn.split(":")[3] if arn.startswith("arn:") else None
    return boto3.client(service, region_name=region, config=Config(retries={"total_max_attempts": 1}))


def _invoke_function(call: ExternalCall) -> None:
    """Puts the event into the function's own queue. Lambda runs it, and the function answers by the link."""
    named = call.arn if call.arn.startswith("arn:") else call.arn.removeprefix(_FUNCTION_PREFIX)
    event = json.dumps(call.event(), ensure_ascii=False).encode()
    _called("lambda", call.arn, "invoke", FunctionName=named, InvocationType="Event", Payload=event)


def _run_task(call: ExternalCall) -> None:
    task = call.task
    assert task is not None  # as _by_boto3 has checked
    variables = {
        "STEPFAST_LINK": call.link,
        "STEPFAST_ARGUMENTS": json.dumps(call.arguments, ensure_ascii=False),
        "STEPFAST_IDEMPOTENCY_KEY": call.idempotency_key,
        "STEPFAST_EXECUTION_ID": call.execution_id,
        "STEPFAST_HEARTBEAT": "" if call.heartbeat is None else f"{call.heartbeat:g}",
    }
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    overrides = {"containerOverrides": [{"name": task.container, "environment": environment}]}
    if len(json.dumps(overrides)) > LONGEST_OVERRIDES:
        raise GiveUp(
            f"external step {call.step!r}: ECS takes {LONGEST_OVERRIDES:,} characters of variables, and the arguments "
            "are longer: put the value into a bucket, and pass its key"
        )
    request: dict[str, Any] = {
        "cluster": task.cluster,
        "taskDefinition": call.arn.removeprefix("task-definition/"),
        "clientToken": _token(call.token),
        "overrides": overrides,
        "count": 1,
    }
    if task.launch_type is not None:
        request["launchType"] = task.launch_type
    if task.subnets:
        public = "ENABLED" if task.public_ip else "DISABLED"
        network = {"subnets": [*task.subnets], "securityGroups": [*task.security_groups], "assignPublicIp": public}
        request["networkConfiguration"] = {"awsvpcConfiguration": network}
    answer = _called("ecs", call.arn, "run_task", **request)
    if answer["failures"]:
        # ECS answers 200 if no container instance has room for the task, which passes.
        raise RuntimeError(f"ECS has started no task: {answer['failures'][0].get('reason')}")


def _token(key: str) -> str:
    """ECS starts one task for a token, which has at most 64 characters."""
    from hashlib import sha256

    return sha256(key.encode()).hexdigest()


def _called(service: str, arn: str, method: str, **request: Any) -> Any:
    """Calls AWS once: the policy of the step tries again. An error that does not pass becomes a GiveUp."""
    try:
        from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError
    except ImportError as error:
        raise GiveUp(f"{method} of {arn} needs boto3: pip install 'stepfast[aws]'") from error
    try:
        return getattr(_client(service, arn), method)(**request)
    except (NoCredentialsError, ParamValidationError) as error:
        raise GiveUp(f"{method} of {arn}: {error}") from error
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        code = str(error.response.get("Error", {}).get("Code", ""))
        if status >= 500 or status == 429 or any(name in code for name in _TRANSIENT):
            raise
        raise GiveUp(f"{method} of {arn}: {error}") from error
