"""A table that version 0.1 wrote, with executions in every state: today's functions go on with each of them."""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stepfast.simulator import resources
from stepfast.simulator.provision import BUCKET, TABLE
from stepfast.testing import MotoCloud
from tests.upgrade import table_flows as flows

KEPT: Mapping[str, Any] = json.loads(Path(__file__).with_name("table-1.json").read_text())
"""Written by tests/upgrade/write_table.py with the code of version 0.1."""
RESULTS = {
    "done": flows.LARGE,
    "failed": 4,
    "failed-again": 6,
    "waits": f"yes {flows.LARGE}",
    "sleeps": 8,
    "just-started": 18,
    "retries": 10,
    "blocked": 12,
    "many": [14, 7, 7, 16],
    "compensates": "yes",
}
RECORDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often `double` has run with each number."""
    counter = Counter[int]()
    right = flows.double.function

    async def double(number: int) -> int:
        counter[number] += 1
        return int(await right(number))

    monkeypatch.setattr(flows.double, "function", double)
    return counter


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoCloud]:
    """Today's deployment an hour later, with table, bucket and pool queue as version 0.1 left them."""
    monkeypatch.setattr(flows, "mended", True)
    later = datetime.fromisoformat(KEPT["at"]) + timedelta(hours=1)
    with MotoCloud(*flows.ALL, start=later) as cloud:
        dynamodb, s3, sqs = (resources.client(service) for service in ("dynamodb", "s3", "sqs"))
        for item in KEPT["items"]:
            order = {"order": {"B": base64.b64decode(item["order"]["B"])}} if "order" in item else {}
            dynamodb.put_item(TableName=TABLE, Item={**item, **order})
        for name, value in KEPT["values"].items():
            s3.put_object(Bucket=BUCKET, Key=name, Body=zlib.decompress(base64.b64decode(value)))
        url = sqs.get_queue_url(QueueName="stepfast-pool-default")["QueueUrl"]
        for body in KEPT["messages"]["stepfast-pool-default"]:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        yield cloud


def stored() -> dict[tuple[str, str], Any]:
    answer = resources.client("dynamodb").scan(TableName=TABLE)
    assert "LastEvaluatedKey" not in answer
    return {key(item): item for item in answer["Items"]}


def test_the_table_has_an_execution_in_every_state() -> None:
    metas = {item["pk"]["S"][2:]: item["stat"]["S"] for item in KEPT["items"] if item["sk"]["S"] == "meta"}
    assert metas.keys() == RESULTS.keys() | {"cancelled"}
    assert set(metas.values()) == {"RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"}
    records = {item["stat"]["S"] for item in KEPT["items"] if item["sk"]["S"].startswith("c#")}
    assert records == {"RUNNING", "RETRYING", *RECORDED}
    sorts = {item["sk"]["S"][:2] for item in KEPT["items"]}
    assert {"c#", "cu", "me", "s#", "z#"} <= sorts  # with a cursor, a signal that came early, and a history


def test_every_execution_of_an_old_table_goes_on_to_its_end(cloud: MotoCloud, ran: Counter[int]) -> None:
    assert cloud.execution("done").result == RESULTS["done"]
    for id in ("failed", "failed-again", "many"):
        assert cloud.execution(id).status == "FAILED"
        cloud.resume(id)
    for id in ("waits", "compensates"):
        cloud.signal(id, "go", "yes")
    cloud.advance(timedelta(hours=2))

    assert {id: cloud.execution(id).result for id in RESULTS} == RESULTS
    assert {cloud.execution(id).status for id in RESULTS} == {"SUCCEEDED"}
    assert cloud.execution("cancelled").status == "CANCELLED"
    assert ran == {4: 1, 9: 1}  # of those that had not slept yet; what was recorded never runs again


def test_what_was_recorded_in_an_old_table_stays_as_it_was(cloud: MotoCloud) -> None:
    for id in ("waits", "compensates"):
        cloud.signal(id, "go", "yes")
    cloud.advance(timedelta(hours=2))
    now = stored()
    for item in KEPT["items"]:
        if (item["sk"]["S"].startswith("c#") and item["stat"]["S"] in RECORDED) or item["sk"]["S"].startswith("z#"):
            assert now[key(item)] == item
