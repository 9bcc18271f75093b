"""The stack of one deployment: a thin one around the construct."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from stepfast.deployment.plan import Plan
from stepfast.infra.bundle import Bundle
from stepfast.infra.deployment import DeploymentConstruct
from stepfast.infra.options import Options, ScheduledStart, Throttle

__all__ = ["Options", "ScheduledStart", "StepfastStack", "Throttle"]


class StepfastStack(Stack):
    """The stack of one deployment. An account may have any number of them: no resource has a fixed name.

    `functions` maps the names of the functions to their constructs: "api", "authorizer", "advancer", "timer", "resume",
    "sweeper", with `event_bus` "events", and "step-POOL" for each pool. Grant permissions to the `role` of a function.
    `deployment` has the other resources, and the methods that grant access to the API.
    """

    def __init__(
        self, scope: Construct, id: str, *, plan: Plan, bundle: Bundle, options: Options | None = None, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, description="stepfast: durable workflows", **kwargs)
        # The CDK leaves the id "Default" out of logical ids, so that they are those of the versions of stepfast in
        # which the stack held the resources itself. Another id would replace the table of every deployment.
        # https://docs.aws.amazon.com/cdk/v2/guide/identifiers.html#identifiers-logical-ids
        self.deployment = DeploymentConstruct(self, "Default", plan=plan, bundle=bundle, options=options)
        self.functions = self.deployment.functions
