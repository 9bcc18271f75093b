"""The list of what is public: the pages of docs/reference, each with the modules whose `__all__` it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HANDLERS = tuple(
    f"stepfast.functions.{name}" for name in ("advancer", "api", "authorizer", "resume", "step", "sweeper", "timer")
)
"""The modules whose `handler` the files in a project's `functions/` hand on."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the reference.

    modules: public modules; the page shows each name in their `__all__`, unless an earlier page has shown it.
    types: classes that public signatures name, by their path. A user meets their objects and does not import them, so
    only what the page shows of them stays: the members named here, and attributes that the docstring names.
    """

    file: str
    title: str
    modules: tuple[str, ...]
    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


PAGES = (
    Page("errors.md", "Exceptions", ("stepfast.errors", "stepfast.update_errors")),
    Page(
        "client.md",
        "The client",
        ("stepfast.client",),
        {
            "stepfast.client.starts.WorkflowWithInput": (),
            "stepfast.client.starts.WorkflowWithoutInput": (),
            "stepfast.client.starts.WorkflowResult": (),
        },
    ),
    Page(
        "stepfast.md",
        "The language of workflows",
        ("stepfast",),
        {
            "stepfast.language.steps.Step": ("options",),
            "stepfast.language.steps.StepDecorator": (),
            "stepfast.language.external_steps.ExternalStep": (),
            "stepfast.language.external_types.ExternalStepDecorator": (),
            "stepfast.language.handlers.QueryFunction": (),
            "stepfast.language.handlers.QueryDecorator": (),
            "stepfast.language.handlers.UpdateFunction": ("check",),
            "stepfast.language.handlers.UpdateDecorator": (),
            "stepfast.language.limits.LabelKey": (),
            "stepfast.language.steps.LimitedStepDecorator": (),
            "stepfast.language.workflows.WorkflowDecorator": (),
            "stepfast.language.workflows.Workflow": (),
        },
    ),
    Page(
        "testing.md",
        "The test kit",
        ("stepfast.testing", "pytest_stepfast", "stepfast.language.registry", "stepfast.simulator.gateway"),
        {
            "stepfast.model.Failure": (),
            "stepfast.model.Event": (),
            "stepfast.client.unserved.NoServer": (),
            "stepfast.simulator.account.AwsCall": (),
            "stepfast.simulator.redrive.MoveTask": (),
            "stepfast.simulator.invocation.Invocation": ("ok",),
        },
    ),
    Page("agents.md", "Durable agents", ("stepfast.integrations.pydantic_ai",)),
    Page(
        "infra.md",
        "The stack",
        ("stepfast.infra", "stepfast.infra.app", "stepfast.infra.stack", "stepfast.infra.target"),
        {
            "stepfast.infra.construct.SettingKeywords": (),
            "stepfast.infra.deployment.DeploymentConstruct": (),
            "stepfast.infra.constructs.queues.Queues": (),
            "stepfast.infra.constructs.function.LambdaFunction": (),
        },
    ),
    Page("functions.md", "The Lambda functions", HANDLERS),
    Page("settings.md", "Settings", ("stepfast.deployment.project",)),
)

CONSTRUCTED = frozenset(
    {
        "Approval",
        "AsyncClient",
        "Client",
        "DecideBySignal",
        "EcsTask",
        "Embedded",
        "Environment",
        "GatewayRequest",
        "GiveUp",
        "MotoCloud",
        "Options",
        "PoolSettings",
        "Project",
        "Registry",
        "Retry",
        "RetryAfter",
        "Rules",
        "ScheduledStart",
        "Start",
        "StepCancelled",
        "Stepfast",
        "StepfastDurability",
        "Target",
        "Throttle",
    }
)
"""Classes that users construct. stepfast makes the objects of all others, so their constructors may change."""

INTERNAL = frozenset(
    {
        "stepfast.errors.TooManySignals.for_execution",
        "stepfast.infra.target.Target.platform",
        "stepfast.integrations.pydantic_ai.approvals.DecideBySignal.handle_deferred_tool_calls",
        "stepfast.integrations.pydantic_ai.context.StepRunContext.unavailable_field_message",
        *(
            f"stepfast.integrations.pydantic_ai.durability.StepfastDurability.{name}"
            for name in (
                "callees",
                "default_model",
                "get_default_conversation_id",
                "get_default_run_id",
                "get_durable_operation_backend",
                "get_run_clock",
                "in_durable_context",
                "wrap_run",
            )
        ),
        "stepfast.language.context.StepContext.log_fields",
        "stepfast.page_sign_on.PageSignOn.connects",
        "stepfast.language.registry.Registry.check",
        "stepfast.language.registry.Registry.find",
        "stepfast.language.registry.Registry.get",
        "stepfast.language.registry.Registry.pools",
        "stepfast.language.registry.Registry.reached",
        "stepfast.language.registry.Registry.steps",
        "stepfast.language.registry.Registry.steps_of",
    }
)
"""Members of public classes that other packages of stepfast use. They are not public."""
