"""One CloudWatch dashboard: is it working, how fast, what is waiting, and what does it cost?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cw
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stepfast.functions import metering
from stepfast.infra.constructs import cost
from stepfast.infra.constructs.metrics import aws, by, over


@dataclass(frozen=True, slots=True)
class Watched:
    """The resources that dashboard and alarms watch; functions by their name in the plan."""

    namespace: str
    functions: Mapping[str, lambda_.IFunction]
    pools: Mapping[str, sqs.IQueue]
    timer_queue: sqs.IQueue
    dead_letters: sqs.IQueue
    undelivered: sqs.IQueue
    event_letters: sqs.IQueue | None
    table: str
    api: str
    timers: str
    billed: cost.Billed


class Dashboard(Construct):
    def __init__(self, scope: Construct, id: str, *, watched: Watched) -> None:
        super().__init__(scope, id)
        self.dashboard = cw.Dashboard(self, "Page", default_interval=None)
        self.dashboard.add_widgets(*_executions(watched))
        self.dashboard.add_widgets(*_steps(watched))
        self.dashboard.add_widgets(*_waiting(watched))
        self.dashboard.add_widgets(*_machinery(watched))


def _graph(title: str, *left: cw.IMetric, unit: str = "", width: int = 8) -> cw.GraphWidget:
    axis = cw.YAxisProps(label=unit or None, min=0, show_units=False)
    return cw.GraphWidget(title=title, left=list(left), left_y_axis=axis, width=width, height=6)


def _executions(watched: Watched) -> list[cw.IWidget]:
    space = watched.namespace
    ends = {metering.SUCCEEDED: "SUCCEEDED", metering.FAILED: "FAILED", metering.CANCELLED: "CANCELLED"}
    letters = {"dead letters": watched.dead_letters, "undelivered": watched.undelivered}
    return [
        _graph("Executions started, by workflow", by("workflow", space, metering.STARTED, "Sum")),
        _graph(
            "Executions ended, by status, and resumed",
            *(over("workflow", space, name, label) for name, label in ends.items()),
            over("workflow", space, metering.RESUMED, "resumed"),
        ),
        _graph("Dead letters and undelivered messages", *_of_queues(letters, "ApproximateNumberOfMessagesVisible")),
    ]


def _steps(watched: Watched) -> list[cw.IWidget]:
    space = watched.namespace
    return [
        _graph(
            "Step latency, median and 99th percentile",
            by("pool", space, metering.LATENCY, "p50"),
            by("pool", space, metering.LATENCY, "p99"),
            unit="ms",
        ),
        _graph("Step attempts", by("pool", space, metering.ATTEMPTS, "Sum")),
        _graph(
            "Steps retried, and failed for good",
            over("pool", space, metering.RETRIES, "retried"),
            over("pool", space, metering.FAILURES, "failed for good"),
        ),
    ]


def _of_queues(queues: Mapping[str, sqs.IQueue], name: str) -> list[cw.Metric]:
    return [
        aws("SQS", name, {"QueueName": queue.queue_name}, "Maximum", label=label) for label, queue in queues.items()
    ]


def _waiting(watched: Watched) -> list[cw.IWidget]:
    queues = {**watched.pools, "timers": watched.timer_queue}
    advancer = {"FunctionName": watched.functions["advancer"].function_name}
    age = "Age of the oldest message (those that wait for a retry count too)"
    return [
        _graph(age, *_of_queues(queues, "ApproximateAgeOfOldestMessage"), unit="s"),
        _graph("Messages to be handled now", *_of_queues(queues, "ApproximateNumberOfMessagesVisible")),
        _graph(
            "Age of the stream: how late advances are", aws("Lambda", "IteratorAge", advancer, "Maximum"), unit="ms"
        ),
    ]


def _machinery(watched: Watched) -> list[cw.IWidget]:
    def of_all(name: str, statistic: str = "Sum") -> list[cw.Metric]:
        return [
            aws("Lambda", name, {"FunctionName": function.function_name}, statistic, label=label)
            for label, function in watched.functions.items()
        ]

    return [
        _graph("Errors of functions", *of_all("Errors"), width=6),
        _graph("Throttles of functions", *of_all("Throttles"), width=6),
        _graph(
            "Requests, and those the gateway answered with an error",
            *(aws("ApiGateway", name, {"ApiId": watched.api}) for name in ("Count", "4xx", "5xx")),
            width=6,
        ),
        cw.GraphWidget(
            title="Cost estimate, dollars per hour (list prices; without storage, logs and what steps call)",
            left=cost.per_hour(watched.billed),
            stacked=True,
            width=6,
            height=6,
            left_y_axis=cw.YAxisProps(min=0, show_units=False),
        ),
    ]
