"""Rules of EventBridge that start workflows: what the template has, and what becomes of an event."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template as Assertions

from stepfast.deployment.event_settings import RuleSettings, start_template
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.deployment.scheduled_starts import StartMessage, start_in
from stepfast.errors import StartupError
from stepfast.infra.bundle import Bundle
from stepfast.infra.stack import StepfastStack
from stepfast.language.registry import Registry
from tests.infra.conftest import Template, only, resources
from tests.infra.reading import named

PAID = {"source": ["shop"], "detail-type": ["order.paid"], "detail": {"total": [{"numeric": [">", 100]}]}}


@pytest.fixture
def template(plan: Plan, tmp_path: Path) -> Template:
    rules = {"paid": RuleSettings("print", PAID), "by_bus-2": RuleSettings("print", {"source": ["x"]}, "shop")}
    project = replace(plan.project, rules=rules)
    stack = StepfastStack(App(), "rules", plan=replace(plan, project=project), bundle=Bundle(tmp_path, "0" * 64))
    made: Template = Assertions.from_stack(stack).to_json()
    return made


def test_a_rule_sends_a_start_to_the_timer_queue_and_what_it_gives_up_to_the_undelivered(template: Template) -> None:
    rule = only(template, "AWS::Events::Rule", "RulesStartpaid")
    assert (rule["EventPattern"], rule["EventBusName"]) == (PAID, "default")
    assert only(template, "AWS::Events::Rule", "RulesStartbybus2")["EventBusName"] == "shop"
    (target,) = rule["Targets"]
    assert named(target["Arn"]) == "QueuesTimer"
    assert named(target["DeadLetterConfig"]["Arn"]) == "QueuesUndelivered"
    transformer = target["InputTransformer"]
    assert transformer["InputPathsMap"] == {"id": "$.id", "detail": "$.detail"}
    assert transformer["InputTemplate"] == start_template("paid", "print")


def test_only_the_rules_may_send_to_these_queues(template: Template) -> None:
    of_rules = [
        (named(statement["Resource"]), named(statement["Condition"]["ArnEquals"]["aws:SourceArn"]))
        for policy in resources(template, "AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    rules = ("RulesStartpaid", "RulesStartbybus2")
    assert sorted(of_rules) == sorted((queue, rule) for queue in ("QueuesTimer", "QueuesUndelivered") for rule in rules)


def as_eventbridge_writes_it(text: str, event: dict[str, Any]) -> str:
    """EventBridge puts a text into quotes that are there as it is, and anything else as JSON.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    return text.replace("<id>", event["id"]).replace("<detail>", json.dumps(event["detail"]))


def test_an_event_starts_its_workflow_under_an_id_that_is_the_event_s() -> None:
    event = {"id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail": {"order": 7, "note": 'a "quote", <id>'}}
    message = json.loads(as_eventbridge_writes_it(start_template("paid", "ship"), event))
    assert start_in(message) == StartMessage(
        "ship",
        {"order": 7, "note": 'a "quote", <id>'},
        "paid.6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        {"rule": "paid"},
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"workflow": "nothing", "pattern": PAID}, "none is named 'nothing'; there are: none"),
        ({"workflow": "w"}, "has no pattern"),
        ({"workflow": "w", "pattern": PAID, "bus": "a bus"}, "bus is the name of an event bus"),
        ({"pattern": PAID}, "has no workflow"),
    ],
)
def test_a_rule_that_could_start_nothing_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(StartupError, match=said):
        Plan.of(Registry([]), Project.of({"rules": {"paid": settings}}))
