"""The stack of a deployment that sends events to a bus and takes webhooks, and of one that does neither."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stepfast.deployment.plan import CAME_FILTER, Plan
from stepfast.deployment.project import InboundSettings, Project
from stepfast.errors import StartupError
from stepfast.language.registry import Registry
from tests.infra.conftest import Synthesized, Template, only, resources
from tests.infra.reading import named, roles
from tests.infra.test_grants import EXPECTED, consumes, log, sends, stream

BUS = "arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/orders"


@pytest.fixture
def template(synthesized: Synthesized) -> Template:
    return synthesized.templates["by-alias"]


def mappings(template: Template) -> dict[str, dict[str, Any]]:
    """The mappings of the function, by what they read."""
    found = resources(template, "AWS::Lambda::EventSourceMapping").values()
    return {named(one["EventSourceArn"]): one for one in found if named(one["FunctionName"]) == "EventsFunction"}


def test_its_role_reads_the_stream_puts_events_of_its_own_and_sees_no_execution(template: Template) -> None:
    assert roles(template)["EventsRole"] == (
        log("Events")
        | stream()
        | consumes("Events")
        | sends("Events", "Undelivered")
        | {f"events:PutEvents on {BUS} if events:source ForAllValues:StringEquals stepfast if events:source Null false"}
    )


def test_it_reads_writes_of_a_status_alone_and_what_it_could_not_put(template: Template) -> None:
    of_stream, of_queue = mappings(template)["StateTable.StreamArn"], mappings(template)["QueuesEvents"]
    (pattern,) = of_stream["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == json.loads(json.dumps(dict(CAME_FILTER)))
    assert named(of_stream["DestinationConfig"]["OnFailure"]["Destination"]) == "QueuesUndelivered"
    for mapping in (of_stream, of_queue):
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = only(template, "AWS::SQS::Queue", "QueuesEvents")
    assert queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"] >= 12 * 3600 * 0.9
    assert named(queue["RedrivePolicy"]["deadLetterTargetArn"]) == "QueuesEventLetters"
    assert "UnsentEvents" in str(resources(template, "AWS::CloudWatch::Alarm"))


def test_it_has_no_key_of_the_values(template: Template) -> None:
    variables = only(template, "AWS::Lambda::Function", "Events")["Environment"]["Variables"]
    ours = {name for name in variables if name.startswith("STEPFAST_")}
    assert ours == {"STEPFAST_TABLE", "STEPFAST_EVENT_BUS", "STEPFAST_EVENT_QUEUE", "STEPFAST_UNDELIVERED"}


def test_without_the_setting_there_is_nothing_of_it(synthesized: Synthesized) -> None:
    assert set(roles(synthesized.plain)) == set(EXPECTED)
    assert not [name for name in synthesized.plain["Resources"] if "Event" in name and "EventSource" not in name]
    (of_stream,) = (
        mapping
        for mapping in resources(synthesized.plain, "AWS::Lambda::EventSourceMapping").values()
        if named(mapping["EventSourceArn"]) == "StateTable.StreamArn"
    )
    assert named(of_stream["FunctionName"]) == "AdvancerFunction"


def test_a_bus_of_another_account_is_named_by_its_arn_and_a_wrong_name_is_refused(plan: Plan) -> None:
    arn = "arn:aws:events:eu-central-1:999988887777:event-bus/central"
    assert Project.of({"event_bus": arn}).event_bus == arn
    for wrong in ("", "my bus", "arn:aws:sqs:eu-central-1:999988887777:queue"):
        with pytest.raises(StartupError, match="event_bus"):
            Project.of({"event_bus": wrong})


# -- webhooks of others ---------------------------------------------------------------------------------------------

ROUTE = "POST /v1/inbound/{name}"


def test_a_webhook_needs_no_key_and_everything_else_does(synthesized: Synthesized, template: Template) -> None:
    routes = {route["RouteKey"]: route for route in resources(template, "AWS::ApiGatewayV2::Route").values()}
    assert routes[ROUTE]["AuthorizationType"] == "NONE"
    assert routes["$default"]["AuthorizationType"] == "CUSTOM"
    assert not [key for key in routes if "inbound" in key and key != ROUTE]
    assert ROUTE not in {
        route["RouteKey"] for route in resources(synthesized.plain, "AWS::ApiGatewayV2::Route").values()
    }


def test_the_api_alone_reads_the_secrets_of_the_settings_and_no_others(template: Template) -> None:
    here = "<AWS::Region>:<AWS::AccountId>"
    expected = {
        f"secretsmanager:GetSecretValue on arn:<AWS::Partition>:secretsmanager:{here}:secret:shop/webhook-??????",
        f"ssm:GetParameter on arn:<AWS::Partition>:ssm:{here}:parameter/pay/webhook",
    }
    for role, lines in roles(template).items():
        reads = {line for line in lines if line.startswith(("secretsmanager:", "ssm:"))}
        assert reads == (expected if role == "ApiRole" else set()), role


def test_no_secret_is_in_the_template_and_those_of_this_machine_are_not_named(template: Template) -> None:
    variables = only(template, "AWS::Lambda::Function", "Api")["Environment"]["Variables"]
    listed = json.loads(variables["STEPFAST_INBOUND"])
    assert [(each["name"], each["secret"]) for each in listed] == [
        ("shop", "shop/webhook"),
        ("pay", "ssm:/pay/webhook"),
    ]
    assert "HERE" not in json.dumps(template)


def test_a_webhook_for_a_workflow_that_is_not_deployed_is_refused(plan: Plan, registry: Registry) -> None:
    for inbound, said in (
        ({"shop": InboundSettings("nobody", aws_secret="s")}, "nobody"),
        ({f"shop-{number}": InboundSettings("print", aws_secret="s" * 60) for number in range(20)}, "fewer webhooks"),
    ):
        with pytest.raises(StartupError, match=said):
            Plan.of(registry, replace(plan.project, inbound=inbound))
    Plan.of(registry, replace(plan.project, inbound={"here": InboundSettings("nobody", "HERE")}))
