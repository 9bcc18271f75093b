"""Rules of EventBridge that start workflows: each sends a start to the timer queue, as a schedule does."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.deployment.event_settings import SSM, InboundSettings, RuleSettings, deployed_inbound, start_template

__all__ = ["StartRules", "bus_arn", "secret_arns"]


def bus_arn(scope: Construct, bus: str | None) -> str:
    """The ARN of an event bus, of its name in this account or of its ARN; "" for none."""
    if not bus or ":" in bus:
        return bus or ""
    return Stack.of(scope).format_arn(service="events", resource="event-bus", resource_name=bus)


def secret_arns(scope: Construct, inbound: Mapping[str, InboundSettings]) -> tuple[str, ...]:
    """The ARNs of the secrets and parameters of the webhooks that a deployment takes, each once."""
    names = sorted({settings.aws_secret or "" for settings in deployed_inbound(inbound).values()})
    return tuple(_secret_arn(Stack.of(scope), name) for name in names)


def _secret_arn(stack: Stack, name: str) -> str:
    if name.startswith("arn:"):
        return name
    if name.startswith(SSM):
        path = name.removeprefix(SSM).removeprefix("/")
        return stack.format_arn(service="ssm", resource="parameter", resource_name=path)
    # Secrets Manager adds six characters to a name that only its owner knows before.
    return stack.format_arn(
        service="secretsmanager",
        resource="secret",
        resource_name=f"{name}-??????",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


class StartRules(Construct):
    """One rule for each of the settings.

    EventBridge tries for a day to reach the timer queue. An event that it gives up goes to `undelivered`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        rules: Mapping[str, RuleSettings],
        timer_queue: sqs.Queue,
        undelivered: sqs.Queue,
    ) -> None:
        super().__init__(scope, id)
        for name, settings in rules.items():
            transformer = events.CfnRule.InputTransformerProperty(
                input_paths_map={"id": "$.id", "detail": "$.detail"},
                input_template=start_template(name, settings.workflow),
            )
            rule = events.CfnRule(
                self,
                f"Start-{name}",
                description=f"Starts {settings.workflow}",
                event_bus_name=settings.bus,
                event_pattern=json.loads(json.dumps(dict(settings.pattern))),
                targets=[
                    events.CfnRule.TargetProperty(
                        id="Start",
                        arn=timer_queue.queue_arn,
                        input_transformer=transformer,
                        dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=undelivered.queue_arn),
                    )
                ],
            )
            for queue in (timer_queue, undelivered):
                queue.add_to_resource_policy(
                    iam.PolicyStatement(
                        actions=["sqs:SendMessage"],
                        principals=[iam.ServicePrincipal("events.amazonaws.com")],
                        resources=[queue.queue_arn],
                        conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
                    )
                )
