"""What functions write down about executions, and what never."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MARK = "never-to-be-written-down"


def lines(deployed: Deployed) -> Iterator[str]:
    """Every line of every log group of the emulator."""
    logs = deployed.emulator.client("logs")
    for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
        for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
            found = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
            yield from (event["message"] for event in found["events"])


def test_nothing_of_what_executions_work_on_is_in_the_logs(deployed: Deployed) -> None:
    assert deployed.run("count", MARK, "logs-1")["result"] == MARK
    deployed.start("ask", MARK, "logs-2")
    answer = {"payload": MARK, "signal_id": "s-1"}
    assert deployed.http.post("/v1/executions/logs-2/signals/answered", json=answer).is_success
    assert deployed.wait("logs-2")["status"] == "SUCCEEDED"
    assert deployed.start("count", {"wrong": MARK}, "logs-3").status_code == 422
    assert deployed.run("complain", MARK, "logs-4")["status"] == "FAILED"
    written = eventually(lambda: [one for one in lines(deployed) if "logs-4" in one], "log lines of the execution")
    assert any(json.loads(one).get("execution_id") == "logs-4" for one in written if one.startswith("{"))
    assert not [one for one in lines(deployed) if MARK in one]
