"""What keeps data, what keeps others out, and what is told to whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepfast.backends.dynamodb import table as dynamodb_table
from stepfast.deployment.settings import ALSO, NEEDS
from tests.infra.conftest import Synthesized, Template, only, resources
from tests.infra.reading import named

DOCS = Path(__file__).parents[2] / "docs"


def whole(synthesized: Synthesized, kind: str) -> dict[str, Any]:
    (resource,) = (resource for resource in synthesized.plain["Resources"].values() if resource["Type"] == kind)
    assert isinstance(resource, dict)
    return resource


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
    table, wanted = whole(synthesized, "AWS::DynamoDB::Table")["Properties"], dynamodb_table.definition("any")
    for name in ("BillingMode", "KeySchema", "GlobalSecondaryIndexes"):
        assert table[name] == wanted[name]
    by_name = {attribute["AttributeName"]: attribute for attribute in wanted["AttributeDefinitions"]}
    assert {attribute["AttributeName"]: attribute for attribute in table["AttributeDefinitions"]} == by_name
    assert table["StreamSpecification"] == {"StreamViewType": wanted["StreamSpecification"]["StreamViewType"]}
    assert table["TimeToLiveSpecification"] == {"AttributeName": dynamodb_table.EXPIRES, "Enabled": True}


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
        for name, resource in template["Resources"].items():
            fixed = [key for key in resource.get("Properties", {}) if key in FIXED.get(resource["Type"], ())]
            assert not fixed, f"{name} has a fixed name"
    spaces = [
        {str(function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]) for function in functions.values()}
        for functions in (resources(template, "AWS::Lambda::Function") for template in (first, second))
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
    for resource in resources(synthesized.plain, "AWS::Lambda::Function").values():
        assert (resource["Architectures"], resource["Runtime"]) == (["arm64"], "python3.13")


def test_a_function_is_told_what_it_reads_and_nothing_else(synthesized: Synthesized) -> None:
    for name, resource in resources(synthesized.plain, "AWS::Lambda::Function").items():
        kind = "step" if name.startswith("Step") else resource["Handler"].split(".")[2]
        variables = {key for key in resource["Environment"]["Variables"] if key.startswith("STEPFAST_")}
        assert variables == {*NEEDS[kind], *ALSO[kind]}, name


def test_no_credential_is_in_the_template(synthesized: Synthesized) -> None:
    for name, template in synthesized.templates.items():
        if name == "second":  # a step of it may read a secret, whose name and nothing else is in the template
            continue
        text = json.dumps(template).lower()
        # It takes webhooks, whose secrets it names: test_event_bus.py looks at those.
        named = [] if name == "by-alias" else ["secret"]
        for word in (*named, "whsec_", "password", "accesskey", "access_key", "sf_"):
            assert word not in text
        assert set(template["Outputs"]) <= {
            "ApiUrl",
            "TableName",
            "DeadLetterQueueUrl",
            "RedriveConsole",
            "DashboardConsole",
            "AlarmTopic",
            "DomainTarget",
            "KeyTableName",
        }


def test_logs_end_after_the_days_that_were_set(synthesized: Synthesized) -> None:
    groups = resources(synthesized.plain, "AWS::Logs::LogGroup").values()
    assert {group["RetentionInDays"] for group in groups} == {14}
    assert len(groups) == len(resources(synthesized.plain, "AWS::Lambda::Function")) + 1


# -- the front door ----------------------------------------------------------------------------------------


def test_every_route_asks_for_a_key_but_health_and_the_page(synthesized: Synthesized) -> None:
    routes = {
        resource["RouteKey"]: resource for resource in resources(synthesized.plain, "AWS::ApiGatewayV2::Route").values()
    }
    assert {key: route["AuthorizationType"] for key, route in routes.items()} == {
        "$default": "CUSTOM",
        "GET /v1/health": "NONE",
        "GET /": "NONE",
        "GET /assets/{file}": "NONE",
        "GET /v1/callbacks": "NONE",
        "POST /v1/callbacks": "NONE",
    }
    authorizer = only(synthesized.plain, "AWS::ApiGatewayV2::Authorizer")
    assert (authorizer["EnableSimpleResponses"], authorizer["AuthorizerPayloadFormatVersion"]) == (True, "2.0")
    assert "AuthorizerFunction" in json.dumps(authorizer["AuthorizerUri"])
    # Nothing is remembered: a revoked key is refused at once, and either of two headers may carry it.
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert not authorizer.get("IdentitySource")


def test_every_route_leads_to_the_api_and_no_other_site_may_ask(synthesized: Synthesized) -> None:
    for integration in resources(synthesized.plain, "AWS::ApiGatewayV2::Integration").values():
        assert (named(integration["IntegrationUri"]), integration["PayloadFormatVersion"]) == ("ApiFunction", "2.0")
    assert "CorsConfiguration" not in only(synthesized.plain, "AWS::ApiGatewayV2::Api")


def test_with_iam_every_route_asks_for_a_signature_and_there_is_no_authorizer(synthesized: Synthesized) -> None:
    routes = {
        resource["RouteKey"]: resource for resource in resources(synthesized.full, "AWS::ApiGatewayV2::Route").values()
    }
    assert routes["$default"]["AuthorizationType"] == "AWS_IAM"
    assert not resources(synthesized.full, "AWS::ApiGatewayV2::Authorizer")
    assert not [name for name in resources(synthesized.full, "AWS::Lambda::Function") if name.startswith("Authorizer")]


def test_requests_are_throttled_and_written_down_without_what_they_carry(synthesized: Synthesized) -> None:
    stage = only(synthesized.plain, "AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 400, "ThrottlingRateLimit": 200}
    fields = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert "$context.path" in fields
    assert not [
        field for field in fields if "query" in field.lower() or "header" in field.lower() or "body" in field.lower()
    ]


def test_with_a_domain_of_its_own_there_is_no_other_way_in(synthesized: Synthesized) -> None:
    assert only(synthesized.full, "AWS::ApiGatewayV2::Api")["DisableExecuteApiEndpoint"] is True
    domain = only(synthesized.full, "AWS::ApiGatewayV2::DomainName")
    assert domain["DomainName"] == "flows.example.com"
    assert [domain_name.get("SecurityPolicy", "TLS_1_2") for domain_name in domain["DomainNameConfigurations"]] == [
        "TLS_1_2"
    ]
    assert synthesized.full["Outputs"]["ApiUrl"]["Value"] == "https://flows.example.com"


def test_the_outputs_lead_to_what_they_say(synthesized: Synthesized) -> None:
    outputs = {name: named(output["Value"]) for name, output in synthesized.plain["Outputs"].items()}
    console = "https://<AWS::Region>.console.aws.amazon.com"
    letters = "https%3A%2F%2Fsqs.<AWS::Region>.<AWS::URLSuffix>%2F<AWS::AccountId>%2FQueuesDeadLetters.QueueName"
    assert outputs == {
        "ApiUrl": "FrontDoorApi.ApiEndpoint",
        "TableName": "<StateTable>",
        "DeadLetterQueueUrl": "<QueuesDeadLetters>",
        "RedriveConsole": f"{console}/sqs/v3/home?region=<AWS::Region>#/queues/{letters}",
        "DashboardConsole": f"{console}/cloudwatch/home?region=<AWS::Region>#dashboards/dashboard/<DashboardPage>",
        "AlarmTopic": "<AlarmsTopic>",
    }


def test_there_is_nothing_else_in_the_stack(synthesized: Synthesized) -> None:
    # Such as a function's own URL, or a subscription, which would be a way in that no other test looks at.
    assert {resource["Type"] for resource in synthesized.plain["Resources"].values()} == {
        *(f"AWS::ApiGatewayV2::{kind}" for kind in ("Api", "Authorizer", "Integration", "Route", "Stage")),
        *(f"AWS::CloudWatch::{kind}" for kind in ("Alarm", "Dashboard")),
        *(f"AWS::Lambda::{kind}" for kind in ("EventSourceMapping", "Function", "Permission")),
        *(f"AWS::SNS::{kind}" for kind in ("Subscription", "Topic", "TopicPolicy")),
        *(f"AWS::SQS::{kind}" for kind in ("Queue", "QueuePolicy")),
        *(f"AWS::S3::{kind}" for kind in ("Bucket", "BucketPolicy")),
        *(f"AWS::Scheduler::{kind}" for kind in ("Schedule", "ScheduleGroup")),
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
    }


def test_the_layer_of_opentelemetry_and_its_wrapper_are_on_the_same_functions(synthesized: Synthesized) -> None:
    def wrapped(template: Template) -> dict[str, tuple[bool, str | None]]:
        functions = {
            name: found
            for name, found in resources(template, "AWS::Lambda::Function").items()
            if "STEPFAST_TABLE" in found.get("Environment", {}).get("Variables", {})
        }
        assert len(functions) >= 7
        return {
            name: ("Layers" in found, found["Environment"]["Variables"].get("AWS_LAMBDA_EXEC_WRAPPER"))
            for name, found in functions.items()
        }

    # A wrapper without its layer ends each start of the function, and a layer without the wrapper does nothing.
    assert set(wrapped(synthesized.full).values()) <= {(True, "/opt/otel-instrument"), (False, None)}
    assert (True, "/opt/otel-instrument") in wrapped(synthesized.full).values()
    assert set(wrapped(synthesized.plain).values()) == {(False, None)}
