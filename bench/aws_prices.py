"""List prices of AWS in us-east-1, in dollars, November 2026; and what is assumed where AWS publishes no number.

Free tiers are left out: they belong to an account, not to an execution. Everything that `bench.aws` multiplies
by is in this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DATED = "us-east-1, November 2026"

# -- prices ----------------------------------------------------------------------------------------------------

# aws.amazon.com/dynamodb/pricing/on-demand: a unit is 1 KB written, or 4 KB read consistently.
WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
TABLE_GB_MONTH, RECOVERY_GB_MONTH = 0.25, 0.20
"""Stored, and kept for point-in-time recovery, which the stack switches on."""
# aws.amazon.com/sqs/pricing: standard queues, requests of 64 KB.
SQS_REQUEST = 0.40e-6
# aws.amazon.com/lambda/pricing: arm64, the first tier. Reading a DynamoDB stream for Lambda is free.
LAMBDA_REQUEST, LAMBDA_GB_SECOND = 0.20e-6, 13.3334e-6
# aws.amazon.com/api-gateway/pricing (HTTP API), eventbridge/pricing (Scheduler), s3/pricing (Standard).
API_REQUEST, SCHEDULE = 1.00e-6, 1.00e-6
S3_PUT, S3_GET = 5.00e-6, 0.40e-6
# aws.amazon.com/kms/pricing: symmetric keys.
KMS_REQUEST = 3.00e-6
# aws.amazon.com/cloudwatch/pricing: logs taken in, a metric that is written in a month, a metric of an alarm.
LOG_GB, CUSTOM_METRIC, ALARM_METRIC, DASHBOARD = 0.50, 0.30, 0.10, 3.00

# aws.amazon.com/step-functions/pricing: Standard workflows.
TRANSITION = 25.00e-6
# aws.amazon.com/lambda/pricing, durable functions: an operation is a start, a step's completion or a wait.
DURABLE_OPERATION, DURABLE_WRITTEN_GB, DURABLE_KEPT_GB_MONTH = 8.00e-6, 0.25, 0.15

GB = 1e9

# -- assumptions -----------------------------------------------------------------------------------------------

VCPU_MB = 1769
"""MB of a function that has one processor to itself (Lambda's guide); with less it has that share of one."""
LATENCY: Mapping[str, float] = MappingProxyType(
    # Seconds that a function waits for a call within the region. AWS says "single-digit milliseconds" of DynamoDB;
    # the others are what is usually seen at the median. Waiting is paid for like working.
    {
        "PutItem": 0.004,
        "UpdateItem": 0.004,
        "DeleteItem": 0.004,
        "TransactWriteItems": 0.010,
        "GetItem": 0.003,
        "Query": 0.005,
        "BatchGetItem": 0.005,
        "SendMessageBatch": 0.008,
        "ChangeMessageVisibility": 0.008,
        "CreateSchedule": 0.030,
        "PutObject": 0.030,
        "GetObject": 0.020,
        "GenerateDataKey": 0.010,
        "Decrypt": 0.010,
    }
)
POLLERS, LONG_POLL = 5, 20.0
"""Lambda asks a queue over five connections at once, each for 20 s: CloudWatch shows 15 empty receives a minute."""
MONTH = 30 * 86400.0
INVOCATION_LOG = 330
"""Bytes of the START, END and REPORT lines that Lambda itself logs."""
REQUEST_LOG = 350
"""Bytes of the line that the stack has the HTTP API log of every request."""
STORED_ITEM = 100
"""Bytes that DynamoDB adds to every item it stores (its guide); they are not in the units of a write."""


# -- what others charge ----------------------------------------------------------------------------------------


def step_functions(transitions: float) -> float:
    """Standard workflows: each state that is entered, each retry again. The Lambda functions it calls are extra."""
    return transitions * TRANSITION


def durable_functions(operations: float, written: float = 0.0) -> float:
    """Lambda durable functions: operations and bytes of results. The function's own time is extra."""
    return operations * DURABLE_OPERATION + written / GB * DURABLE_WRITTEN_GB


def empty_receives(queues: int, seconds: float = MONTH) -> float:
    """What the pollers of idle queues ask: each connection once every 20 s, day and night."""
    return queues * POLLERS * seconds / LONG_POLL


# What the stack has beside its functions; the first ten metrics of alarms and three dashboards are free.
ALARMED, ALARMED_BY_FUNCTION = 9, 2
"""Metrics that the stack's alarms look at: in all, and of each function (errors, throttles)."""
METRICS_WHILE_IDLE = 1
"""Metrics that are written while nothing runs: how many executions are stuck, told by every sweep."""
