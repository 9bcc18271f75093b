"""A deployment as a construct in a stack of one's own, beside others; and the stack around it, with the old ids."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.errors import StartupError
from stepfast.http.auth import SCOPES
from stepfast.infra import access
from stepfast.infra.bundle import Bundle
from stepfast.infra.construct import SettingKeywords
from stepfast.infra.deployment import DeploymentConstruct
from stepfast.infra.options import Options, check
from stepfast.infra.stack import StepfastStack
from tests.infra.conftest import Synthesized, Template, only, resources
from tests.infra.reading import listed, named

KEPT = Path(__file__).with_name("logical_ids.txt")


# -- the ids of deployments that exist


@pytest.mark.parametrize("name", ["plain", "full"])
def test_the_stack_keeps_the_logical_ids_of_deployments_that_exist(synthesized: Synthesized, name: str) -> None:
    """The file was written when the stack held its resources itself. CloudFormation replaces what changes its id."""
    kept = {tuple(line.split()[1:]) for line in KEPT.read_text().splitlines() if line.split()[0] == name}
    kept = {(kind, id) for kind, id in kept if kind != "AWS::Lambda::Version"}  # its id has a digest of the settings
    made = {(resource["Type"], id) for id, resource in synthesized.templates[name]["Resources"].items()}
    assert kept - made == set()


def test_a_deployment_named_default_has_those_ids_in_any_stack(
    synthesized: Synthesized, own: dict[str, Template]
) -> None:
    assert lasting(own["moved"]) == lasting(synthesized.plain)
    assert own["moved"]["Outputs"].keys() == synthesized.plain["Outputs"].keys()


def lasting(template: Template) -> set[str]:
    """All but the permissions of the gateway, which the CDK names after the stack, and which can be replaced."""
    return {id for id, resource in template["Resources"].items() if resource["Type"] != "AWS::Lambda::Permission"}


# -- several in one stack


def test_two_deployments_in_a_stack_share_nothing(own: dict[str, Template]) -> None:
    template = own["shop"]
    for kind, each in (("AWS::DynamoDB::Table", 1), ("AWS::S3::Bucket", 1), ("AWS::ApiGatewayV2::Api", 1)):
        ids = list(resources(template, kind))
        assert len([id for id in ids if id.startswith("Jobs")]) == each
        assert len([id for id in ids if id.startswith("Reports")]) == each
    jobs = [key for key in template["Resources"] if key.startswith("Jobs")]
    reports = {key for key in template["Resources"] if key.startswith("Reports")}
    for key in jobs:
        text = json.dumps(template["Resources"][key])
        assert not [other for other in reports if f'"{other}"' in text], key


def test_no_resource_of_a_deployment_has_a_name_that_a_second_would_clash_with(own: dict[str, Template]) -> None:
    fixed = ("FunctionName", "TableName", "BucketName", "QueueName", "RoleName", "TopicName", "LogGroupName")
    for kind_of_name in (*fixed, "AlarmName", "DashboardName", "GroupName"):
        for id, resource in own["shop"]["Resources"].items():
            value = resource.get("Properties", {}).get(kind_of_name, {})
            # A name that is a reference is another resource's, whose name CloudFormation makes.
            assert not isinstance(value, str), f"{id} {kind_of_name} {value}"


def test_each_deployment_has_metrics_of_its_own(own: dict[str, Template]) -> None:
    functions = resources(own["shop"], "AWS::Lambda::Function")
    spaces = {
        id.startswith("Jobs"): function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
        for id, function in functions.items()
        if id.startswith(("Jobs", "Reports"))
    }
    assert spaces == {True: "stepfast/shop/Jobs", False: "stepfast/shop/Reports"}
    assert {api["Name"] for api in resources(own["shop"], "AWS::ApiGatewayV2::Api").values()} == {"Jobs", "Reports"}


# -- what a team has already


def test_functions_are_in_the_teams_subnets_and_groups(own: dict[str, Template]) -> None:
    template = own["shop"]
    for id, function in resources(template, "AWS::Lambda::Function").items():
        if id.startswith("Reports"):
            assert "VpcConfig" not in function
        elif id.startswith("Jobs"):
            assert [named(subnet) for subnet in function["VpcConfig"]["SubnetIds"]] == ["<NetPrivateSubnet1Subnet>"]
            assert [named(group) for group in function["VpcConfig"]["SecurityGroupIds"]] == ["Open.GroupId"]
    assert [id for id in resources(template, "AWS::EC2::SecurityGroup") if not id.startswith("Open")] == []


def test_the_domain_has_the_teams_certificate_and_its_records_are_in_the_teams_zone(
    own: dict[str, Template],
) -> None:
    (configuration,) = only(own["shop"], "AWS::ApiGatewayV2::DomainName", "Jobs")["DomainNameConfigurations"]
    assert named(configuration["CertificateArn"]).startswith("<Cert")
    records = resources(own["shop"], "AWS::Route53::RecordSet").values()
    assert sorted(record["Type"] for record in records) == ["A", "AAAA"]
    assert {record["Name"] for record in records} == {"jobs.example.com."}


def test_a_domain_name_of_the_teams_leads_to_the_api(own: dict[str, Template]) -> None:
    mappings = {named(mapping["DomainName"]): named(mapping["ApiId"]) for mapping in mappings_of(own["shop"])}
    assert mappings == {"<JobsFrontDoorDomain>": "<JobsFrontDoorApi>", "<Shared>": "<ReportsFrontDoorApi>"}


def mappings_of(template: Template) -> list[Any]:
    return list(resources(template, "AWS::ApiGatewayV2::ApiMapping").values())


def test_a_function_with_a_role_of_the_teams_gets_its_permissions_there(
    own: dict[str, Template], synthesized: Synthesized
) -> None:
    template = own["shop"]
    functions = resources(template, "AWS::Lambda::Function")
    used = {id: function["Role"] for id, function in functions.items()}
    (printing,) = [role for id, role in used.items() if id.startswith("JobsStepPdf")]
    (sweeping,) = [role for id, role in used.items() if id.startswith("JobsSweeper")]
    assert named(printing) == "Printer"
    assert sweeping == "arn:aws:iam::111122223333:role/broom"
    made = [id for id in resources(template, "AWS::IAM::Role") if id.startswith("Jobs")]
    assert not [id for id in made if id.startswith(("JobsStepPdf", "JobsSweeper", "JobsTimerRole"))]
    assert any(id.startswith("JobsStepDefaultRole") for id in made)
    (policy,) = [
        policy["PolicyDocument"]["Statement"]
        for id, policy in resources(template, "AWS::IAM::Policy").items()
        if id.startswith("PrinterDefaultPolicy")
    ]
    sids = [statement["Sid"] for statement in policy if "Sid" in statement]
    assert len(sids) == len(set(sids)), "IAM takes an id once"
    for name in ("StepPdf", "Timer"):
        (own_policy,) = only(synthesized.plain, "AWS::IAM::Role", f"{name}Role")["Policies"]
        assert {f"{name}{each['Sid']}" for each in own_policy["PolicyDocument"]["Statement"]} <= set(sids)
    (function_id,) = [id for id in functions if id.startswith("JobsStepPdf")]
    needs = template["Resources"][function_id]["DependsOn"]
    assert any(id.startswith("PrinterDefaultPolicy") for id in needs), "the mapping of its queue is made after that"


def test_a_boundary_applied_to_a_deployment_holds_for_each_of_its_roles(own: dict[str, Template]) -> None:
    bounded = {id for id, role in resources(own["shop"], "AWS::IAM::Role").items() if "PermissionsBoundary" in role}
    assert bounded == {id for id in resources(own["shop"], "AWS::IAM::Role") if id.startswith("Reports")}
    assert len(bounded) > 7


def test_alarms_notify_the_teams_topic(own: dict[str, Template]) -> None:
    for id, alarm in resources(own["shop"], "AWS::CloudWatch::Alarm").items():
        topic = "<Pager>" if id.startswith("Jobs") else "<ReportsAlarmsTopic>"
        assert [named(action) for action in alarm["AlarmActions"]] == [topic]


# -- grants


def allowed(template: Template, role: str) -> set[str]:
    """The requests that a role may make, as `METHOD path`."""
    (policy,) = [
        policy for id, policy in resources(template, "AWS::IAM::Policy").items() if id.startswith(f"{role}Default")
    ]
    answer = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Action"] == "execute-api:Invoke":
            for resource in listed(statement["Resource"]):
                arn = named(resource)
                assert "<JobsFrontDoorApi>/$default/" in arn, arn
                method, _, path = arn.partition("/$default/")[2].partition("/")
                answer.add(f"{method} /{path}")
    return answer


def test_a_grant_allows_the_requests_of_its_scope_and_no_others(own: dict[str, Template]) -> None:
    assert allowed(own["shop"], "Ann") == {
        "POST /v1/workflows/*/executions",
        "POST /v1/executions/batch",
        "POST /v1/executions/*/signals/*",
        "POST /v1/executions/*/updates/*",
    }
    reading = allowed(own["shop"], "Bob")
    assert {"GET /v1/executions/*", "GET /v1/dead-letters", "POST /v1/executions/statuses"} <= reading
    asks = {"POST /v1/executions/statuses", "POST /v1/executions/*/queries/*"}
    assert all(request.startswith("GET ") or request in asks for request in reading)
    operating = allowed(own["shop"], "Cy")
    assert {"POST /v1/executions/*/resume", "DELETE /v1/executions/*"} <= operating
    assert not operating & reading


def test_every_scope_of_the_api_has_a_grant() -> None:
    assert set(access.GRANTS) == SCOPES
    for scope, method in access.GRANTS.items():
        assert access.requests(scope)
        assert callable(getattr(DeploymentConstruct, method))


def test_a_grant_of_a_deployment_with_keys_says_what_to_do(plan: Plan, tmp_path: Path) -> None:
    stack = StepfastStack(App(), "keys", plan=plan, bundle=Bundle(tmp_path, "0" * 64))
    caller = iam.Role(stack, "Caller", assumed_by=iam.AccountRootPrincipal())
    with pytest.raises(StartupError, match='grant_read is for a deployment with auth = "iam".*stepfast keys create'):
        stack.deployment.grant_read(caller)


# -- settings


def test_every_setting_of_pyproject_is_a_keyword_of_the_construct() -> None:
    of_the_construct = {*SettingKeywords.__annotations__, "vpc", "certificate"}
    assert of_the_construct == {field.name for field in fields(Project)}
    hints = get_type_hints(SettingKeywords)
    for name, hint in get_type_hints(Project).items():
        if name in hints and name not in ("pools", "schedules", "limits", "webhooks", "inbound", "rules", "jwt"):
            assert hint in (hints[name], hints[name] | None), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(subnets=ec2.SubnetSelection()), "subnets are of a VPC: set vpc as well"),
        (Options(roles={"step-pfd": Stack()}), "roles: no function is named 'step-pfd'; there are: api, .*step-pdf"),
    ],
)
def test_objects_without_what_they_belong_to_are_refused(plan: Plan, options: Options, message: str) -> None:
    with pytest.raises(StartupError, match=message):
        check(plan, options)


def test_a_vpc_that_has_to_be_looked_up_needs_a_stack_that_knows_its_account(plan: Plan, tmp_path: Path) -> None:
    networked = replace(plan, project=replace(plan.project, vpc="vpc-0123456789abcdef0"))
    stack = Stack(App(), "own", env=Environment(region="eu-central-1"))
    with pytest.raises(StartupError, match="vpc-0123456789abcdef0 is looked up in an account: give the stack env="):
        DeploymentConstruct(stack, "Jobs", plan=networked, bundle=Bundle(tmp_path, "0" * 64))
