"""The stack: composes the constructs, and grants each function exactly what it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stepfast.backends.dynamodb.table import LISTING
from stepfast.deployment import settings
from stepfast.deployment.plan import FunctionPlan, Plan
from stepfast.errors import StartupError
from stepfast.infra import grants
from stepfast.infra.bundle import Bundle
from stepfast.infra.constructs import cost, sources
from stepfast.infra.constructs.alarms import Alarms
from stepfast.infra.constructs.dashboard import Dashboard, Watched
from stepfast.infra.constructs.front_door import Domain, FrontDoor, Throttle
from stepfast.infra.constructs.function import LambdaFunction, Shared
from stepfast.infra.constructs.metrics import namespace_of
from stepfast.infra.constructs.queues import Queues
from stepfast.infra.constructs.schedules import Recurring, ScheduledStart, Timers
from stepfast.infra.constructs.state import State
from stepfast.infra.target import Target

__all__ = ["Options", "ScheduledStart", "StepfastStack", "Throttle"]


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of infra/app.py, in addition to `[tool.stepfast]`.

    target: the architecture and the Python version of the functions.
    keep: whether the table and the bucket stay when the stack is deleted.
    throttle: the limits of the API.
    starts: scheduled starts, in addition to those of pyproject.toml.
    """

    target: Target = field(default_factory=Target)
    keep: bool = True
    throttle: Throttle = field(default_factory=Throttle)
    starts: tuple[ScheduledStart, ...] = ()


