"""A table, queues, a bucket and a schedule group on moto, with this package's backends on them.

What arrived is read the way AWS delivers it: wakes from the table's stream, messages from the queues, and what
is due later from the schedules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import boto3
import time_machine
from botocore.config import Config

from stepfast.backends.aws.messages import posted_in
from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.aws.scheduler import ScheduleGroup
from stepfast.backends.aws.sqs import SqsQueue
from stepfast.backends.dynamodb import table
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.label_walk import SETTLED_SECONDS, LabelWalk
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.engine.ports import Delivery
from tests.contract.clock import FixedClock

T = TypeVar("T")

REGION = "us-east-1"
TABLE, BUCKET, GROUP = "stepfast", "stepfast-values", "stepfast"
POOLS = ("default", "pdf")
ROLE = "arn:aws:iam::123456789012:role/stepfast-schedules"
ONE_TRY = {"retries": {"mode": "standard", "total_max_attempts": 1}}


def make_client(service: str, **config: Any) -> Any:
    """A client of its own, whose hooks and retries are the test's; botocore's account endpoints do not suit moto."""
    return boto3.session.Session().client(
        service,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(account_id_endpoint_mode="disabled", **config),
    )


shared_client = cache(make_client)
"""Clients take longer to make than most tests take; those without hooks are shared."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as a queue or a schedule delivers it."""

    delivery: Delivery
    due: float


class Cloud:
    """The AWS backends under test, and what they have sent. Lives inside moto's mock_aws."""

    def __init__(self, client: Callable[[str], Any] = shared_client, **settings: Any) -> None:
        self._client = cache(client)
        self.clock = FixedClock()
        self._make()
        self.dynamodb, self.sqs = self._client("dynamodb"), self._client("sqs")
        self.blobs = S3Blobs(lambda: self._client("s3"), BUCKET)
        self.schedules = ScheduleGroup(lambda: self._client("scheduler"), GROUP, ROLE)
        self.queue = SqsQueue(
            self.sqs,
            self.clock,
            pools=self.pools,
            timers=self.timers,
            parks=self.parks,
            schedules=self.schedules,
        )
        self.store = self.make_store(**settings)
        self._seen = ""
        self._woken: list[str] = []
        self._messages: list[Arrived] = []

    def make_store(self, dynamodb: Any = None, **settings: Any) -> DynamoStore:
        """Another process's store on the same table."""
        client = dynamodb or self.dynamodb
        return DynamoStore(client, TABLE, self.queue, self.blobs, self.clock, **{"listing_shards": 2, **settings})

    def _make(self) -> None:
        plain = shared_client("dynamodb")
        plain.create_table(**table.definition(TABLE))
        sqs = shared_client("sqs")
        queues = {name: sqs.create_queue(QueueName=f"stepfast-{name}")["QueueUrl"] for name in (*POOLS, "t", "p")}
        self.timers, self.parks = queues.pop("t"), queues.pop("p")
        self.pools: dict[str, str] = queues
        shared_client("s3").create_bucket(Bucket=BUCKET)
        shared_client("scheduler").create_schedule_group(Name=GROUP)

    def index_labels(self, shards: int = 2) -> int:
        """Sweeps until lists with labels go by the index; how many labels they have put into it."""
        began, added = self.clock.time, 0
        walk = LabelWalk(Table(self.dynamodb, TABLE, self.clock), shards)
        for _ in range(4):
            added += self.run(walk.go_on(self.clock, lambda: True))
            self.clock.time += SETTLED_SECONDS
        self.clock.time = began
        assert walk.is_over()
        return added

    # -- what arrived ----------------------------------------------------------------------------------------

    @property
    def woken(self) -> list[str]:
        """The executions that the stream calls the advancer for, once for each write with wake."""
        for record in self.stream():
            image = record["dynamodb"].get("NewImage", {})
            if "N" in image.get("wake", {}):
                self._woken.append(image["pk"]["S"][2:])
        return self._woken

    def stream(self) -> list[dict[str, Any]]:
        """The stream's records since the last call."""
        streams = shared_client("dynamodbstreams")
        arn = shared_client("dynamodb").describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._seen}
        start = after if self._seen else {"ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **start)["ShardIterator"]
        records: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator)["Records"]
        if records:
            self._seen = records[-1]["dynamodb"]["SequenceNumber"]
        return records

    @property
    def messages(self) -> list[Arrived]:
        """What was sent, by the time it is due."""
        for url in (*self.pools.values(), self.timers, self.parks):
            self._messages += self._received(url)
        self._messages += self._scheduled()
        self._messages.sort(key=lambda one: one.due)
        return self._messages

    def _received(self, url: str) -> list[Arrived]:
        found: list[Arrived] = []
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16), tick=False):  # delays are over by then
            while True:
                got = (
                    shared_client("sqs")
                    .receive_message(
                        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0, MessageSystemAttributeNames=["All"]
                    )
                    .get("Messages", [])
                )
                if not got:
                    return found
                for one in got:
                    found.append(_arrived(one["Body"]))
                    shared_client("sqs").delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])

    def _scheduled(self) -> list[Arrived]:
        found = []
        scheduler = shared_client("scheduler")
        for listed in scheduler.list_schedules(GroupName=GROUP)["Schedules"]:
            one = scheduler.get_schedule(GroupName=GROUP, Name=listed["Name"])
            found.append(_arrived(one["Target"]["Input"]))
            scheduler.delete_schedule(GroupName=GROUP, Name=listed["Name"])
        return found

    def lose_everything(self) -> None:
        """Nothing is under way any more: not a message, not a wake."""
        self.woken.clear()
        self.messages.clear()

    # -- calling -----------------------------------------------------------------------------------------------

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(call)

    def run_all(self, *calls: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
        """Runs calls at the same time, as far as calls that do not wait ever are."""

        async def together() -> list[T]:
            return list(await asyncio.gather(*(call() for call in calls)))

        return asyncio.run(together())

    def item(self, execution_id: str, sort: str) -> dict[str, Any]:
        """An item as DynamoDB has it; {} for none."""
        key = {"pk": {"S": f"x#{execution_id}"}, "sk": {"S": sort}}
        found: dict[str, Any] = shared_client("dynamodb").get_item(TableName=TABLE, Key=key).get("Item", {})
        return found


def _arrived(body: str) -> Arrived:
    posted = posted_in(body)
    due = posted.sent if posted.due is None else posted.due
    return Arrived(Delivery(posted.message, posted.sent), due)
