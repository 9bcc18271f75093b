"""What a cloud consists of besides functions: table, queues, bucket, schedule group, made in moto by their API."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from stepfast.backends.dynamodb.table import EXPIRES, definition
from stepfast.simulator.lambdas import REGION
from stepfast.simulator.patching import Patches

_clients: dict[str, Any] = {}


def client(service: str) -> Any:
    """A boto3 client that no function uses: of tests, operators and the player itself."""
    import boto3

    if service not in _clients:
        session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        _clients[service] = session.client(service)
    return _clients[service]


class OwnClients:
    """The clients of `client`, as `provision` takes them."""

    @property
    def dynamodb(self) -> Any:
        return client("dynamodb")

    @property
    def kms(self) -> Any:
        return client("kms")

    @property
    def s3(self) -> Any:
        return client("s3")

    @property
    def scheduler(self) -> Any:
        return client("scheduler")

    @property
    def sqs(self) -> Any:
        return client("sqs")


def set_environment() -> Mapping[str, str | None]:
    """Variables that boto3 reads; returns what they were.

    With account ids in endpoints moto does not find DescribeStream.
    """
    wanted = {
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    held = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    return held


def restore_environment(held: Mapping[str, str | None]) -> None:
    for name, value in held.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def create_table(name: str) -> None:
    """The table as the product defines it, with its TTL switched on."""
    client("dynamodb").create_table(**definition(name))
    client("dynamodb").update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES}
    )


def create_queue(
    name: str,
    *,
    visibility: float = 30,
    retention: float = 14 * 86400,
    dead_letters: str | None = None,
    max_receive_count: int = 10,
) -> str:
    """Makes a queue, and returns its URL; dead_letters: the ARN of the queue behind it. Seconds."""
    attributes = {"VisibilityTimeout": str(int(visibility)), "MessageRetentionPeriod": str(int(retention))}
    if dead_letters is not None:
        policy = {"deadLetterTargetArn": dead_letters, "maxReceiveCount": max_receive_count}
        attributes["RedrivePolicy"] = json.dumps(policy)
    url: str = client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url


def create_bucket(name: str) -> None:
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def create_schedule_group(name: str) -> None:
    client("scheduler").create_schedule_group(Name=name)


def seed_moto(patches: Patches, seed: int | None) -> None:
    """Has moto draw its random ids and tokens from this seed; None: from another seed each time."""
    from moto.moto_api._internal import mock_random

    mock_random.seed(seed)
