"""A table that was restored to an earlier moment: its items and nothing else, no message, no schedule, no stream."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.backends.dynamodb.item_keys import META
from stepfast.simulator import resources
from stepfast.simulator.provision import BUCKET, TABLE
from stepfast.testing import MotoCloud
from tests.cloud.conftest import MakeCloud
from tests.cloud.flows import (
    EVERYTHING,
    Answer,
    blow_up,
    bulk,
    deliver,
    delivery,
    fetch,
    measure,
    nap,
    question,
    squares,
    vigil,
)

Items = list[dict[str, Any]]
MINUTES = timedelta(minutes=1)
UNDER_WAY = ("timer", "signal", "retried", "running", "large", "parallel")


def everything_in(cloud: MotoCloud) -> tuple[Items, dict[str, bytes]]:
    """What a point-in-time restore brings back, and what is in the bucket."""
    items: Items = resources.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
    s3 = resources.client("s3")
    held = s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return items, {one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in held}


def restore(cloud: MotoCloud, items: Items, values: dict[str, bytes]) -> None:
    """The items are there from the beginning: the stream, switched on afterwards, has no record of them."""
    table = cloud._stage.deployment.stream.table
    shard, table.stream_shard = table.stream_shard, None
    try:
        for item in items:
            resources.client("dynamodb").put_item(TableName=TABLE, Item=item)
    finally:
        table.stream_shard = shard
    for key, value in values.items():
        resources.client("s3").put_object(Bucket=BUCKET, Key=key, Body=value)


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> MotoCloud:
    """A deployment on the table of another one, as it was at an instant at which much was under way there."""
    with MotoCloud(*EVERYTHING) as before:
        before.fail(deliver, times=None)
        failed = before.start(delivery, "mud", "failed")
        before.run_until(failed)
        before.restore(deliver)
        before.run_until(before.start(delivery, "tea", "done"))
        before.start(nap, 86_400.0, "timer")
        before.start(question, 30, "signal")
        before.advance(5 * MINUTES)
        before.fail(deliver, times=1)
        before.start(delivery, "milk", "retried")
        before.advance(timedelta(seconds=0.6))
        before.start(vigil, 200.0, "running")
        before.start(bulk, 300_000, "large")
        before.start(squares, 12, "parallel")
        before.when(before=measure).do(lambda: taken.append((*everything_in(before), before.now)))
        taken: list[tuple[Items, dict[str, bytes], datetime]] = []
        before.run_until(lambda: bool(taken))
        items, values, now = taken[0]
    stood = {one["pk"]["S"][2:]: one["stat"]["S"] for one in items if one["sk"]["S"] == META}
    assert stood == dict.fromkeys(UNDER_WAY, "RUNNING") | {"done": "SUCCEEDED", "failed": "FAILED"}
    made = make_cloud(start=now + timedelta(hours=2))
    restore(made, items, values)
    return made


def test_what_ran_goes_on_by_the_sweep_alone(cloud: MotoCloud) -> None:
    runs = {id: cloud.execution(id) for id in UNDER_WAY}
    cloud.advance(30 * MINUTES)
    assert min(cloud.invocations, key=lambda one: one.started_at).function == "sweeper"
    waiting = {"timer", "signal"}
    assert {id for id, run in runs.items() if run.status == "RUNNING"} == waiting
    assert (runs["retried"].result, runs["large"].result, runs["running"].result) == (
        "delivered fetched milk",
        300_000,
        200.0,
    )
    assert runs["parallel"].result == sum(number * number for number in range(12))
    # What was recorded is not done again.
    assert runs["retried"].calls(fetch) == runs["large"].calls(blow_up) == []


def test_timers_and_signals_are_waited_for_as_before(cloud: MotoCloud) -> None:
    timer, signal = cloud.execution("timer"), cloud.execution("signal")
    cloud.advance(timedelta(hours=20))
    assert (timer.status, signal.status) == ("RUNNING", "RUNNING")
    cloud.signal("signal", "answer", Answer(yes=True))
    assert cloud.run_until(signal).result == "delivered yes"
    cloud.advance(timedelta(hours=5))
    assert timer.result == "delivered fetched before"
    assert timer.calls(fetch) == []


def test_failures_are_resumed_without_their_dead_letters(cloud: MotoCloud) -> None:
    failed = cloud.execution("failed")
    assert cloud.dead_letters == []
    listed = cloud.request("GET", "/v1/dead-letters").json()
    assert "failed" in json.dumps(listed)
    cloud.resume("failed")
    assert cloud.run_until(lambda: failed.status == "SUCCEEDED") is not None
    assert failed.result == "delivered fetched mud"
    assert failed.calls(fetch) == []


def test_what_had_ended_stays_and_keys_of_that_time_work_again(cloud: MotoCloud) -> None:
    cloud.advance(timedelta(hours=1))
    assert cloud.execution("done").result == "delivered fetched tea"
    assert cloud.execution("done").steps == []
    names = [one.name for one in ApiKeys(resources.client("dynamodb"), TABLE).list()]
    assert names == ["MotoCloud", "MotoCloud"]
