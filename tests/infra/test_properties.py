"""What keeps data, what keeps others out, and what is told to whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepfast.backends.dynamodb import table as dynamodb_table
from stepfast.deployment.settings import ALSO, NEEDS
from tests.infra.conftest import Synthesized, only, resources
from tests.infra.reading import named

DOCS = Path(__file__).parents[2] / "docs"


def whole(synthesized: Synthesized, kind: str) -> dict[str, Any]:
    (found,) = (one for one in synthesized.plain["Resources"].values() if one["Type"] == kind)
    assert isinstance(found, dict)
    return found


def test_the_table_outlives_the_stack_and_mistakes(synthesized: Synthesized) -> None:
    table = whole(synthesized, "AWS::DynamoDB::Table")
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    for kind in ("AWS::S3::Bucket", "AWS::S3::BucketPolicy"):
        assert whole(synthesized, kind)["DeletionPolicy"] == "Retain"
    assert whole(synthesized, "AWS::S3::Bucket")["UpdateReplacePolicy"] == "Retain"
    assert "stay when the stack is deleted" in synthesized.plain["Outputs"]["TableName"]["Description"]


def test_the_table_is_the_one_that_the_store_works_on(synthesized: Synthesized) -> None:
    found, wanted = whole(synthesized, "AWS::DynamoDB::Table")["Properties"], dynamodb_table.definition("any")
    for name in ("BillingMode", "KeySchema", "GlobalSecondaryIndexes"):
        assert found[name] == wanted[name]
    by_name = {one["AttributeName"]: one for one in wanted["AttributeDefinitions"]}
    assert {one["AttributeName"]: one for one in found["AttributeDefinitions"]} == by_name
    assert found["StreamSpecification"] == {"StreamViewType": wanted["StreamSpecification"]["StreamViewType"]}
    assert found["TimeToLiveSpecification"] == {"AttributeName": dynamodb_table.EXPIRES, "Enabled": True}


def test_everything_is_encrypted_and_nothing_public(synthesized: Synthesized) -> None:
    for queue in resources(synthesized.plain, "AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
    bucket = only(synthesized.plain, "AWS::S3::Bucket")
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    refused = bucket["PublicAccessBlockConfiguration"]
    assert {name for name, value in refused.items() if value is True} == {
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    }
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_no_lifecycle_rule_takes_values_away_from_executions(synthesized: Synthesized) -> None:
    rules = only(synthesized.plain, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert not any("Expiration" in key for rule in rules for key in rule)


def test_two_stacks_in_one_account_share_no_name(synthesized: Synthesized) -> None:
    # What CloudFormation names is named after its stack; a fixed name would make the second deployment fail.
    first, second = synthesized.plain, synthesized.templates["second"]
    for template in (first, second):
        for name, one in template["Resources"].items():
            fixed = [key for key in one.get("Properties", {}) if key in FIXED.get(one["Type"], ())]
            assert not fixed, f"{name} has a fixed name"
    spaces = [
        {str(one["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]) for one in functions.values()}
        for functions in (resources(one, "AWS::Lambda::Function") for one in (first, second))
    ]
    assert spaces == [{"stepfast/plain"}, {"stepfast/second"}]


FIXED = {
    "AWS::DynamoDB::Table": ("TableName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::Scheduler::Schedule": ("Name",),
}


def test_functions_run_on_arm_with_the_python_of_the_bundle(synthesized: Synthesized) -> None:
    for one in resources(synthesized.plain, "AWS::Lambda::Function").values():
        assert (one["Architectures"], one["Runtime"]) == (["arm64"], "python3.13")


def test_a_function_is_told_what_it_reads_and_nothing_else(synthesized: Synthesized) -> None:
    for name, one in resources(synthesized.plain, "AWS::Lambda::Function").items():
        kind = "step" if name.startswith("Step") else one["Handler"].split(".")[2]
        given = {key for key in one["Environment"]["Variables"] if key.startswith("STEPFAST_")}
        assert given == {*NEEDS[kind], *ALSO[kind]}, name


def test_no_credential_is_in_the_template(synthesized: Synthesized) -> None:
    for name, template in synthesized.templates.items():
        if name == "second":  # a step of it may read a secret, whose name and nothing else is in the template
            continue
        text = json.dumps(template).lower()
        for word in ("secret", "password", "accesskey", "access_key", "sf_"):
            assert word not in text
        assert set(template["Outputs"]) <= {
            "ApiUrl",
            "TableName",
            "DeadLetterQueueUrl",
            "RedriveConsole",
            "DashboardConsole",
            "AlarmTopic",
            "DomainTarget",
        }


def test_logs_end_after_the_days_that_were_set(synthesized: Synthesized) -> None:
    groups = resources(synthesized.plain, "AWS::Logs::LogGroup").values()
    assert {one["RetentionInDays"] for one in groups} == {14}
    assert len(groups) == len(resources(synthesized.plain, "AWS::Lambda::Function")) + 1


# -- the front door ----------------------------------------------------------------------------------------


def test_every_route_asks_for_a_key_but_health_and_the_page(synthesized: Synthesized) -> None:
    found = {one["RouteKey"]: one for one in resources(synthesized.plain, "AWS::ApiGatewayV2::Route").values()}
    assert {key: one["AuthorizationType"] for key, one in found.items()} == {
        "$default": "CUSTOM",
        "GET /v1/health": "NONE",
        "GET /": "NONE",
        "GET /assets/{file}": "NONE",
    }
    authorizer = only(synthesized.plain, "AWS::ApiGatewayV2::Authorizer")
    assert (authorizer["EnableSimpleResponses"], authorizer["AuthorizerPayloadFormatVersion"]) == (True, "2.0")
    assert "AuthorizerFunction" in json.dumps(authorizer["AuthorizerUri"])
    # Nothing is remembered: a revoked key is refused at once, and either of two headers may carry it.
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert not authorizer.get("IdentitySource")


def test_every_route_leads_to_the_api_and_no_other_site_may_ask(synthesized: Synthesized) -> None:
    for one in resources(synthesized.plain, "AWS::ApiGatewayV2::Integration").values():
        assert (named(one["IntegrationUri"]), one["PayloadFormatVersion"]) == ("ApiFunction", "2.0")
    assert "CorsConfiguration" not in only(synthesized.plain, "AWS::ApiGatewayV2::Api")


def test_with_iam_every_route_asks_for_a_signature_and_there_is_no_authorizer(synthesized: Synthesized) -> None:
    found = {one["RouteKey"]: one for one in resources(synthesized.full, "AWS::ApiGatewayV2::Route").values()}
    assert found["$default"]["AuthorizationType"] == "AWS_IAM"
    assert not resources(synthesized.full, "AWS::ApiGatewayV2::Authorizer")
    assert not [name for name in resources(synthesized.full, "AWS::Lambda::Function") if name.startswith("Authorizer")]


def test_requests_are_throttled_and_written_down_without_what_they_carry(synthesized: Synthesized) -> None:
    stage = only(synthesized.plain, "AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 400, "ThrottlingRateLimit": 200}
    told = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert "$context.path" in told
    assert not [one for one in told if "query" in one.lower() or "header" in one.lower() or "body" in one.lower()]


def test_with_a_domain_of_its_own_there_is_no_other_way_in(synthesized: Synthesized) -> None:
    assert only(synthesized.full, "AWS::ApiGatewayV2::Api")["DisableExecuteApiEndpoint"] is True
    domain = only(synthesized.full, "AWS::ApiGatewayV2::DomainName")
    assert domain["DomainName"] == "flows.example.com"
    assert [one.get("SecurityPolicy", "TLS_1_2") for one in domain["DomainNameConfigurations"]] == ["TLS_1_2"]
    assert synthesized.full["Outputs"]["ApiUrl"]["Value"] == "https://flows.example.com"


def test_the_outputs_lead_to_what_they_say(synthesized: Synthesized) -> None:
    found = {name: named(one["Value"]) for name, one in synthesized.plain["Outputs"].items()}
    console = "https://<AWS::Region>.console.aws.amazon.com"
    letters = "https%3A%2F%2Fsqs.<AWS::Region>.<AWS::URLSuffix>%2F<AWS::AccountId>%2FQueuesDeadLetters.QueueName"
    assert found == {
        "ApiUrl": "FrontDoorApi.ApiEndpoint",
        "TableName": "<StateTable>",
        "DeadLetterQueueUrl": "<QueuesDeadLetters>",
        "RedriveConsole": f"{console}/sqs/v3/home?region=<AWS::Region>#/queues/{letters}",
        "DashboardConsole": f"{console}/cloudwatch/home?region=<AWS::Region>#dashboards/dashboard/<DashboardPage>",
        "AlarmTopic": "<AlarmsTopic>",
    }


def test_there_is_nothing_else_in_the_stack(synthesized: Synthesized) -> None:
    # Such as a function's own URL, or a subscription, which would be a way in that no other test looks at.
    assert {one["Type"] for one in synthesized.plain["Resources"].values()} == {
        *(f"AWS::ApiGatewayV2::{one}" for one in ("Api", "Authorizer", "Integration", "Route", "Stage")),
        *(f"AWS::CloudWatch::{one}" for one in ("Alarm", "Dashboard")),
        *(f"AWS::Lambda::{one}" for one in ("EventSourceMapping", "Function", "Permission")),
        *(f"AWS::SNS::{one}" for one in ("Subscription", "Topic", "TopicPolicy")),
        *(f"AWS::SQS::{one}" for one in ("Queue", "QueuePolicy")),
        *(f"AWS::S3::{one}" for one in ("Bucket", "BucketPolicy")),
        *(f"AWS::Scheduler::{one}" for one in ("Schedule", "ScheduleGroup")),
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
    }