class StepfastStack(Stack):
    """The stack of one deployment. An account may have any number of them: no resource has a fixed name.

    `functions` maps the names of the functions to their constructs: "api", "authorizer", "advancer", "timer", "resume",
    "sweeper", and "step-POOL" for each pool. Grant permissions to the `role` of a function.
    """

    def __init__(
        self, scope: Construct, id: str, *, plan: Plan, bundle: Bundle, options: Options | None = None, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, description="stepfast: durable workflows", **kwargs)
        self.plan, self.options = plan, options or Options()
        project = plan.project
        self.state = State(
            self, "State", keep=self.options.keep, table_stream=project.table_stream, bucket=project.bucket
        )
        self.queues = Queues(self, "Queues", plan=plan)
        self.timers = Timers(self, "Timers", queues=[self.queues.timer, *self.queues.pools.values()])
        self._shared = self._in_common(bundle)
        self.functions = self._functions()
        self._connect()
        self.recurring = Recurring(
            self,
            "Recurring",
            sweeper=self.functions["sweeper"].target,
            sweep_every=plan.sweep_every,
            timer_queue=self.queues.timer,
            starts=[*plan.starts, *self.options.starts],
        )
        self.front_door = FrontDoor(
            self,
            "FrontDoor",
            api=self.functions["api"].target,
            authorizer=self.functions["authorizer"].target if project.auth == "keys" else None,
            cache=project.authorizer_cache,
            throttle=self.options.throttle,
            log_days=self._shared.log_days,
            domain=_domain(plan),
        )
        watched = self._watched()
        self.dashboard = Dashboard(self, "Dashboard", watched=watched)
        self.alarms = Alarms(self, "Alarms", watched=watched, sweep_every=plan.sweep_every, email=project.alarm_email)
        self._outputs()

    # -- functions -----------------------------------------------------------------------------------------

    def _in_common(self, bundle: Bundle) -> Shared:
        project = self.plan.project
        vpc = ec2.Vpc.from_lookup(self, "Vpc", vpc_id=project.vpc) if project.vpc else None
        return Shared(
            code=lambda_.Code.from_asset(str(bundle.folder), asset_hash=bundle.digest),
            target=self.options.target,
            log_days=getattr(logs.RetentionDays, _LOG_DAYS[project.log_retention_days]),
            namespace=namespace_of(self),
            tracing=project.tracing,
            snap_start=project.snap_start,
            vpc=vpc,
            # All outbound traffic, since steps call any service; no inbound traffic.
            security_group=ec2.SecurityGroup(self, "Functions", vpc=vpc, description="stepfast") if vpc else None,
        )

    def _functions(self) -> Mapping[str, LambdaFunction]:
        """The functions by name: the plan's, and one per pool."""
        kinds = [
            function for function in self.plan.functions.values() if function.kind != "authorizer" or self._with_keys()
        ]
        pools = {pool.function.name: name for name, pool in self.plan.pools.items()}
        plans = [*kinds, *(pool.function for pool in self.plan.pools.values())]
        resources = self._resources()
        return {
            plan.name: LambdaFunction(
                self,
                title(plan.name),
                plan=plan,
                shared=self._shared,
                environment=self._environment(plan, pools.get(plan.name, "")),
                statements=grants.of(plan.kind, resources, pools.get(plan.name, "")),
            )
            for plan in plans
        }

    def _with_keys(self) -> bool:
        return self.plan.project.auth == "keys"

    def _resources(self) -> grants.Resources:
        table = self.state.table
        assert table.table_stream_arn is not None
        return grants.Resources(
            table=table.table_arn,
            index=f"{table.table_arn}/index/{LISTING}",
            stream=table.table_stream_arn,
            bucket=self.state.bucket.bucket_arn,
            pools={name: queue.queue_arn for name, queue in self.queues.pools.items()},
            timer_queue=self.queues.timer.queue_arn,
            park_queue=self.queues.park.queue_arn,
            undelivered=self.queues.undelivered.queue_arn,
            schedules=self.timers.schedules,
            schedule_role=self.timers.role.role_arn,
        )

    def _environment(self, plan: FunctionPlan, pool: str) -> Mapping[str, str]:
        """The environment variables that the function reads (settings.NEEDS), and no others."""
        project = self.plan.project
        everything = {
            settings.TABLE: self.state.table.table_name,
            settings.BUCKET: self.state.bucket.bucket_name,
            settings.QUEUES: self.to_json_string({name: queue.queue_url for name, queue in self.queues.pools.items()}),
            settings.TIMER_QUEUE: self.queues.timer.queue_url,
            settings.PARK_QUEUE: self.queues.park.queue_url,
            settings.UNDELIVERED: self.queues.undelivered.queue_url,
            settings.SCHEDULES: self.timers.group,
            settings.SCHEDULE_ROLE: self.timers.role.role_arn,
            settings.WORKFLOWS: project.workflows,
            settings.RETENTION: str(project.retention_days),
            settings.SHARDS: str(project.listing_shards),
            settings.POOL: pool,
            settings.AUTH: project.auth,
            settings.LOG_VALUES: str(project.log_values).lower(),
            settings.POOL_TIMEOUTS: json.dumps(self.plan.pool_timeouts),
            settings.MAX_CHILD_DEPTH: str(project.max_child_depth),
            settings.MAX_SIGNALS: str(project.max_signals),
            settings.MAX_SIGNAL_BYTES: str(project.max_signal_bytes),
        }
        return {name: everything[name] for name in (*settings.NEEDS[plan.kind], *settings.ALSO[plan.kind])}

    def _connect(self) -> None:
        functions, plan, queues = self.functions, self.plan, self.queues
        stream = self._resources().stream
        sources.of_stream(functions["advancer"], functions["advancer"].target, stream, plan.stream, queues.undelivered)
        sources.of_queue(functions["timer"], functions["timer"].target, queues.timer, plan.timer_queue)
        sources.of_queue(functions["resume"], functions["resume"].target, queues.park, plan.park_queue)
        for name, pool in plan.pools.items():
            function = functions[pool.function.name]
            sources.of_queue(function, function.target, queues.pools[name], pool.queue)

    # -- dashboard, alarms and outputs
    # -----------------------------------------------------------------------------------

    def _watched(self) -> Watched:
        queues = [*self.queues.pools.values(), self.queues.timer, self.queues.park]
        functions = {name: function.function for name, function in self.functions.items()}
        return Watched(
            namespace=self._shared.namespace,
            functions=functions,
            pools=self.queues.pools,
            timer_queue=self.queues.timer,
            dead_letters=self.queues.dead_letters,
            undelivered=self.queues.undelivered,
            table=self.state.table.table_name,
            api=self.front_door.api.api_id,
            timers=self.timers.group,
            billed=cost.Billed(
                functions={
                    function.function.function_name: function.plan.memory for function in self.functions.values()
                },
                table=self.state.table.table_name,
                queues=[queue.queue_name for queue in queues],
                api=self.front_door.api.api_id,
                architecture=self.options.target.architecture,
            ),
        )

    def _outputs(self) -> None:
        letters = self.queues.dead_letters
        console = f"https://{self.region}.console.aws.amazon.com"
        # The console's address of a queue contains the queue's URL, percent-encoded.
        kept = "; table and bucket stay when the stack is deleted" if self.options.keep else ""
        url = f"https%3A%2F%2Fsqs.{self.region}.{self.url_suffix}%2F{self.account}%2F{letters.queue_name}"
        for name, value, text in (
            ("ApiUrl", self.front_door.url, "Where the HTTP API is: STEPFAST_URL for client and command line"),
            ("TableName", self.state.table.table_name, f"For `stepfast keys create --table`{kept}"),
            ("DeadLetterQueueUrl", letters.queue_url, "One message per failed execution"),
            ("RedriveConsole", f"{console}/sqs/v3/home?region={self.region}#/queues/{url}", "`Start DLQ redrive` here"),
            (
                "DashboardConsole",
                f"{console}/cloudwatch/home?region={self.region}#dashboards/dashboard/"
                f"{self.dashboard.dashboard.dashboard_name}",
                "What happens in this deployment",
            ),
            ("AlarmTopic", self.alarms.topic.topic_arn, "Subscribe to it to be told"),
        ):
            CfnOutput(self, name, value=value, description=text)
        if self.plan.project.domain_name:
            CfnOutput(
                self,
                "DomainTarget",
                value=self.front_door.domain_target,
                description="What your domain's CNAME points to",
            )


