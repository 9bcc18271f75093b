"""A Lambda function of the stack, with its own role and log group, and a version per deployment if needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import digits
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stepfast.deployment.plan import FunctionPlan
from stepfast.infra import grants
from stepfast.infra.constructs.accepted import accept
from stepfast.infra.constructs.code import Packaging
from stepfast.infra.external_grants import RUN_TASK
from stepfast.infra.target import Target

# These functions send messages to the queue that invokes them: a timer that is not due, a retry that is hours away.
# Lambda would take that for a loop and stop it after about sixteen rounds:
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
LOOPS_BY_DESIGN = frozenset({"step", "timer"})


@dataclass(frozen=True, slots=True)
class Shared:
    """The settings that all functions of a stack share."""

    packaging: Packaging
    target: Target
    log_days: logs.RetentionDays
    namespace: str
    tracing: bool = False
    layer: str | None = None
    snap_start: bool = False
    vpc: ec2.IVpc | None = None
    subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()


class LambdaFunction(Construct):
    """A Lambda function of the stack. `role` is its IAM role: its own, or one that was passed in.

    `target` is what event sources invoke: the function, or its alias with SnapStart or provisioned concurrency.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        plan: FunctionPlan,
        shared: Shared,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        role: iam.IRole | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.plan = plan
        self.log_group = logs.LogGroup(self, "Logs", retention=shared.log_days, removal_policy=RemovalPolicy.DESTROY)
        everything = self._statements(shared, statements)
        own_role = None if role else self._own_role(everything)
        self.role: iam.IRole = role or own_role
        if role:
            _add(role, everything, plan.name)
        code = shared.packaging.of(plan.handler)
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"stepfast: {plan.name}",
            code=code.code,
            handler=code.handler,
            runtime=code.runtime,
            architecture=_ARCHITECTURES[shared.target.architecture],
            memory_size=plan.memory,
            timeout=Duration.seconds(plan.timeout),
            environment={
                "POWERTOOLS_SERVICE_NAME": plan.name,
                "POWERTOOLS_METRICS_NAMESPACE": shared.namespace,
                **plan.environment,
                **environment,
            },
            role=own_role.without_policy_updates() if own_role else role,
            log_group=self.log_group,
            tracing=lambda_.Tracing.ACTIVE if shared.tracing else lambda_.Tracing.DISABLED,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if plan.kind in LOOPS_BY_DESIGN else None,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if shared.snap_start else None,
            layers=[lambda_.LayerVersion.from_layer_version_arn(self, "Layer", shared.layer)] if shared.layer else None,
            vpc=shared.vpc,
            vpc_subnets=shared.subnets,
            security_groups=list(shared.security_groups) or None,
        )
        accept(self.function, "L1", "stepfast is tested on this Python; Target(python=...) names another.")
        self.target: lambda_.IFunction = self._target(shared.snap_start)

    def _statements(self, shared: Shared, needed: Sequence[iam.PolicyStatement]) -> list[iam.PolicyStatement]:
        everything = [grants.logs(self.log_group.log_group_arn), *needed]
        if shared.tracing:
            everything.append(grants.tracing())
        if shared.vpc:
            everything += grants.in_vpc()
        return everything

    def _own_role(self, statements: Sequence[iam.PolicyStatement]) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"function": iam.PolicyDocument(statements=list(statements))},
        )
        _accept_wildcards(role, statements)
        return role

    def _target(self, snap_start: bool) -> lambda_.IFunction:
        if not snap_start and not self.plan.provisioned:
            return self.function
        return lambda_.Alias(
            self,
            "Live",
            alias_name="live",
            version=self.function.current_version,
            provisioned_concurrent_executions=self.plan.provisioned or None,
        )


def _add(role: iam.IRole, statements: Sequence[iam.PolicyStatement], function: str) -> None:
    # One role may be that of several functions, and IAM takes a statement's id once in a policy.
    prefix = re.sub(r"[^A-Za-z0-9]", "", function.title())
    for statement in statements:
        role.add_to_principal_policy(statement.copy(sid=f"{prefix}{statement.sid}"))


_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


def _accept_wildcards(role: iam.Role, statements: Sequence[iam.PolicyStatement]) -> None:
    stack = Stack.of(role)
    for statement in statements:
        for resource in statement.resources if statement.effect == iam.Effect.ALLOW else ():
            if resource.endswith("*"):
                accept(
                    role,
                    f"IAM5[Resource::{_as_nag_says(stack.resolve(resource))}]",
                    _REASONS[(statement.sid or "").rstrip(digits)],
                )


def _as_nag_says(resolved: Any) -> str:
    """A resolved ARN in cdk-nag's notation: `<Id.Arn>/path/*`."""
    if isinstance(resolved, str):
        return resolved
    if "Ref" in resolved:
        return f"<{resolved['Ref']}>"
    if "Fn::GetAtt" in resolved:
        return f"<{'.'.join(resolved['Fn::GetAtt'])}>"
    separator, parts = resolved["Fn::Join"]
    return str(separator).join(_as_nag_says(part) for part in parts)


_REASONS = {
    "Encrypt": "IAM takes no alias of a KMS key for a resource. The condition allows only the keys that have it.",
    "Values": "Values are named by execution and content; no name is known before, and the prefix holds nothing else.",
    "OldValues": "Version 0.1 named values by their content alone; they are read, and neither written nor deleted.",
    "DeleteValues": "A deletion takes all values of an execution along; the prefix holds nothing else.",
    "Schedule": "Timers are named by a hash of execution and command, in a group that holds nothing else.",
    RUN_TASK: "ECS runs the newest revision of a task definition, whose number nobody knows before.",
    "Trace": "X-Ray takes no ARN.",
    "Vpc": "EC2 takes no ARN for the network interfaces that Lambda makes in a VPC.",
}
