"""A team's stack: its own network, domain, topic and callers, and two deployments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.deployment.plan import Plan
from stepfast.infra.bundle import Bundle
from stepfast.infra.deployment import DeploymentConstruct
from stepfast.infra.options import Options


class Shop(Stack):
    def __init__(self, scope: Construct, id: str, plan: Plan, bundle: Bundle, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        self.vpc = ec2.Vpc(self, "Net", max_azs=2)
        group = ec2.SecurityGroup(self, "Open", vpc=self.vpc)
        certificate = certificates.Certificate(self, "Cert", domain_name="jobs.example.com")
        zone = route53.HostedZone(self, "Zone", zone_name="example.com")
        topic = sns.Topic(self, "Pager")
        signed = replace(plan, project=replace(plan.project, auth="iam", domain_name="jobs.example.com"))
        lambda_service = iam.ServicePrincipal("lambda.amazonaws.com")
        printer = iam.Role(self, "Printer", assumed_by=lambda_service)
        options = Options(
            roles={
                "step-pdf": printer,
                "timer": printer,
                "sweeper": iam.Role.from_role_arn(self, "Broom", "arn:aws:iam::111122223333:role/broom", mutable=False),
            },
            vpc=self.vpc,
            subnets=ec2.SubnetSelection(subnets=self.vpc.private_subnets[:1]),
            security_groups=[group],
            certificate=certificate,
            hosted_zone=zone,
            alarm_topic=topic,
        )
        self.jobs = DeploymentConstruct(self, "Jobs", plan=signed, bundle=bundle, options=options)
        callers = {name: iam.Role(self, name, assumed_by=iam.AccountRootPrincipal()) for name in ("Ann", "Bob", "Cy")}
        self.jobs.grant_start(callers["Ann"])
        self.jobs.grant_read(callers["Bob"])
        self.jobs.grant_operate(callers["Cy"])
        shared = gateway.DomainName(self, "Shared", domain_name="reports.example.com", certificate=certificate)
        self.reports = DeploymentConstruct(self, "Reports", plan=plan, bundle=bundle, options=Options(domain=shared))
        boundary = iam.ManagedPolicy.from_aws_managed_policy_name("PowerUserAccess")
        iam.PermissionsBoundary.of(self.reports).apply(boundary)
        inbox = sqs.Queue(self, "Inbox", visibility_timeout=Duration.minutes(1))
        inbox.grant_send_messages(self.jobs.functions["step-pdf"].role)
        for letters in (self.jobs.queues.dead_letters, self.reports.queues.dead_letters):
            letters.grant_consume_messages(callers["Cy"])
