"""Makes the resources of a plan in moto: the same for MotoCloud, `stepfast dev --cloud moto` and `stepfast invoke`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stepfast.backends.dynamodb import data_keys
from stepfast.backends.dynamodb.table import EXPIRES, definition
from stepfast.deployment.plan import Plan, QueuePlan
from stepfast.deployment.schedules import event_of

KEYS = "stepfast-keys"
"""The key table of a plan with encryption."""
TABLE, BUCKET, SCHEDULES, STARTS = "stepfast", "stepfast-values", "stepfast", "stepfast-starts"
TIMER, PARK, DEAD_LETTERS, UNDELIVERED = (
    "stepfast-timer",
    "stepfast-park",
    "stepfast-dead-letters",
    "stepfast-undelivered",
)
EVENTS, EVENT_LETTERS = "stepfast-events", "stepfast-event-letters"
"""The queues of a plan with an event bus."""
RETENTION = 14 * 86400
"""Seconds for which the queues of what has failed keep a message: the longest that SQS allows."""


class AwsClients(Protocol):
    """The boto3 clients that make the resources."""

    @property
    def dynamodb(self) -> Any: ...
    @property
    def kms(self) -> Any: ...
    @property
    def s3(self) -> Any: ...
    @property
    def scheduler(self) -> Any: ...
    @property
    def sqs(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Provisioned:
    """URLs of the queues that were made; `pools` by the name of the pool. role: ARN, of what the schedules may do.

    kms_key: the ARN of the key of a plan with encryption, whatever key the plan names; "" without. events: the queue of
    a plan with an event bus.
    """

    pools: Mapping[str, str]
    timer: str
    park: str
    undelivered: str
    role: str
    kms_key: str = ""
    events: str = ""


def provision(plan: Plan, clients: AwsClients, *, region: str, account: str) -> Provisioned:
    """Makes table, bucket, queues and schedules; raises boto3's ClientError where they are there already."""
    role = f"arn:aws:iam::{account}:role/stepfast-schedules"
    clients.dynamodb.create_table(**definition(TABLE))
    clients.dynamodb.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES}
    )
    clients.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    clients.scheduler.create_schedule_group(Name=SCHEDULES)
    dead_letters = _create_queue(
        clients, DEAD_LETTERS, {"VisibilityTimeout": "30", "MessageRetentionPeriod": str(RETENTION)}
    )
    undelivered = _create_queue(
        clients, UNDELIVERED, {"VisibilityTimeout": "30", "MessageRetentionPeriod": str(RETENTION)}
    )

    def queue(name: str, queue_plan: QueuePlan, behind: str) -> str:
        policy = {"deadLetterTargetArn": _arn(clients, behind), "maxReceiveCount": queue_plan.max_receive_count}
        attributes = {
            "VisibilityTimeout": str(int(queue_plan.visibility)),
            "MessageRetentionPeriod": str(int(queue_plan.retention)),
            "RedrivePolicy": json.dumps(policy),
        }
        return _create_queue(clients, name, attributes)

    events = ""
    if plan.event_queue is not None:
        retention = {"VisibilityTimeout": "30", "MessageRetentionPeriod": str(RETENTION)}
        events = queue(EVENTS, plan.event_queue, _create_queue(clients, EVENT_LETTERS, retention))
    made = Provisioned(
        pools={name: queue(pool_queue(name), pool.queue, undelivered) for name, pool in plan.pools.items()},
        timer=queue(TIMER, plan.timer_queue, undelivered),
        park=queue(PARK, plan.park_queue, dead_letters),
        undelivered=undelivered,
        role=role,
        kms_key=_encryption(clients) if plan.project.kms_key else "",
        events=events,
    )
    if plan.starts:
        clients.scheduler.create_schedule_group(Name=STARTS)
    for start in plan.starts:
        clients.scheduler.create_schedule(
            Name=start.name,
            GroupName=STARTS,
            ScheduleExpression=start.expression,
            ScheduleExpressionTimezone=start.timezone,
            State="ENABLED" if start.enabled else "DISABLED",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": _arn(clients, made.timer), "RoleArn": role, "Input": event_of(start)},
        )
    return made


def _encryption(clients: AwsClients) -> str:
    """Makes the key table and a key."""
    clients.dynamodb.create_table(**data_keys.definition(KEYS))
    arn: str = clients.kms.create_key(Description="stepfast")["KeyMetadata"]["Arn"]
    return arn


def pool_queue(pool: str) -> str:
    return "stepfast-pool-" + re.sub(r"[^A-Za-z0-9_-]", "-", pool)


def _arn(clients: AwsClients, url: str) -> str:
    """Asked of the service: whoever plays AWS has an account number of its own."""
    attributes = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    arn: str = attributes["QueueArn"]
    return arn


def _create_queue(clients: AwsClients, name: str, attributes: Mapping[str, str]) -> str:
    url: str = clients.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url
