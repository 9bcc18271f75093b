"""What a pool's function may start for external steps: exactly their functions and task definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from stepfast.language.external_steps import FUNCTION, TASK, EcsTask, ExternalStep

RUN_TASK = "RunTask"
"""What the names of statements begin with that end in `:*`, which stands for the revisions of a task definition."""


def of_external(steps: Iterable[ExternalStep[..., Any]]) -> list[iam.PolicyStatement]:
    """The statements for the steps of one pool, none for work that an invoker starts outside of AWS."""
    invoked, statements = dict[str, None](), list[iam.PolicyStatement]()
    for number, step in enumerate(steps):
        if FUNCTION.fullmatch(step.arn):
            invoked[_whole(step.arn, "lambda")] = None
        elif TASK.fullmatch(step.arn) and step.task is not None:
            statements += _of_task(step.arn, step.task, str(number))
    if invoked:
        statements.insert(0, _allow("InvokeOthers", ["lambda:InvokeFunction"], [*invoked]))
    return statements


def _of_task(arn: str, task: EcsTask, number: str) -> list[iam.PolicyStatement]:
    definition = _whole(arn, "ecs")
    # Without a number ECS takes the newest revision, and IAM compares the ARN with its number.
    revisions = definition if definition.rpartition("/")[2].count(":") else f"{definition}:*"
    in_cluster = {"ArnEquals": {"ecs:cluster": _cluster(definition, task.cluster)}}
    statements = [_allow(RUN_TASK + number, ["ecs:RunTask"], [revisions], in_cluster)]
    if task.roles:
        to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        statements.append(_allow(f"PassToTask{number}", ["iam:PassRole"], task.roles, to_tasks))
    return statements


def _whole(arn: str, service: str) -> str:
    if arn.startswith("arn:"):
        return arn
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{arn}"


def _cluster(definition: str, cluster: str) -> str:
    """The ARN of a cluster, which is in the account and the region of the task definition."""
    if cluster.startswith("arn:"):
        return cluster
    return f"{definition.rpartition(':task-definition/')[0]}:cluster/{cluster}"


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], conditions: dict[str, Any] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=[*actions], resources=[*resources], conditions=conditions)