def _domain(plan: Plan) -> Domain | None:
    name, certificate = plan.project.domain_name, plan.project.certificate
    if bool(name) != bool(certificate):
        raise StartupError("[tool.stepfast] domain_name and certificate (an ARN) go together: set both or neither")
    return Domain(name, certificate) if name and certificate else None


_WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")


def title(name: str) -> str:
    """The construct id of a function: `step-pdf` -> `StepPdf`. Other names stay, so that no two share an id."""
    return "".join(part[0].upper() + part[1:] for part in name.split("-")) if _WORDS.fullmatch(name) else name


def check(plan: Plan, target: Target) -> None:
    """Raises StartupError for settings that exclude each other."""
    _domain(plan)
    if plan.project.snap_start and target.python == "3.11":
        raise StartupError("[tool.stepfast] snap_start needs Python 3.12 or newer on Lambda: see stepfast:python")
    warm = [name for name, pool in plan.pools.items() if pool.function.provisioned]
    if plan.project.snap_start and warm:
        raise StartupError(
            f"[tool.stepfast] snap_start and [tool.stepfast.pools.{warm[0]}] provisioned exclude each other: "
            "Lambda takes one of them for a function"
        )


_LOG_DAYS = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    5: "FIVE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    60: "TWO_MONTHS",
    90: "THREE_MONTHS",
    120: "FOUR_MONTHS",
    150: "FIVE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS",
    731: "TWO_YEARS",
    1096: "THREE_YEARS",
    1827: "FIVE_YEARS",
    2192: "SIX_YEARS",
    2557: "SEVEN_YEARS",
    2922: "EIGHT_YEARS",
    3288: "NINE_YEARS",
    3653: "TEN_YEARS",
}
