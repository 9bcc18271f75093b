"""What somebody is told: alarms, the topic, the dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import Synthesized, only, resources
from tests.infra.reading import named

DOCS = Path(__file__).parents[2] / "docs"
POOLS = ("Pooldefault", "Poolpdf")
FUNCTIONS = ("Advancer", "Api", "Authorizer", "Resume", "StepDefault", "StepPdf", "Sweeper", "Timer")

# -- alarms ------------------------------------------------------------------------------------------------

ALARMS = {
    "DeadLetters",
    "Undelivered",
    "LateAdvances",
    "StuckExecutions",
    "NoSweep",
    "FunctionErrors",
    "FunctionThrottles",
    "ApiErrors",
    "TableThrottles",
    "LostSchedules",
}


def test_every_alarm_goes_to_the_topic_and_has_its_paragraph(synthesized: Synthesized) -> None:
    alarms = resources(synthesized.plain, "AWS::CloudWatch::Alarm")
    assert {name.removeprefix("Alarms")[:-8] for name in alarms} == ALARMS
    for one in alarms.values():
        assert "AlarmsTopic" in str(one["AlarmActions"])
        assert "AlarmsTopic" in str(one["OKActions"])
        assert one.get("ActionsEnabled", True) is True
    subscription = only(synthesized.plain, "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")


LETTERS = "AWS/SQS ApproximateNumberOfMessagesVisible QueueName Queues{}.QueueName Maximum"


@pytest.mark.parametrize(
    ("alarm", "metric", "above", "periods", "seconds"),
    [
        ("DeadLetters", LETTERS.format("DeadLetters"), 0, 1, 60),
        ("Undelivered", LETTERS.format("Undelivered"), 0, 1, 60),
        ("LateAdvances", "AWS/Lambda IteratorAge FunctionName <AdvancerFunction> Maximum", 60_000, 3, 60),
        ("StuckExecutions", "stepfast/plain ExecutionsStuck service sweeper Maximum", 0, 1, 300),
        ("ApiErrors", "AWS/ApiGateway 5xx ApiId <FrontDoorApi> Sum", 0, 2, 300),
        ("LostSchedules", "AWS/Scheduler InvocationDroppedCount ScheduleGroup <TimersGroup> Sum", 0, 1, 300),
    ],
)
def test_an_alarm_goes_off_above_its_limit_and_not_for_silence(
    synthesized: Synthesized, alarm: str, metric: str, above: float, periods: int, seconds: int
) -> None:
    found = only(synthesized.plain, "AWS::CloudWatch::Alarm", f"Alarms{alarm}")
    assert f"{watched(found)} {found['Statistic']}" == metric
    assert (found["Threshold"], found["EvaluationPeriods"], found["Period"]) == (above, periods, seconds)
    assert found["ComparisonOperator"] == "GreaterThanThreshold"
    assert found["TreatMissingData"] == "notBreaching"


def watched(metric: dict[str, Any]) -> str:
    dimensions = [word for one in metric["Dimensions"] for word in (one["Name"], named(one["Value"]))]
    return " ".join([metric["Namespace"], metric["MetricName"], *dimensions])


@pytest.mark.parametrize(
    ("alarm", "metrics", "periods"),
    [
        ("FunctionErrors", {f"AWS/Lambda Errors FunctionName <{one}Function>" for one in FUNCTIONS}, 2),
        ("FunctionThrottles", {f"AWS/Lambda Throttles FunctionName <{one}Function>" for one in FUNCTIONS}, 2),
        (
            "TableThrottles",
            {f"AWS/DynamoDB {one}ThrottleEvents TableName <StateTable>" for one in ("Read", "Write")},
            3,
        ),
    ],
)
def test_what_has_many_parts_is_watched_in_all_of_them(
    synthesized: Synthesized, alarm: str, metrics: set[str], periods: int
) -> None:
    found = only(synthesized.plain, "AWS::CloudWatch::Alarm", f"Alarms{alarm}")
    parts = {one["Id"]: one["MetricStat"] for one in found["Metrics"] if "MetricStat" in one}
    assert {watched(one["Metric"]) for one in parts.values()} == metrics
    assert {one["Stat"] for one in parts.values()} == {"Sum"}
    (total,) = (one["Expression"] for one in found["Metrics"] if "Expression" in one)
    assert total == " + ".join(f"FILL({name}, 0)" for name in parts)
    assert (found["Threshold"], found["EvaluationPeriods"]) == (0, periods)
    assert found["ComparisonOperator"] == "GreaterThanThreshold"
    assert found["TreatMissingData"] == "notBreaching"


def test_a_sweep_that_does_not_run_is_noticed_by_its_silence(synthesized: Synthesized) -> None:
    found = only(synthesized.plain, "AWS::CloudWatch::Alarm", "AlarmsNoSweep")
    assert (found["ComparisonOperator"], found["Threshold"]) == ("LessThanThreshold", 1)
    assert found["TreatMissingData"] == "breaching"
    assert watched(found) == "AWS/Lambda Invocations FunctionName <SweeperFunction>"
    assert (found["Period"], found["EvaluationPeriods"]) == (300, 3)


def test_the_topic_takes_what_the_alarms_of_this_account_send_and_nothing_without_tls(synthesized: Synthesized) -> None:
    policy = only(synthesized.plain, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [one for one in policy if one["Effect"] == "Allow"]
    assert [(one["Principal"], one["Action"]) for one in allowed] == [
        ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    ]
    assert allowed[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (denied,) = (one for one in policy if one["Effect"] == "Deny")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_operations_md_says_what_to_do(alarm: str) -> None:
    assert f"## {alarm}\n" in (DOCS / "operations.md").read_text()


def test_operations_md_explains_no_alarm_that_is_gone() -> None:
    titles = re.findall(r"^## (\S+)$", (DOCS / "operations.md").read_text(), re.MULTILINE)
    assert set(titles) == ALARMS


# -- the dashboard -----------------------------------------------------------------------------------------


def found(dimension: str, name: str, statistic: str) -> str:
    # A stack's name may have a hyphen: a namespace that is not in quotation marks would then find nothing.
    return f"""SEARCH('{{"stepfast/plain",service,{dimension}}} MetricName="{name}"', '{statistic}', 300)"""


def sums(dimension: str, *names: str) -> set[str]:
    return {f"SUM({found(dimension, name, 'Sum')})" for name in names}


def of_queues(name: str, *queues: str) -> set[str]:
    return {f"AWS/SQS {name} QueueName Queues{queue}.QueueName Maximum" for queue in queues}


def of_functions(name: str) -> set[str]:
    return {f"AWS/Lambda {name} FunctionName <{one}Function> Sum" for one in FUNCTIONS}


SHOWN = {
    "Executions started": {found("workflow", "ExecutionsStarted", "Sum")},
    "Executions ended": sums(
        "workflow", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsCancelled", "ExecutionsResumed"
    ),
    "Dead letters": of_queues("ApproximateNumberOfMessagesVisible", "DeadLetters", "Undelivered"),
    "Step latency": {found("pool", "StepLatency", one) for one in ("p50", "p99")},
    "Step attempts": {found("pool", "StepAttempts", "Sum")},
    "Steps retried": sums("pool", "StepRetries", "StepFailures"),
    "Age of the oldest message": of_queues("ApproximateAgeOfOldestMessage", *POOLS, "Timer"),
    "Messages to be handled": of_queues("ApproximateNumberOfMessagesVisible", *POOLS, "Timer"),
    "Age of the stream": {"AWS/Lambda IteratorAge FunctionName <AdvancerFunction> Maximum"},
    "Errors of functions": of_functions("Errors"),
    "Throttles of functions": of_functions("Throttles"),
    "Requests": {f"AWS/ApiGateway {name} ApiId <FrontDoorApi> Sum" for name in ("Count", "4xx", "5xx")},
}


def graphs(synthesized: Synthesized) -> dict[str, list[Any]]:
    body = json.loads(named(only(synthesized.plain, "AWS::CloudWatch::Dashboard")["DashboardBody"]))
    return {one["properties"]["title"]: one["properties"]["metrics"] for one in body["widgets"]}


def line(metric: list[Any]) -> str:
    """A metric as words; one that is not drawn, but only part of an expression, like any other."""
    *names, options = metric if isinstance(metric[-1], dict) else [*metric, {}]
    return options.get("expression") or " ".join([*names, options.get("stat", "Sum")])


@pytest.mark.parametrize("title", SHOWN)
def test_a_graph_shows_what_its_title_says(synthesized: Synthesized, title: str) -> None:
    (metrics,) = (metrics for name, metrics in graphs(synthesized).items() if name.startswith(title))
    assert {line(one) for one in metrics} == SHOWN[title]


def test_the_cost_is_estimated_from_all_that_is_metered(synthesized: Synthesized) -> None:
    (metrics,) = (metrics for name, metrics in graphs(synthesized).items() if name.startswith("Cost estimate"))
    drawn = {one[-1]["label"]: one[-1]["expression"] for one in metrics if "expression" in one[-1]}
    assert set(drawn) == {"DynamoDB", "Lambda", "SQS", "HTTP API"}
    metered = {line(one) for one in metrics if "expression" not in one[-1]}
    table = {f"AWS/DynamoDB Consumed{one}CapacityUnits TableName <StateTable> Sum" for one in ("Read", "Write")}
    sent = {f"AWS/SQS NumberOfMessagesSent QueueName Queues{one}.QueueName Sum" for one in (*POOLS, "Timer", "Park")}
    calls = of_functions("Invocations") | of_functions("Duration")
    assert metered == table | sent | calls | {"AWS/ApiGateway Count ApiId <FrontDoorApi> Sum"}
    # A price below a millionth, written as 1e-06, would be taken for a name.
    assert not re.search(r"\de-", " ".join(drawn.values()))


def test_no_graph_is_left_out(synthesized: Synthesized) -> None:
    assert len(graphs(synthesized)) == len(SHOWN) + 1
