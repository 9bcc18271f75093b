"""What the settings switch on, and that nothing of it is there without them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.conftest import RESTORED, STREAM, Synthesized, Template, only, resources
from tests.infra.reading import named, roles


def functions(template: Template) -> dict[str, Any]:
    return resources(template, "AWS::Lambda::Function")


# -- a domain of one's own ---------------------------------------------------------------------------------


def test_a_domain_leads_to_the_api_under_its_certificate_and_says_where_to_point_it(synthesized: Synthesized) -> None:
    (configuration,) = only(synthesized.full, "AWS::ApiGatewayV2::DomainName")["DomainNameConfigurations"]
    assert configuration["CertificateArn"] == "arn:aws:acm:eu-central-1:111122223333:certificate/0000"
    assert configuration["EndpointType"] == "REGIONAL"
    mapping = only(synthesized.full, "AWS::ApiGatewayV2::ApiMapping")
    assert named(mapping["DomainName"]).startswith("<FrontDoorDomain")
    assert named(mapping["ApiId"]) == "<FrontDoorApi>"
    assert "RegionalDomainName" in json.dumps(synthesized.full["Outputs"]["DomainTarget"]["Value"])


def test_without_a_domain_there_is_none(synthesized: Synthesized) -> None:
    assert not resources(synthesized.plain, "AWS::ApiGatewayV2::DomainName")
    assert "DomainTarget" not in synthesized.plain["Outputs"]
    assert not only(synthesized.plain, "AWS::ApiGatewayV2::Api").get("DisableExecuteApiEndpoint")


# -- a network -----------------------------------------------------------------------------------------------


def test_in_a_vpc_every_function_is_in_its_subnets_behind_a_group_that_lets_nobody_in(synthesized: Synthesized) -> None:
    template = synthesized.templates["networked"]
    group = only(template, "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group
    assert group["VpcId"].startswith("vpc-")
    assert not resources(template, "AWS::EC2::SecurityGroupIngress")
    for function in functions(template).values():
        assert function["VpcConfig"]["SubnetIds"]
        assert [named(id) for id in function["VpcConfig"]["SecurityGroupIds"]] == ["Functions.GroupId"]


def test_in_a_vpc_lambda_may_make_network_interfaces_in_a_roles_name_and_the_functions_code_may_not(
    synthesized: Synthesized,
) -> None:
    calls = ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets")
    addresses = ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")
    allowed = {f"ec2:{call} on *" for call in (*calls, *addresses)}
    # Lambda names the function in calls of its code, and not in those that it makes itself.
    denied = {f"NOT {action} if lambda:SourceFunctionArn Null false" for action in allowed}
    plain, networked = roles(synthesized.plain), roles(synthesized.templates["networked"])
    for name in plain:
        by_lambda = not name.startswith(("Timers", "Recurring"))
        more = {line for line in networked[name] - plain[name] if "ec2:" in line}
        assert more == (allowed | denied if by_lambda else set()), name


@pytest.mark.parametrize("stack", ["plain", "full", "tuned"])
def test_without_a_vpc_no_function_has_a_network(synthesized: Synthesized, stack: str) -> None:
    template = synthesized.templates[stack]
    assert not [function for function in functions(template).values() if "VpcConfig" in function]
    assert not resources(template, "AWS::EC2::SecurityGroup")


# -- starting quickly ----------------------------------------------------------------------------------------


def test_provisioned_concurrency_is_of_its_pool_alone_and_its_queue_calls_what_is_warm(
    synthesized: Synthesized,
) -> None:
    template = synthesized.templates["tuned"]
    alias = only(template, "AWS::Lambda::Alias")
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}
    assert named(alias["FunctionName"]) == "<StepPdfFunction>"
    calling = {
        named(source["EventSourceArn"]): named(source["FunctionName"])
        for source in resources(template, "AWS::Lambda::EventSourceMapping").values()
    }
    assert "Live" in calling["QueuesPoolpdf"]
    assert calling["QueuesPooldefault"] == "StepDefaultFunction"


def test_without_it_functions_are_called_as_they_are(synthesized: Synthesized) -> None:
    assert not resources(synthesized.plain, "AWS::Lambda::Alias")
    assert not [function for function in functions(synthesized.plain).values() if "SnapStart" in function]


def test_with_snap_start_a_deployment_publishes_a_version_of_every_function(synthesized: Synthesized) -> None:
    template = synthesized.full
    assert len(resources(template, "AWS::Lambda::Version")) == len(functions(template))
    for function in functions(template).values():
        assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}


# -- numbers and places --------------------------------------------------------------------------------------


def test_the_target_the_throttle_and_the_sources_take_their_settings(synthesized: Synthesized) -> None:
    template = synthesized.templates["tuned"]
    for function in functions(template).values():
        assert (function["Architectures"], function["Runtime"]) == (["x86_64"], "python3.12")
    assert only(template, "AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"] == {
        "ThrottlingBurstLimit": 10,
        "ThrottlingRateLimit": 5,
    }
    by_source = {
        named(source["EventSourceArn"]): source
        for source in resources(template, "AWS::Lambda::EventSourceMapping").values()
    }
    assert by_source[STREAM]["ParallelizationFactor"] == 4
    assert by_source["QueuesPoolpdf"]["BatchSize"] == 5
    assert only(template, "AWS::Lambda::Function", "Advancer")["MemorySize"] == 1024


def test_an_authorizer_that_remembers_looks_at_one_header_only(synthesized: Synthesized) -> None:
    authorizer = only(synthesized.templates["tuned"], "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]


# -- state that is there already -----------------------------------------------------------------------------


def test_a_table_and_a_bucket_that_are_there_take_the_place_of_new_ones(synthesized: Synthesized) -> None:
    template = synthesized.templates["tuned"]
    assert not resources(template, "AWS::DynamoDB::Table")
    assert not resources(template, "AWS::S3::Bucket")
    for function in functions(template).values():
        variables = function["Environment"]["Variables"]
        assert variables["STEPFAST_TABLE"] == "restored"
        assert variables.get("STEPFAST_BUCKET", "values-of-before") == "values-of-before"
    sources = {
        named(source["EventSourceArn"]) for source in resources(template, "AWS::Lambda::EventSourceMapping").values()
    }
    assert STREAM in sources
    assert template["Outputs"]["TableName"]["Value"] == "restored"


def test_roles_are_given_the_table_and_the_bucket_that_are_there_and_no_others(synthesized: Synthesized) -> None:
    plain, adopted = roles(synthesized.plain), roles(synthesized.templates["tuned"])
    arns = {
        "StateTable.StreamArn": STREAM,
        "StateTable": RESTORED,
        "StateValues": "arn:<AWS::Partition>:s3:::values-of-before",
    }

    def moved(line: str) -> str:
        for before, after in arns.items():
            line = line.replace(f" on {before}", f" on {after}")
        return line

    for name, lines in plain.items():
        assert adopted[name] == {moved(line) for line in lines}, name


# -- what is seen --------------------------------------------------------------------------------------------


def test_tracing_is_active_everywhere_with_it_and_nowhere_without(synthesized: Synthesized) -> None:
    for function in functions(synthesized.full).values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert "POWERTOOLS_TRACE_DISABLED" not in function["Environment"]["Variables"]
    for function in functions(synthesized.plain).values():
        assert "TracingConfig" not in function
        assert function["Environment"]["Variables"]["POWERTOOLS_TRACE_DISABLED"] == "true"


def test_values_are_logged_only_where_the_setting_says_so(synthesized: Synthesized) -> None:
    for template, setting in ((synthesized.plain, "false"), (synthesized.full, "true")):
        values = {
            function["Environment"]["Variables"].get("STEPFAST_LOG_VALUES") for function in functions(template).values()
        }
        assert values - {None} == {setting}
