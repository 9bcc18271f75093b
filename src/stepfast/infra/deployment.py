"""A deployment: composes the constructs, and grants each function exactly what it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from aws_cdk import CfnOutput, Lazy, Stack, Token
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as images
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from stepfast.backends.dynamodb.table import LISTING
from stepfast.deployment import settings
from stepfast.deployment.event_settings import deployed_inbound, inbound_text
from stepfast.deployment.limit_settings import limits_text
from stepfast.deployment.plan import FunctionPlan, Plan
from stepfast.errors import StartupError
from stepfast.http.auth import Scope
from stepfast.infra import access, grants
from stepfast.infra.bundle import Bundle
from stepfast.infra.constructs import cost, sources
from stepfast.infra.constructs.alarms import Alarms
from stepfast.infra.constructs.code import Image, Packaging, Zip
from stepfast.infra.constructs.dashboard import Dashboard, Watched
from stepfast.infra.constructs.front_door import AddressOf, FrontDoor
from stepfast.infra.constructs.function import LambdaFunction, Shared
from stepfast.infra.constructs.metrics import namespace_of
from stepfast.infra.constructs.queues import Queues
from stepfast.infra.constructs.retention import log_retention
from stepfast.infra.constructs.rules import StartRules, bus_arn, secret_arns
from stepfast.infra.constructs.schedules import Recurring, Timers
from stepfast.infra.constructs.state import State
from stepfast.infra.external_grants import of_external
from stepfast.infra.options import Options, domain_of

__all__ = ["DeploymentConstruct"]


class DeploymentConstruct(Construct):
    """The resources of one deployment. A stack may hold any number of them: no resource has a fixed name.

    `Stepfast` is such a construct, and has the same attributes and methods.
    """

    def __init__(
        self, scope: Construct, id: str, *, plan: Plan, bundle: Bundle, options: Options | None = None
    ) -> None:
        super().__init__(scope, id)
        self.plan, self.options = plan, options or Options()
        self._state = State(
            self,
            "State",
            keep=self.options.keep,
            table_stream=plan.project.table_stream,
            bucket=plan.project.bucket,
            encrypted=plan.project.kms_key is not None,
            key_table=plan.project.key_table,
        )
        self.queues = Queues(self, "Queues", plan=plan)
        self._timers = Timers(self, "Timers", queues=[self.queues.timer, *self.queues.pools.values()])
        self._shared = self._in_common(bundle)
        self.functions = self._functions()
        self._connect()
        Recurring(
            self,
            "Recurring",
            sweeper=self.functions["sweeper"].target,
            sweep_every=plan.sweep_every,
            timer_queue=self.queues.timer,
            starts=[*plan.starts, *self.options.starts],
        )
        if plan.project.rules:
            StartRules(
                self,
                "Rules",
                rules=plan.project.rules,
                timer_queue=self.queues.timer,
                undelivered=self.queues.undelivered,
            )
        self._front_door = self._make_front_door()
        watched = self._watched()
        self._dashboard = Dashboard(self, "Dashboard", watched=watched)
        self._alarms = Alarms(
            self,
            "Alarms",
            watched=watched,
            sweep_every=plan.sweep_every,
            email=plan.project.alarm_email,
            topic=self.options.alarm_topic,
        )
        self._outputs()

    @property
    def table(self) -> dynamodb.ITable:
        """The table of all executions."""
        return self._state.table

    @property
    def bucket(self) -> s3.IBucket:
        """The bucket of large values."""
        return self._state.bucket

    @property
    def api(self) -> gateway.HttpApi:
        """The HTTP API."""
        return self._front_door.api

    @property
    def url(self) -> str:
        """The address of the HTTP API: STEPFAST_URL for the client and the command line."""
        return self._front_door.url

    @property
    def alarm_topic(self) -> sns.ITopic:
        """The topic that the alarms notify."""
        return self._alarms.topic

    # -- who may call the API
    # -----------------------------------------------------------------------------------

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows `grantee` to read: lists, single executions, results and the history.

        Raises StartupError for a deployment without `auth = "iam"`.
        """
        return self._grant(grantee, "read")

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows `grantee` to start executions and to send signals. It does not include `grant_read`.

        Raises StartupError for a deployment without `auth = "iam"`.
        """
        return self._grant(grantee, "run")

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows `grantee` to cancel, resume and delete executions, and to replay dead letters.

        Raises StartupError for a deployment without `auth = "iam"`.
        """
        return self._grant(grantee, "operate")

    def _grant(self, grantee: iam.IGrantable, scope: Scope) -> iam.Grant:
        return access.grant(self.api, grantee, scope, self.plan.project.auth)

    # -- functions -----------------------------------------------------------------------------------------

    def _in_common(self, bundle: Bundle) -> Shared:
        project, options = self.plan.project, self.options
        vpc = self._network()
        return Shared(
            packaging=self._packaging(bundle),
            target=options.target,
            log_days=log_retention(project.log_retention_days),
            namespace=namespace_of(self),
            tracing=project.tracing,
            layer=project.opentelemetry_layer,
            snap_start=project.snap_start,
            vpc=vpc,
            subnets=options.subnets,
            security_groups=self._security_groups(vpc) if vpc else (),
        )

    def _packaging(self, bundle: Bundle) -> Packaging:
        target = self.options.target
        if self.plan.project.packaging == "zip":
            return Zip(lambda_.Code.from_asset(str(bundle.folder), asset_hash=bundle.digest), target.python)
        platform = images.Platform.custom(f"linux/{_DOCKER_NAMES[target.architecture]}")
        return Image(images.DockerImageAsset(self, "Image", directory=str(bundle.folder), platform=platform))

    def _network(self) -> ec2.IVpc | None:
        name = self.plan.project.vpc
        if self.options.vpc or not name:
            return self.options.vpc
        if Token.is_unresolved(Stack.of(self).account) or Token.is_unresolved(Stack.of(self).region):
            raise StartupError(
                f"the VPC {name} is looked up in an account: give the stack env=Environment(account=…, region=…), "
                "or pass the VPC as an object of the CDK"
            )
        return ec2.Vpc.from_lookup(self, "Vpc", vpc_id=name)

    def _security_groups(self, vpc: ec2.IVpc) -> Sequence[ec2.ISecurityGroup]:
        if self.options.security_groups:
            return self.options.security_groups
        # All outbound traffic, since steps call any service; no inbound traffic.
        return (ec2.SecurityGroup(self, "Functions", vpc=vpc, description="stepfast"),)

    def _make_front_door(self) -> FrontDoor:
        project = self.plan.project
        return FrontDoor(
            self,
            "FrontDoor",
            name=self._name(),
            api=self.functions["api"].target,
            authorizer=self.functions["authorizer"].target if self._with_keys() else None,
            cache=project.authorizer_cache,
            throttle=self.options.throttle,
            log_days=self._shared.log_days,
            domain=domain_of(self.plan, self.options),
            inbound=bool(deployed_inbound(project.inbound)),
        )

    def _name(self) -> str:
        """The name of the API in the console. In the stack of StepfastStack it is the stack's id."""
        return Stack.of(self).node.id if self.node.id == "Default" else self.node.id

    def _functions(self) -> Mapping[str, LambdaFunction]:
        """The functions by name: the plan's, and one per pool."""
        kinds = [
            function for function in self.plan.functions.values() if function.kind != "authorizer" or self._with_keys()
        ]
        pools = {pool.function.name: name for name, pool in self.plan.pools.items()}
        plans = [*kinds, *(pool.function for pool in self.plan.pools.values())]
        resources = self._resources()
        external = {pool.function.name: of_external(pool.external) for pool in self.plan.pools.values()}
        return {
            plan.name: LambdaFunction(
                self,
                title(plan.name),
                plan=plan,
                shared=self._shared,
                environment=self._environment(plan, pools.get(plan.name, "")),
                statements=[
                    *grants.of(plan.kind, resources, pools.get(plan.name, "")),
                    *external.get(plan.name, ()),
                ],
                role=self.options.roles.get(plan.name),
            )
            for plan in plans
        }

    def _with_keys(self) -> bool:
        return self.plan.project.auth in ("keys", "jwt")

    def _resources(self) -> grants.Resources:
        table = self._state.table
        assert table.table_stream_arn is not None
        return grants.Resources(
            table=table.table_arn,
            index=f"{table.table_arn}/index/{LISTING}",
            stream=table.table_stream_arn,
            bucket=self._state.bucket.bucket_arn,
            pools={name: queue.queue_arn for name, queue in self.queues.pools.items()},
            timer_queue=self.queues.timer.queue_arn,
            park_queue=self.queues.park.queue_arn,
            undelivered=self.queues.undelivered.queue_arn,
            schedules=self._timers.schedules,
            schedule_role=self._timers.role.role_arn,
            key_table="" if self._state.keys is None else self._state.keys.table_arn,
            kms_key=self.plan.project.kms_key or "",
            event_queue="" if self.queues.events is None else self.queues.events.queue_arn,
            secrets=secret_arns(self, self.plan.project.inbound),
            event_bus=bus_arn(self, self.plan.project.event_bus),
        )

    def _environment(self, plan: FunctionPlan, pool: str) -> Mapping[str, str]:
        """The environment variables that the function reads (settings.NEEDS), and no others."""
        project = self.plan.project
        everything: dict[str, str] = {
            settings.TABLE: self.table.table_name,
            settings.BUCKET: self.bucket.bucket_name,
            settings.QUEUES: Stack.of(self).to_json_string(
                {name: queue.queue_url for name, queue in self.queues.pools.items()}
            ),
            settings.TIMER_QUEUE: self.queues.timer.queue_url,
            settings.PARK_QUEUE: self.queues.park.queue_url,
            settings.UNDELIVERED: self.queues.undelivered.queue_url,
            settings.SCHEDULES: self._timers.group,
            settings.SCHEDULE_ROLE: self._timers.role.role_arn,
            settings.WORKFLOWS: project.workflows,
            settings.RETENTION: str(project.retention_days),
            settings.SHARDS: str(project.listing_shards),
            settings.POOL: pool,
            settings.AUTH: project.auth,
            settings.LOG_VALUES: str(project.log_values).lower(),
            settings.LIMITS: limits_text(project.limits),
            settings.OPENTELEMETRY: str(project.opentelemetry).lower(),
            settings.POOL_TIMEOUTS: json.dumps(self.plan.pool_timeouts),
            settings.MAX_CHILD_DEPTH: str(project.max_child_depth),
            settings.PUBLIC_URL: project.public_url or Lazy.string(AddressOf(lambda: self.url)),
            settings.MAX_SIGNALS: str(project.max_signals),
            settings.MAX_SIGNAL_BYTES: str(project.max_signal_bytes),
            settings.AUDIT_DAYS: str(project.audit_days),
            settings.AUDIT_ALL: str(project.audit_all).lower(),
        }
        if self.queues.events is not None:
            everything[settings.EVENT_BUS] = bus_arn(self, project.event_bus)
            everything[settings.EVENT_QUEUE] = self.queues.events.queue_url
        encryption = {} if plan.kind in ("authorizer", "events") else self._encryption()
        read = (*settings.NEEDS[plan.kind], *settings.ALSO[plan.kind])
        also = {settings.JWT: project.jwt.as_text()} if project.jwt and plan.kind == "authorizer" else {}
        if plan.kind == "api" and project.jwt and (page := project.jwt.page):
            also[settings.PAGE_SIGN_ON] = page.as_text()
        if plan.kind == "api" and (inbound := inbound_text(project.inbound)):
            also[settings.INBOUND] = inbound
        return {name: everything[name] for name in read} | dict(encryption) | also

    def _encryption(self) -> Mapping[str, str]:
        """The environment variables of functions that encrypt."""
        project, keys = self.plan.project, self._state.keys
        if keys is None or project.kms_key is None:
            return {}
        new = str(project.encrypt_new).lower()
        return {settings.KMS_KEY: project.kms_key, settings.KEY_TABLE: keys.table_name, settings.ENCRYPT_NEW: new}

    def _connect(self) -> None:
        functions, plan, queues = self.functions, self.plan, self.queues
        stream = self._resources().stream
        sources.of_stream(functions["advancer"], functions["advancer"].target, stream, plan.stream, queues.undelivered)
        sources.of_queue(functions["timer"], functions["timer"].target, queues.timer, plan.timer_queue)
        sources.of_queue(functions["resume"], functions["resume"].target, queues.park, plan.park_queue)
        if plan.event_stream and plan.event_queue and queues.events:
            events = functions["events"]
            sources.of_stream(events, events.target, stream, plan.event_stream, queues.undelivered)
            sources.of_queue(events, events.target, queues.events, plan.event_queue)
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
            event_letters=self.queues.event_letters,
            table=self.table.table_name,
            api=self._front_door.api.api_id,
            timers=self._timers.group,
            billed=cost.Billed(
                functions={
                    function.function.function_name: function.plan.memory for function in self.functions.values()
                },
                table=self.table.table_name,
                queues=[queue.queue_name for queue in queues],
                api=self._front_door.api.api_id,
                architecture=self.options.target.architecture,
            ),
        )

    def _outputs(self) -> None:
        letters = self.queues.dead_letters
        stack = Stack.of(self)
        console = f"https://{stack.region}.console.aws.amazon.com"
        # The console's address of a queue contains the queue's URL, percent-encoded.
        kept = "; table and bucket stay when the stack is deleted" if self.options.keep else ""
        url = f"https%3A%2F%2Fsqs.{stack.region}.{stack.url_suffix}%2F{stack.account}%2F{letters.queue_name}"
        for name, value, text in (
            ("ApiUrl", self._front_door.url, "Where the HTTP API is: STEPFAST_URL for client and command line"),
            ("TableName", self.table.table_name, f"For `stepfast keys create --table`{kept}"),
            ("DeadLetterQueueUrl", letters.queue_url, "One message per failed execution"),
            (
                "RedriveConsole",
                f"{console}/sqs/v3/home?region={stack.region}#/queues/{url}",
                "`Start DLQ redrive` here",
            ),
            (
                "DashboardConsole",
                f"{console}/cloudwatch/home?region={stack.region}#dashboards/dashboard/"
                f"{self._dashboard.dashboard.dashboard_name}",
                "What happens in this deployment",
            ),
            ("AlarmTopic", self._alarms.topic.topic_arn, "Subscribe to it to be told"),
        ):
            CfnOutput(self, name, value=value, description=text)
        if self._state.keys is not None:
            text = f"The data keys, which no backup has: STEPFAST_KEY_TABLE{kept}"
            CfnOutput(self, "KeyTableName", value=self._state.keys.table_name, description=text)
        if self.plan.project.domain_name:
            CfnOutput(
                self,
                "DomainTarget",
                value=self._front_door.domain_target,
                description="What your domain's CNAME points to",
            )


_DOCKER_NAMES = {"arm64": "arm64", "x86_64": "amd64"}
_WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")


def title(name: str) -> str:
    """The construct id of a function: `step-pdf` -> `StepPdf`. Other names stay, so that no two share an id."""
    return "".join(part[0].upper() + part[1:] for part in name.split("-")) if _WORDS.fullmatch(name) else name
