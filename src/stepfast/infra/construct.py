"""`Stepfast`: a project's deployment as a construct, for a stack of your own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_sns as sns
from constructs import Construct
from typing_extensions import Unpack

from stepfast.deployment.project import Project
from stepfast.deployment.schedules import ScheduledStart
from stepfast.infra.constructs.front_door import Throttle
from stepfast.infra.deployment import DeploymentConstruct
from stepfast.infra.options import Options
from stepfast.infra.preparing import prepare
from stepfast.infra.target import Target
from stepfast.infra.versions import check_cli

__all__ = ["SettingKeywords", "Stepfast"]


class SettingKeywords(TypedDict, total=False):
    """The settings of `[tool.stepfast]` as keywords. The reference of Project explains each."""

    workflows: str
    retention_days: int
    log_retention_days: int
    listing_shards: int
    auth: str
    authorizer_cache: int
    memory: int
    parallelization: int
    sweep_minutes: int
    tracing: bool
    opentelemetry: bool
    opentelemetry_layer: str
    log_values: bool
    max_signals: int
    max_signal_bytes: int
    max_child_depth: int
    packaging: str
    image_base: str
    snap_start: bool
    alarm_email: str
    public_url: str
    domain_name: str
    table_stream: str
    bucket: str
    kms_key: str
    key_table: str
    key_file: str
    event_bus: str
    encrypt_new: bool
    audit_days: int
    audit_all: bool
    pools: Mapping[str, Mapping[str, Any]]
    schedules: Mapping[str, Mapping[str, Any]]
    limits: Mapping[str, Mapping[str, Any]]
    webhooks: Mapping[str, Mapping[str, Any]]
    inbound: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Mapping[str, Any]]
    jwt: Mapping[str, Any]


class Stepfast(DeploymentConstruct):
    """The deployment of a project, as a construct in a stack of your own.

    scope, id: as for every construct. The id "Default" gives the resources the logical ids that `synth` gives them, so
    that a deployment can move into a stack of your own with the same id.
    project: the folder of the project, which holds pyproject.toml, relative to the current folder.
    extras: the optional dependencies of pyproject.toml that the workflows need.
    include: further files and folders of the project that the workflows import or read, relative to `project`.
    target: the architecture and the Python version of the functions.
    keep: whether the table and the bucket stay when the stack is deleted.
    throttle: the limits of the API.
    starts: scheduled starts, in addition to those of pyproject.toml.
    vpc: the VPC that the functions run in, or its id. It needs a way to AWS's services.
    subnets: the subnets of `vpc` for the functions. None takes the private ones.
    security_groups: the security groups of the functions. None makes one that admits no inbound traffic.
    certificate: the certificate of `domain_name`, or its ARN, in the region of the stack.
    hosted_zone: the zone that gets the records of `domain_name`. None leaves the records to you.
    domain: a domain name of API Gateway that leads to this API, in place of `domain_name` and `certificate`.
    alarm_topic: the topic that the alarms notify. None makes one.
    roles: roles of yours, by the names of the functions that use them. Each gets the permissions that its function
    needs, unless it was imported with `mutable=False`. The other functions get roles of their own.
    cache: the folder for bundles that were built before; by default `.stepfast/bundles` in `project`.
    settings: settings of `[tool.stepfast]` as keywords, in place of those in pyproject.toml. The settings of a pool or
    schedule are replaced one by one, and so are the variables in the `environment` of a pool.

    A stack and an app may hold any number of them. `functions` maps "api", "authorizer", "advancer", "timer", "resume",
    "sweeper", with `event_bus` "events", and "step-POOL" for each pool, to their constructs: grant permissions to the
    `role` of one. `queues` has `pools` by name, `timer`, `park`, `dead_letters` and `undelivered`.

    The CDK's context is not read. Raises StartupError, or another StepfastError, for a project not in order.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        project: Path | str,
        extras: Sequence[str] = (),
        include: Sequence[str] = (),
        target: Target | None = None,
        keep: bool = True,
        throttle: Throttle | None = None,
        starts: Sequence[ScheduledStart] = (),
        vpc: ec2.IVpc | str | None = None,
        subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        certificate: certificates.ICertificate | str | None = None,
        hosted_zone: route53.IHostedZone | None = None,
        domain: gateway.IDomainName | None = None,
        alarm_topic: sns.ITopic | None = None,
        roles: Mapping[str, iam.IRole] | None = None,
        cache: Path | None = None,
        **settings: Unpack[SettingKeywords],
    ) -> None:
        check_cli(os.environ)
        named = {name: value for name, value in (("vpc", vpc), ("certificate", certificate)) if isinstance(value, str)}
        overrides = {**settings, **named}
        # Checked by themselves first: the error then names this construct, and not the file.
        Project.of({key: value for key, value in overrides.items() if key != "schedules"}, f"Stepfast {id!r}")
        options = Options(
            target=target or Target(),
            keep=keep,
            throttle=throttle or Throttle(),
            starts=tuple(starts),
            vpc=None if isinstance(vpc, str) else vpc,
            subnets=subnets,
            security_groups=security_groups,
            certificate=None if isinstance(certificate, str) else certificate,
            hosted_zone=hosted_zone,
            domain=domain,
            alarm_topic=alarm_topic,
            roles=roles or {},
        )
        prepared = prepare(Path(project), options, extras=extras, include=include, settings=overrides, cache=cache)
        super().__init__(scope, id, plan=prepared.plan, bundle=prepared.bundle, options=options)
