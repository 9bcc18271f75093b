"""What is set in Python and not in pyproject.toml, resources of a team's own included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_sns as sns

from stepfast.deployment.plan import Plan
from stepfast.deployment.schedules import ScheduledStart
from stepfast.errors import StartupError
from stepfast.infra.constructs.front_door import Domain, Throttle
from stepfast.infra.target import Target

__all__ = ["Options", "ScheduledStart", "Throttle"]


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of infra/app.py, in addition to `[tool.stepfast]`.

    target: the architecture and the Python version of the functions.
    keep: whether the table and the bucket stay when the stack is deleted.
    throttle: the limits of the API.
    starts: scheduled starts, in addition to those of pyproject.toml.
    vpc: the VPC that the functions run in, in place of the setting `vpc`. It needs a way to AWS's services.
    subnets: the subnets of `vpc` for the functions. None takes the private ones.
    security_groups: the security groups of the functions. None makes one that admits no inbound traffic.
    certificate: the certificate of the setting `domain_name`, in place of the setting `certificate`.
    hosted_zone: the zone that gets the records of `domain_name`. None leaves the records to you.
    domain: a domain name of API Gateway that leads to this API, in place of `domain_name` and `certificate`.
    alarm_topic: the topic that the alarms notify. None makes one.
    roles: roles of yours, by the names of the functions that use them. Each gets the permissions that its function
    needs, unless it was imported with `mutable=False`. The other functions get roles of their own.
    """

    target: Target = field(default_factory=Target)
    keep: bool = True
    throttle: Throttle = field(default_factory=Throttle)
    starts: tuple[ScheduledStart, ...] = ()
    vpc: ec2.IVpc | None = None
    subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] | None = None
    certificate: certificates.ICertificate | None = None
    hosted_zone: route53.IHostedZone | None = None
    domain: gateway.IDomainName | None = None
    alarm_topic: sns.ITopic | None = None
    roles: Mapping[str, iam.IRole] = field(default_factory=dict)


def check(plan: Plan, options: Options) -> None:
    """Raises StartupError for settings that exclude each other."""
    domain_of(plan, options)
    project, python = plan.project, options.target.python
    if project.snap_start and python == "3.11":
        raise StartupError("[tool.stepfast] snap_start needs Python 3.12 or newer on Lambda: see stepfast:python")
    warm = [name for name, pool in plan.pools.items() if pool.function.provisioned]
    if project.snap_start and warm:
        raise StartupError(
            f"[tool.stepfast] snap_start and [tool.stepfast.pools.{warm[0]}] provisioned exclude each other: "
            "Lambda takes one of them for a function"
        )
    if project.snap_start and project.packaging == "image":
        raise StartupError(
            '[tool.stepfast] snap_start and packaging = "image" exclude each other: Lambda takes no snapshot of one'
        )
    if project.opentelemetry_layer and not project.opentelemetry:
        raise StartupError(
            "[tool.stepfast] opentelemetry_layer is where spans go: set opentelemetry = true as well, which makes them"
        )
    if project.opentelemetry_layer and project.packaging == "image":
        raise StartupError("[tool.stepfast] opentelemetry_layer: an image takes no layers; put the SDK into image_base")
    if project.image_base and project.packaging != "image":
        raise StartupError('[tool.stepfast] image_base is the base of an image: set packaging = "image" as well')
    if project.key_table and not project.kms_key:
        raise StartupError("[tool.stepfast] key_table has the data keys of a deployment: set kms_key as well")
    if project.kms_key and project.log_values:
        raise StartupError(
            "[tool.stepfast] log_values writes into the logs in the clear what kms_key encrypts: leave one of them out"
        )
    in_network = bool(options.vpc or project.vpc)
    for name in ("subnets", "security_groups"):
        if getattr(options, name) and not in_network:
            raise StartupError(f"{name} are of a VPC: set vpc as well")
    names = [*plan.functions, *(pool.function.name for pool in plan.pools.values())]
    for name in options.roles:
        if name not in names:
            raise StartupError(f"roles: no function is named {name!r}; there are: {', '.join(names)}")
    if options.alarm_topic and project.alarm_email:
        raise StartupError("alarm_topic is a topic of your own: subscribe the address there, and leave out alarm_email")


def domain_of(plan: Plan, options: Options) -> Domain | None:
    """The domain name of the API; None without one."""
    name, certificate = plan.project.domain_name, options.certificate or plan.project.certificate
    if options.domain:
        if name or certificate or options.hosted_zone:
            raise StartupError(
                "domain is a domain name with its certificate and records: "
                "leave out domain_name, certificate and hosted_zone"
            )
        return Domain(options.domain.name, existing=options.domain)
    if bool(name) != bool(certificate):
        raise StartupError("[tool.stepfast] domain_name and certificate (an ARN) go together: set both or neither")
    if options.hosted_zone and not name:
        raise StartupError("hosted_zone gets the records of a domain: set domain_name and certificate as well")
    return Domain(name, certificate, options.hosted_zone) if name else None
