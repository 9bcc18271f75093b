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
    for alarm in alarms.values():
        assert "AlarmsTopic" in str(alarm["AlarmActions"])
        assert "AlarmsTopic" in str(alarm["OKActions"])
        assert alarm.get("ActionsEnabled", True) is True
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
    resource = only(synthesized.plain, "AWS::CloudWatch::Alarm", f"Alarms{alarm}")
    assert f"{watched(resource)} {resource['Statistic']}" == metric
    assert (resource["Threshold"], resource["EvaluationPeriods"], resource["Period"]) == (above, periods, seconds)
    assert resource["ComparisonOperator"] == "GreaterThanThreshold"
    assert resource["TreatMissingData"] == "notBreaching"


def watched(metric: dict[str, Any]) -> str:
    dimensions = [word for dimension in metric["Dimensions"] for word in (dimension["Name"], named(dimension["Value"]))]
    return " ".join([metric["Namespace"], metric["MetricName"], *dimensions])


@pytest.mark.parametrize(
    ("alarm", "metrics", "periods"),
    [
        ("FunctionErrors", {f"AWS/Lambda Errors FunctionName <{function}Function>" for function in FUNCTIONS}, 2),
        ("FunctionThrottles", {f"AWS/Lambda Throttles FunctionName <{function}Function>" for function in FUNCTIONS}, 2),
        (
            "TableThrottles",
            {f"AWS/DynamoDB {capacity}ThrottleEvents TableName <StateTable>" for capacity in ("Read", "Write")},
            3,
        ),
    ],
)
def test_what_has_many_parts_is_watched_in_all_of_them(
    synthesized: Synthesized, alarm: str, metrics: set[str], periods: int
) -> None:
    resource = only(synthesized.plain, "AWS::CloudWatch::Alarm", f"Alarms{alarm}")
    parts = {metric["Id"]: metric["MetricStat"] for metric in resource["Metrics"] if "MetricStat" in metric}
    assert {watched(part["Metric"]) for part in parts.values()} == metrics
    assert {part["Stat"] for part in parts.values()} == {"Sum"}
    (total,) = (metric["Expression"] for metric in resource["Metrics"] if "Expression" in metric)
    assert total == " + ".join(f"FILL({name}, 0)" for name in parts)
    assert (resource["Threshold"], resource["EvaluationPeriods"]) == (0, periods)
    assert resource["ComparisonOperator"] == "GreaterThanThreshold"
    assert resource["TreatMissingData"] == "notBreaching"


def test_a_sweep_that_does_not_run_is_noticed_by_its_silence(synthesized: Synthesized) -> None:
    resource = only(synthesized.plain, "AWS::CloudWatch::Alarm", "AlarmsNoSweep")
    assert (resource["ComparisonOperator"], resource["Threshold"]) == ("LessThanThreshold", 1)
    assert resource["TreatMissingData"] == "breaching"
    assert watched(resource) == "AWS/Lambda Invocations FunctionName <SweeperFunction>"
    assert (resource["Period"], resource["EvaluationPeriods"]) == (300, 3)


def test_the_topic_takes_what_the_alarms_of_this_account_send_and_nothing_without_tls(synthesized: Synthesized) -> None:
    policy = only(synthesized.plain, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [(statement["Principal"], statement["Action"]) for statement in allowed] == [
        ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    ]
    assert allowed[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (denied,) = (statement for statement in policy if statement["Effect"] == "Deny")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("alarm", sorted(ALARMS))
def test_operations_md_says_what_to_do(alarm: str) -> None:
    assert f"## {alarm}\n" in (DOCS / "operations.md").read_text()


def test_operations_md_explains_no_alarm_that_is_gone() -> None:
    titles = re.findall(r"^## (\S+)$", (DOCS / "operations.md").read_text(), re.MULTILINE)
    assert set(titles) == ALARMS | {"UnsentEvents"}  # of deployments with an event_bus


# -- the dashboard -----------------------------------------------------------------------------------------


def found(dimension: str, name: str, statistic: str) -> str:
    # A stack's name may have a hyphen: a namespace that is not in quotation marks would then find nothing.
    return f"""SEARCH('{{"stepfast/plain",service,{dimension}}} MetricName="{name}"', '{statistic}', 300)"""


def sums(dimension: str, *names: str) -> set[str]:
    return {f"SUM({found(dimension, name, 'Sum')})" for name in names}


def of_queues(name: str, *queues: str) -> set[str]:
    return {f"AWS/SQS {name} QueueName Queues{queue}.QueueName Maximum" for queue in queues}


def of_functions(name: str) -> set[str]:
    return {f"AWS/Lambda {name} FunctionName <{function}Function> Sum" for function in FUNCTIONS}


SHOWN = {
    "Executions started": {found("workflow", "ExecutionsStarted", "Sum")},
    "Executions ended": sums(
        "workflow", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsCancelled", "ExecutionsResumed"
    ),
    "Dead letters": of_queues("ApproximateNumberOfMessagesVisible", "DeadLetters", "Undelivered"),
    "Step latency": {found("pool", "StepLatency", percentile) for percentile in ("p50", "p99")},
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
    return {widget["properties"]["title"]: widget["properties"]["metrics"] for widget in body["widgets"]}


def line(metric: list[Any]) -> str:
    """A metric as words; one that is not drawn, but only part of an expression, like any other."""
    *names, options = metric if isinstance(metric[-1], dict) else [*metric, {}]
    return options.get("expression") or " ".join([*names, options.get("stat", "Sum")])


@pytest.mark.parametrize("title", SHOWN)
def test_a_graph_shows_what_its_title_says(synthesized: Synthesized, title: str) -> None:
    (metrics,) = (metrics for name, metrics in graphs(synthesized).items() if name.startswith(title))
    assert {line(metric) for metric in metrics} == SHOWN[title]


def test_the_cost_is_estimated_from_all_that_is_metered(synthesized: Synthesized) -> None:
    (metrics,) = (metrics for name, metrics in graphs(synthesized).items() if name.startswith("Cost estimate"))
    drawn = {metric[-1]["label"]: metric[-1]["expression"] for metric in metrics if "expression" in metric[-1]}
    assert set(drawn) == {"DynamoDB", "Lambda", "SQS", "HTTP API"}
    metered = {line(metric) for metric in metrics if "expression" not in metric[-1]}
    table = {
        f"AWS/DynamoDB Consumed{capacity}CapacityUnits TableName <StateTable> Sum" for capacity in ("Read", "Write")
    }
    sent = {
        f"AWS/SQS NumberOfMessagesSent QueueName Queues{queue}.QueueName Sum" for queue in (*POOLS, "Timer", "Park")
    }
    calls = of_functions("Invocations") | of_functions("Duration")
    assert metered == table | sent | calls | {"AWS/ApiGateway Count ApiId <FrontDoorApi> Sum"}
    # A price below a millionth, written as 1e-06, would be taken for a name.
    assert not re.search(r"\de-", " ".join(drawn.values()))


def test_no_graph_is_left_out(synthesized: Synthesized) -> None:
    assert len(graphs(synthesized)) == len(SHOWN) + 1
