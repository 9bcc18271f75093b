"""Every number of a deployment, derived in one place from the workflows and the project's settings. Pure.

The numbers depend on each other. A step's timeout, plus the margin by which its lease outlives it, fits into the
timeout of its function. The function ends before its message becomes visible again. A message may be received so often
that no retry policy turns it into a dead letter.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from stepfast.deployment import schedules
from stepfast.deployment.event_settings import check_targets, deployed_inbound, inbound_text
from stepfast.deployment.limit_settings import numbers_of
from stepfast.deployment.project import PoolSettings, Project
from stepfast.deployment.queue_limits import RECEIVES
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.errors import DefinitionError, StartupError
from stepfast.language.external_steps import ExternalStep, StartStep
from stepfast.language.registry import Registry
from stepfast.language.steps import Step

LAMBDA_MAX_SECONDS = 900
"""The longest timeout of a Lambda function: https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html."""
LAYER_WRAPPER = "/opt/otel-instrument"
"""The program of the layer that sets up OpenTelemetry and then starts the function, as in AWS's layer for Python.

https://aws-otel.github.io/docs/getting-started/lambda/lambda-python
"""
GATEWAY_TIMEOUT_SECONDS = 30
"""The time that an HTTP API of API Gateway waits for its function. It cannot be raised."""
CHAIN_BUDGET_SECONDS = 60
"""The time beyond the longest step for which an invocation may chain further steps."""
VISIBILITY_MARGIN_SECONDS = 30
"""The time by which a message stays hidden beyond the timeout of its function."""
MESSAGE_RETENTION_SECONDS = 14 * 86400
"""The time that a queue keeps a message: the longest that SQS offers."""

EVENT_RECEIVES = 480
"""How often an event that waits is put on its bus before it becomes a dead letter: for half a day."""
MAX_JWT_CHARACTERS, MAX_INBOUND_CHARACTERS, MAX_PAGE_CHARACTERS = 3000, 2000, 600
"""Lambda gives all environment variables of a function 4 KB together."""

WAKE_FILTER: Mapping[str, Any] = MappingProxyType({"dynamodb": {"NewImage": {"wake": {"N": [{"exists": True}]}}}})
CAME_FILTER: Mapping[str, Any] = MappingProxyType({"dynamodb": {"NewImage": {"came": {"S": [{"exists": True}]}}}})
"""Writes of a status, which the function events reads."""
TTL_FILTER: Mapping[str, Any] = MappingProxyType(
    {
        "eventName": ["REMOVE"],
        "userIdentity": {"principalId": ["dynamodb.amazonaws.com"]},
        "dynamodb": {"Keys": {"sk": {"S": ["meta", {"prefix": "zr#"}]}}},
    }
)


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """A Lambda function.

    kind: a key of settings.NEEDS. name: unique within the stack. timeout: seconds. memory: MB. environment: variables
    beside those of settings. provisioned: environments that are kept warm. own: whether the project has a file of its
    own for this kind, `functions/KIND.py`.
    """

    kind: str
    name: str
    timeout: int
    memory: int
    environment: Mapping[str, str] = field(default_factory=dict)
    provisioned: int = 0
    own: bool = False

    @property
    def handler(self) -> str:
        """The dotted name that Lambda imports and calls."""
        return f"{'' if self.own else 'stepfast.'}functions.{self.kind}.handler"


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A queue and the event source mapping of its function. Durations are in seconds; None means no limit.

    Every mapping reports partial batch failures, and every queue has a dead-letter queue.
    """

    visibility: int
    max_receive_count: int
    batch_size: int
    max_concurrency: int | None = None
    window: int = 0
    retention: int = MESSAGE_RETENTION_SECONDS


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A mapping of the table's stream, by default that to the advancer. Partial failures are reported.

    A record is tried for `max_age` seconds without a limit of tries, so that an outage of AWS does not move it to the
    undelivered records. The advancer itself gives up sooner on a record that fails for another reason. A stream keeps
    records for a day. A wake that is lost after that is still in the table, where the sweep finds it.
    """

    batch_size: int = 100
    window: int = 0
    parallelization: int = 10
    max_age: int = 23 * 3600
    bisect: bool = True
    starting_position: str = "TRIM_HORIZON"
    filters: tuple[Mapping[str, Any], ...] = (WAKE_FILTER, TTL_FILTER)


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool's function and queue. steps: the sorted names of its steps, for display. external: what it starts."""

    name: str
    function: FunctionPlan
    queue: QueuePlan
    steps: tuple[str, ...]
    external: tuple[ExternalStep[..., Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment: functions by kind (all but step), pools by name, the queues, the stream, the sweep's period.

    sweep_every: seconds. starts: the scheduled starts. event_queue, event_stream: what invokes the function `events`;
    None without an event bus. Raises StartupError for numbers that contradict each other.
    """

    project: Project
    functions: Mapping[str, FunctionPlan]
    pools: Mapping[str, PoolPlan]
    timer_queue: QueuePlan
    park_queue: QueuePlan
    stream: StreamPlan
    sweep_every: int
    starts: tuple[schedules.ScheduledStart, ...] = ()
    event_queue: QueuePlan | None = None
    event_stream: StreamPlan | None = None

    def __post_init__(self) -> None:
        for wrong in _contradictions(self):
            raise StartupError(f"this deployment would lose work: {wrong}")

    @property
    def pool_timeouts(self) -> dict[str, int]:
        """Seconds that the function of each pool may run."""
        return {name: pool.function.timeout for name, pool in self.pools.items()}

    @classmethod
    def of(cls, registry: Registry, project: Project | None = None, own: Collection[str] = ()) -> Plan:
        """Derives a deployment. Raises StartupError for a step that fits no function, or a setting without its code.

        own: the kinds of function for which the project has a file of its own (see own_functions).
        """
        project = project or Project()
        _check_sign_on(project)
        _check_steps(registry)
        numbers_of(registry, project.limits)  # raises for settings that do not fit
        for name in project.pools:
            if name not in registry.pools:
                raise StartupError(
                    f"[tool.stepfast.pools.{name}] is for a pool that no step names; "
                    f"there are: {', '.join(registry.pools)}"
                )
        for start in project.schedules.values():
            schedules.check(start, registry)
        check_targets(project.rules, "rules", registry)
        _check_inbound(project, registry)
        functions = _function_plans(project, own)
        events = project.event_bus is not None
        return cls(
            project=project,
            functions={function.kind: function for function in functions},
            pools={name: _pool_plan(name, registry, project, own) for name in registry.pools},
            timer_queue=QueuePlan(_visibility_timeout(functions, "timer"), RECEIVES, batch_size=10),
            # With one receive, the handler that refuses a park message moves it to the dead-letter queue.
            park_queue=QueuePlan(_visibility_timeout(functions, "resume"), 1, batch_size=10, max_concurrency=10),
            stream=StreamPlan(parallelization=project.parallelization),
            sweep_every=project.sweep_minutes * 60,
            starts=tuple(project.schedules.values()),
            event_queue=_event_queue(functions) if events else None,
            event_stream=StreamPlan(parallelization=project.parallelization, filters=(CAME_FILTER,))
            if events
            else None,
        )


def _check_sign_on(project: Project) -> None:
    if project.jwt is None:
        return
    if len(project.jwt.as_text()) > MAX_JWT_CHARACTERS:
        raise StartupError(
            f"[tool.stepfast.jwt] has more than {MAX_JWT_CHARACTERS} characters, which the authorizer's environment "
            "does not hold: name fewer values in [tool.stepfast.jwt.scopes]"
        )
    page = project.jwt.page if project.jwt else None
    if page is not None and len(page.as_text()) > MAX_PAGE_CHARACTERS:
        raise StartupError(
            "[tool.stepfast.jwt] client_parameters, client_scope and client_origins have more than "
            f"{MAX_PAGE_CHARACTERS} characters, which the environment of the api function does not hold: use fewer"
        )
    if project.jwt.issuer.startswith("http:"):
        raise StartupError("[tool.stepfast.jwt] issuer begins with https:// in a deployment: this machine is not there")


def _check_inbound(project: Project, registry: Registry) -> None:
    check_targets(deployed_inbound(project.inbound), "inbound", registry)
    if len(inbound_text(project.inbound)) > MAX_INBOUND_CHARACTERS:
        raise StartupError(
            f"[tool.stepfast.inbound] of this deployment has more than {MAX_INBOUND_CHARACTERS} characters, which the "
            "environment of the function api does not hold: take fewer webhooks"
        )


def _check_steps(registry: Registry) -> None:
    """Raises StartupError for a step that is made while its workflow runs, so that its pool is not known here."""
    try:
        registry.check()
    except DefinitionError as error:
        raise StartupError(str(error)) from error
    for name, reached in registry.reached.items():
        for place in reached.made:
            raise StartupError(
                f"workflow {name!r} makes a step while it runs, in {place}: a deployment cannot see which pool and "
                "timeout such a step has. Make the step once, at the top level of a module"
            )


def _contradictions(plan: Plan) -> Iterator[str]:
    """Sentences about numbers that do not work together."""
    everything = [*plan.functions.values(), *(pool.function for pool in plan.pools.values())]
    for function in everything:
        if not 0 < function.timeout <= LAMBDA_MAX_SECONDS:
            yield (
                f"the function {function.name} may run for {function.timeout} s, "
                f"and Lambda lets it for {LAMBDA_MAX_SECONDS}"
            )
    queues = [(plan.timer_queue, plan.functions["timer"]), (plan.park_queue, plan.functions["resume"])]
    if plan.event_queue is not None:
        queues.append((plan.event_queue, plan.functions["events"]))
    for queue, function in [*queues, *((pool.queue, pool.function) for pool in plan.pools.values())]:
        if queue.visibility < function.timeout + VISIBILITY_MARGIN_SECONDS:
            yield (
                f"a message of {function.name} comes back after {queue.visibility} s, "
                f"while its function may run for {function.timeout}"
            )
    if plan.park_queue.max_receive_count != 1:
        yield "a parked failure becomes a dead letter by its first receive"
    if plan.functions["api"].timeout >= GATEWAY_TIMEOUT_SECONDS:
        yield f"the gateway gives up after {GATEWAY_TIMEOUT_SECONDS} s, before the function api does"
    if plan.functions["sweeper"].timeout >= plan.sweep_every:
        yield "a sweep may still run when the next one begins"


def _function_plans(project: Project, own: Collection[str]) -> tuple[FunctionPlan, ...]:
    kinds = {
        "api": GATEWAY_TIMEOUT_SECONDS - 1,
        "authorizer": 10,
        "advancer": 300,
        "timer": 60,
        "resume": 120,
        "sweeper": min(LAMBDA_MAX_SECONDS, project.sweep_minutes * 60 - 10),
    }
    if project.event_bus is not None:
        kinds["events"] = 60
    memory = {"authorizer": 256, "events": 256}
    return tuple(
        FunctionPlan(kind, kind, seconds, memory.get(kind, project.memory), _environment(project), own=kind in own)
        for kind, seconds in kinds.items()
    )


def _event_queue(functions: tuple[FunctionPlan, ...]) -> QueuePlan:
    return QueuePlan(_visibility_timeout(functions, "events"), EVENT_RECEIVES, batch_size=10, max_concurrency=2)


def _environment(project: Project) -> dict[str, str]:
    # Powertools looks for the X-Ray SDK unless this variable is set, which makes every cold start slower.
    environment = {} if project.tracing else {"POWERTOOLS_TRACE_DISABLED": "true"}
    if project.opentelemetry_layer is not None:
        environment["AWS_LAMBDA_EXEC_WRAPPER"] = LAYER_WRAPPER
    return environment


def _visibility_timeout(functions: tuple[FunctionPlan, ...], kind: str) -> int:
    return next(function.timeout for function in functions if function.kind == kind) + VISIBILITY_MARGIN_SECONDS


def _pool_plan(name: str, registry: Registry, project: Project, own: Collection[str]) -> PoolPlan:
    settings = project.pools.get(name, PoolSettings())
    steps = [step for step in registry.steps if step.pool == name]
    timeout = _pool_timeout(name, steps, settings)
    environment = {**_environment(project), **settings.environment}
    function = FunctionPlan(
        "step", f"step-{name}", timeout, settings.memory, environment, settings.provisioned, own="step" in own
    )
    queue = QueuePlan(
        visibility=timeout + VISIBILITY_MARGIN_SECONDS,
        max_receive_count=RECEIVES,
        batch_size=settings.batch_size,
        max_concurrency=settings.max_concurrency,
    )
    external = tuple(step.external for step in steps if isinstance(step, StartStep))
    return PoolPlan(name, function, queue, tuple(sorted({step.name for step in steps})), external)


def _pool_timeout(pool: str, steps: list[Step[..., Any]], settings: PoolSettings) -> int:
    """The timeout of a pool's function in seconds: its longest step fits, with the margin of its lease."""
    longest = max(steps, key=lambda step: step.timeout, default=None)
    needed = math.ceil((longest.timeout if longest else 0.0) + LEASE_MARGIN)
    limit = LAMBDA_MAX_SECONDS if settings.timeout is None else settings.timeout
    if longest is not None and needed > limit:
        most = f"{limit - LEASE_MARGIN:g} s"
        why = (
            f"Lambda ends a function after {LAMBDA_MAX_SECONDS} s"
            if settings.timeout is None
            else f"[tool.stepfast.pools.{pool}] timeout is {limit}"
        )
        raise StartupError(
            f"step {longest.name!r} in pool {pool!r} has a timeout of {longest.timeout:g} s, but may have at most "
            f"{most}: {why}, of which {LEASE_MARGIN:g} s are to record the outcome"
        )
    return min(LAMBDA_MAX_SECONDS, needed + CHAIN_BUDGET_SECONDS) if settings.timeout is None else settings.timeout
