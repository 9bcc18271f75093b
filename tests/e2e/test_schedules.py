"""Schedules of the deployed stack, under IAM: what the API and the timer function may read, write, send and cancel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def act(deployed: Deployed, action: str, body: Any = None) -> Any:
    answer = deployed.http.post(f"/v1/schedules/probed/{action}", json=body if body is not None else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


def cancel(deployed: Deployed, id: str) -> None:
    assert deployed.http.post(f"/v1/executions/{id}/cancel").is_success


def test_it_is_shown_and_paused_in_the_table(deployed: Deployed) -> None:
    (shown,) = deployed.http.get("/v1/schedules").raise_for_status().json()["schedules"]
    assert (shown["name"], shown["workflow"], shown["timezone"], shown["next"]) == (
        "probed",
        "held",
        "Europe/Berlin",
        [],
    )
    paused = deployed.http.post("/v1/schedules/probed/pause", json={"why": "x"}).json()["paused"]
    assert (paused["by"], paused["why"]) == ("tests", "x")
    assert deployed.http.post("/v1/schedules/probed/unpause").json()["paused"] is None


def test_the_timer_function_starts_what_waits_and_what_is_backfilled(deployed: Deployed) -> None:
    assert act(deployed, "trigger", {"execution_id": "held-1"})["outcome"] == "started"
    assert act(deployed, "trigger", {"execution_id": "held-2"})["outcome"] == "waiting"
    cancel(deployed, "held-1")
    deployed.wait("held-1", "CANCELLED")
    eventually(lambda: deployed.http.get("/v1/executions/held-2").is_success, "the line to be looked at")
    runs = act(deployed, "backfill", {"from": "2026-10-01T00:00:00Z", "to": "2026-10-01T02:00:00Z"})["runs"]
    assert [run["outcome"] for run in runs] == ["waiting", "waiting"]
    cancel(deployed, "held-2")
    for run in runs:
        id = run["execution_id"]
        eventually(lambda id=id: deployed.http.get(f"/v1/executions/{id}").is_success, f"{id} to be started")
        cancel(deployed, id)


def test_a_moment_of_the_clock_replaces_the_earlier_one(deployed: Deployed) -> None:
    """Scheduler's own message, sent in its place: the emulator would have it come at the full hour only."""
    sqs = deployed.emulator.client("sqs")
    (timer,) = (url for url in sqs.list_queues()["QueueUrls"] if "probes-QueuesTimer" in url)
    for hour in (3, 4):
        start = {"workflow": "held", "labels": {"schedule": "replacing"}}
        message = {"start": start, "schedule": "replacing", "scheduled": f"2026-11-01T0{hour}:00:00Z"}
        sqs.send_message(QueueUrl=timer, MessageBody=json.dumps({**message, "overlap": "replace"}))
        id = f"replacing-2026-11-01T0{hour}0000Z"
        eventually(lambda id=id: deployed.http.get(f"/v1/executions/{id}").is_success, f"{id} to be started")
    deployed.wait("replacing-2026-11-01T030000Z", "CANCELLED")
    cancel(deployed, "replacing-2026-11-01T040000Z")
