"""An estimate of the cost of the last hour, from the metrics that drive the bill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cw

from stepfast.infra.constructs.metrics import aws

# List prices in us-east-1, in US dollars. Other regions cost up to a third more.
WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
LAMBDA_REQUEST, LAMBDA_GB_SECOND = 0.2e-6, {"arm64": 13.3334e-6, "x86_64": 16.6667e-6}
API_REQUEST = 1.0e-6
# A message takes three requests: send, receive, delete. Batches need fewer.
DOLLARS_PER_MESSAGE = 3 * 0.4e-6


@dataclass(frozen=True, slots=True)
class Billed:
    """The metered resources: memory in MB by function name, and the names of table, queues and API."""

    functions: Mapping[str, int]
    table: str
    queues: Iterable[str]
    api: str
    architecture: str


def per_hour(billed: Billed) -> list[cw.IMetric]:
    """US dollars per hour, one line per service. Not included: storage, logs, and services that steps call."""
    index = {"TableName": billed.table}
    # CloudWatch meters the index's writes under the index's name; they add about one unit per status.
    dynamodb = _sum(
        "DynamoDB",
        [
            (aws("DynamoDB", "ConsumedWriteCapacityUnits", index, minutes=60), WRITE_UNIT),
            (aws("DynamoDB", "ConsumedReadCapacityUnits", index, minutes=60), READ_UNIT),
        ],
    )
    price = LAMBDA_GB_SECOND[billed.architecture]
    calls = [
        part
        for name, memory in billed.functions.items()
        for part in (
            (aws("Lambda", "Invocations", {"FunctionName": name}, minutes=60), LAMBDA_REQUEST),
            (aws("Lambda", "Duration", {"FunctionName": name}, minutes=60), price * memory / 1024 / 1000),
        )
    ]
    sent = [
        (aws("SQS", "NumberOfMessagesSent", {"QueueName": name}, minutes=60), DOLLARS_PER_MESSAGE)
        for name in billed.queues
    ]
    requests = [(aws("ApiGateway", "Count", {"ApiId": billed.api}, minutes=60), API_REQUEST)]
    return [dynamodb, _sum("Lambda", calls), _sum("SQS", sent), _sum("HTTP API", requests)]


def _sum(label: str, parts: Iterable[tuple[cw.Metric, float]]) -> cw.MathExpression:
    prefix = label.lower().replace(" ", "")
    named = {f"{prefix}{index}": part for index, part in enumerate(parts)}
    return cw.MathExpression(
        # As a plain decimal: CloudWatch parses 1e-06 as an identifier.
        expression=" + ".join(f"FILL({name}, 0) * {price:.12f}" for name, (_, price) in named.items()),
        using_metrics={name: metric for name, (metric, _) in named.items()},
        label=label,
        period=Duration.hours(1),
    )
