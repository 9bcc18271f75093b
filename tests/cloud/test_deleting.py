"""Deletion on the played AWS: what was sent and scheduled for a deleted execution does nothing to its successor."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from stepfast import workflow
from stepfast.simulator import resources
from stepfast.testing import MotoCloud
from tests.cloud.conftest import MakeCloud
from tests.cloud.flows import OUTAGE, deliver, delivery, fetch

LATER, DAY = timedelta(minutes=10), timedelta(days=1)


@workflow("sleeper")
async def sleeper(seconds: int) -> str:
    await asyncio.sleep(seconds)
    return "awake"


def delete(cloud: MotoCloud, id: str, status: int = 200) -> Any:
    answer = cloud.request("DELETE", f"/v1/executions/{id}")
    assert answer.status == status, answer
    return answer


def items(id: str) -> list[str]:
    found = resources.client("dynamodb").scan(TableName="stepfast", ConsistentRead=True)["Items"]
    return sorted(one["sk"]["S"] for one in found if one["pk"]["S"] == f"x#{id}")


def test_the_dead_letter_of_a_deleted_execution_is_redriven_to_no_effect(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=None)
    cloud.run(delivery, "tea", "mine")
    cloud.advance(LATER)
    delete(cloud, "mine")
    assert items("mine") == ["meta"]  # its tombstone
    delete(cloud, "mine", 404)
    cloud.restore(deliver)
    cloud.redrive()
    cloud.advance(LATER)
    assert (cloud.dead_letters, cloud.messages("park"), items("mine")) == ([], [], ["meta"])
    assert cloud.request("GET", "/v1/executions/mine").status == 404


def test_the_dead_letter_of_a_deleted_execution_does_not_resume_its_successor(cloud: MotoCloud) -> None:
    assert OUTAGE.max_attempts is not None
    cloud.fail(deliver, times=2 * OUTAGE.max_attempts)
    cloud.run(delivery, "tea", "mine")
    cloud.advance(LATER)
    delete(cloud, "mine")
    run = cloud.run(delivery, "coffee", "mine")
    assert run.status == "FAILED"
    held = [one["generation"] for one in cloud.dead_letters]
    cloud.redrive()
    cloud.advance(LATER)
    assert held == [0]
    assert run.status == "FAILED"  # the letter that was redriven is the other's; its own lies among the dead again
    assert [one["generation"] for one in cloud.dead_letters] == [1]
    cloud.redrive()
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert len(run.calls(fetch)) == 2  # one of each


@pytest.fixture
def sleeping(make_cloud: MakeCloud) -> MotoCloud:
    return make_cloud(sleeper)


def test_the_timer_of_a_deleted_execution_does_not_wake_its_successor(sleeping: MotoCloud) -> None:
    sleeping.start(sleeper, 86_400, "nap")
    sleeping.advance(timedelta(hours=12))
    sleeping.cancel("nap")
    delete(sleeping, "nap")
    begun = sleeping.now
    run = sleeping.start(sleeper, 86_400, "nap")
    sleeping.advance(timedelta(hours=13))  # the timer of the first has come
    assert run.status == "RUNNING"
    assert sleeping.run_until(run).status == "SUCCEEDED"
    assert sleeping.now - begun >= DAY


def test_a_running_execution_is_not_deleted(sleeping: MotoCloud) -> None:
    run = sleeping.start(sleeper, 60, "nap")
    assert "cancel it first" in str(delete(sleeping, "nap", 409).body)
    assert sleeping.run_until(run).status == "SUCCEEDED"


def test_a_failed_execution_outlives_the_retention_and_is_resumed(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(delivery)
    cloud.fail(deliver, times=OUTAGE.max_attempts)
    run = cloud.run(delivery, "tea", "mine")
    cloud.advance(timedelta(days=120))  # the retention is 90 days
    assert run.status == "FAILED"
    cloud.resume(run)
    assert cloud.run_until(run).status == "SUCCEEDED"
    cloud.advance(timedelta(days=120))
    assert items("mine") == []
