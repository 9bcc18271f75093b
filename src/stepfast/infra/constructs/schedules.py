"""EventBridge Scheduler: the timers of executions, the sweep, and scheduled starts."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.deployment.schedules import ScheduledStart, event_of

__all__ = ["Recurring", "ScheduledStart", "Timers"]


class Timers(Construct):
    """The group of the one-time schedules that executions create, and the role with which those send messages."""

    def __init__(self, scope: Construct, id: str, *, queues: Iterable[sqs.IQueue]) -> None:
        super().__init__(scope, id)
        group = scheduler.CfnScheduleGroup(self, "Group")
        # CloudFormation generates the group's name; `Ref` returns it.
        self.group = group.ref
        self.schedules = _arn(self, "schedule", f"{group.ref}/*")
        self.role = _role(self, group.attr_arn, "sqs:SendMessage", [queue.queue_arn for queue in queues])


class Recurring(Construct):
    """Recurring schedules: the sweep and scheduled starts. They have their own group, which no function may change."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        sweeper: lambda_.IFunction,
        sweep_every: int,
        timer_queue: sqs.Queue,
        starts: Iterable[ScheduledStart] = (),
    ) -> None:
        super().__init__(scope, id)
        starts = list(starts)
        self.group = scheduler.CfnScheduleGroup(self, "Group")
        sweep = _role(self, self.group.attr_arn, "lambda:InvokeFunction", [sweeper.function_arn], "SweepRole")
        minutes = sweep_every // 60
        # No retries: the next sweep continues where a failed one stopped.
        self._schedule("Sweep", f"rate({minutes} minute{'s' if minutes > 1 else ''})", sweeper.function_arn, sweep, 0)
        if starts:
            role = _role(self, self.group.attr_arn, "sqs:SendMessage", [timer_queue.queue_arn], "StartRole")
            for start in starts:
                made = self._schedule(
                    f"Start-{start.name}", start.expression, timer_queue.queue_arn, role, 10, event_of(start)
                )
                made.schedule_expression_timezone = start.timezone
                made.state = "ENABLED" if start.enabled else "DISABLED"

    def _schedule(
        self,
        id: str,
        expression: str,
        target: str,
        role: iam.Role,
        retries: int,
        text: str = "{}",
    ) -> scheduler.CfnSchedule:
        return scheduler.CfnSchedule(
            self,
            id,
            group_name=self.group.ref,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            target=scheduler.CfnSchedule.TargetProperty(
                arn=target,
                role_arn=role.role_arn,
                input=text,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=retries),
            ),
        )


def _role(scope: Construct, group: str, action: str, resources: list[str], id: str = "Role") -> iam.Role:
    """A role that EventBridge Scheduler may assume for this group only, with one action."""
    account = Stack.of(scope).account
    only = {"StringEquals": {"aws:SourceAccount": account, "aws:SourceArn": group}}
    statement = iam.PolicyStatement(sid="Target", actions=[action], resources=resources)
    return iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions=only),
        inline_policies={"target": iam.PolicyDocument(statements=[statement])},
    )


def _arn(scope: Construct, resource: str, name: str) -> str:
    return Stack.of(scope).format_arn(
        service="scheduler", resource=resource, resource_name=name, arn_format=ArnFormat.SLASH_RESOURCE_NAME
    )
