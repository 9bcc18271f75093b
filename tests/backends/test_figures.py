"""What is particular to the figures on DynamoDB: they expire, are spread over shards, and never stop an end."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from stepfast.engine.metrics import Tally
from stepfast.engine.ports import End
from stepfast.model import Execution
from tests.backends.cloud import TABLE, Cloud, make_client, shared_client

ONE = Execution("one", "w", "null", 1000.0)
DONE = replace(ONE, status="SUCCEEDED", result="1", ended_at=7205.0)
TALLIES = {"SUCCEEDED": Tally(1), "step:pay": Tally(1, succeeded=1, seconds=0.5)}


class Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def items() -> list[dict[str, Any]]:
    found = shared_client("dynamodb").scan(TableName=TABLE)["Items"]
    return [one for one in found if one["pk"]["S"].startswith("f#")]


def test_figures_expire_after_ninety_days_and_one(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    cloud.run(cloud.store.finish(End(DONE, TALLIES)))
    [item] = items()
    assert item["expires"] == {"N": str(3 * 3600 + 91 * 86400)}
    assert item["SUCCEEDED|n"] == {"N": "1"}


def test_figures_are_spread_over_shards_and_wake_nobody(cloud: Cloud) -> None:
    for number in range(20):
        one = replace(ONE, execution_id=f"x{number}")
        cloud.run(cloud.store.create(one))
        cloud.woken.clear()
        cloud.run(cloud.store.finish(End(replace(DONE, execution_id=f"x{number}"), TALLIES)))
        assert cloud.woken == []
    assert {one["pk"]["S"] for one in items()} == {"f#w#0", "f#w#1"}
    assert cloud.run(cloud.store.figures("w", 0, 9))[2]["SUCCEEDED"] == Tally(20)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ProvisionedThroughputExceededException"])
def test_an_end_stands_where_it_cannot_be_counted(cloud: Cloud, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """As when the code was deployed before its role, or the partition is throttled for long."""
    client = make_client("dynamodb", retries={"mode": "standard", "total_max_attempts": 1})

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if b'"f#w' not in request.body:
            return None
        return AWSResponse(request.url, 400, {}, Body(json.dumps({"__type": code, "message": "no"}).encode()))

    client.meta.events.register_first("before-send", refuse)
    cloud.run(cloud.store.create(ONE))
    assert cloud.run(cloud.make_store(client).finish(End(DONE, TALLIES)))
    assert cloud.run(cloud.store.read("one")) == DONE
    assert "execution one is not in the figures" in caplog.text
