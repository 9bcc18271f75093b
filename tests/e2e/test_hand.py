"""What operators do to executions, and how starts are turned into others, under IAM."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.e2e.conftest import Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def act(deployed: Deployed, id: str, action: str, status: int = 200) -> dict[str, object]:
    body = {} if action == "resume" else {"why": "a test"}
    answer = deployed.http.post(f"/v1/executions/{id}/{action}", json=body)
    assert answer.status_code == status, answer.text
    shown: dict[str, object] = answer.json()
    return shown


def answered(deployed: Deployed, id: str) -> None:
    body = {"payload": "yes", "signal_id": f"answer-{id}"}
    assert deployed.http.post(f"/v1/executions/{id}/signals/answered", json=body).is_success


def turned(deployed: Deployed, workflow: str, input: str, id: str) -> dict[str, object]:
    answer = deployed.start(workflow, input, id)
    assert answer.is_success, answer.text
    shown: dict[str, object] = answer.json()
    return shown


def test_a_paused_one_goes_on_where_it_was(deployed: Deployed) -> None:
    deployed.start("ask", "paused", "hand-paused")
    assert act(deployed, "hand-paused", "pause")["status"] == "PAUSED"
    answered(deployed, "hand-paused")
    listed = deployed.http.get("/v1/executions", params={"status": "PAUSED"}).json()["executions"]
    assert [one["execution_id"] for one in listed] == ["hand-paused"]
    assert deployed.attempts("counted", "hand-paused") == 0
    act(deployed, "hand-paused", "unpause")
    assert deployed.wait("hand-paused")["result"] == "paused yes"


def test_what_starts_of_a_paused_workflow_is_held_until_it_is_unpaused(deployed: Deployed) -> None:
    deployed.start("ask", "begun", "hand-begun")
    paused = deployed.http.post("/v1/workflows/ask/pause", json={"why": "a test"})
    assert paused.is_success, paused.text
    numbers = itertools.count()

    def held() -> str | None:
        """One that is held: a function goes by what it has read for some seconds, so the first may begin."""
        id = f"hand-held-{next(numbers)}"
        deployed.start("ask", "held", id)
        time.sleep(1.0)
        shown = deployed.http.get(f"/v1/executions/{id}").raise_for_status().json()
        return id if (shown["status"], (shown["intervention"] or {}).get("action")) == ("PAUSED", "hold") else None

    id = eventually(held, "a start to be held")
    answered(deployed, "hand-begun")
    assert deployed.wait("hand-begun")["result"] == "begun yes"
    unpaused = deployed.http.post("/v1/workflows/ask/unpause", json={})
    assert unpaused.is_success, unpaused.text
    answered(deployed, id)
    assert deployed.wait(id)["result"] == "held yes"
    assert deployed.wait(unpaused.json()["job_id"])["status"] == "SUCCEEDED"


def test_a_closed_one_is_resumed_once_it_is_reopened(deployed: Deployed) -> None:
    deployed.start("complain", "it", "hand-closed")
    deployed.wait("hand-closed", "FAILED")
    assert act(deployed, "hand-closed", "close")["status"] == "CLOSED"
    act(deployed, "hand-closed", "resume", 409)
    assert act(deployed, "hand-closed", "reopen")["status"] == "FAILED"


def test_a_cancel_lets_it_clean_up_and_a_terminate_does_not(deployed: Deployed) -> None:
    for id in ("hand-cancelled", "hand-terminated"):
        deployed.start("tidy", "tidied", id)
        deployed.wait(id, "RUNNING")
    act(deployed, "hand-cancelled", "cancel")
    act(deployed, "hand-terminated", "terminate")
    ended = [deployed.wait(id)["status"] for id in ("hand-cancelled", "hand-terminated")]
    assert ended == ["CANCELLED", "CANCELLED"]
    assert [deployed.attempts("counted", id) for id in ("hand-cancelled", "hand-terminated")] == [1, 0]


def test_one_at_a_time_runs_for_a_key(deployed: Deployed) -> None:
    assert turned(deployed, "solo", "a1", "solo-1")["turned_into"] == "started"
    assert turned(deployed, "solo", "a2", "solo-2")["turned_into"] == "waiting"
    assert turned(deployed, "solo", "b1", "solo-3")["turned_into"] == "started"
    for id in ("solo-1", "solo-2"):
        answered(deployed, id)
    assert [deployed.wait(id)["result"] for id in ("solo-1", "solo-2")] == ["a1 yes", "a2 yes"]
    assert turned(deployed, "sole", "a1", "sole-1")["turned_into"] == "started"
    skipped = turned(deployed, "sole", "a2", "sole-2")
    assert (skipped["turned_into"], skipped["execution_id"]) == ("skipped", "sole-1")


def test_executions_begin_at_their_rate(deployed: Deployed) -> None:
    into = [turned(deployed, "steady", "x", f"steady-{number}")["turned_into"] for number in range(3)]
    assert into[0] == "started"
    assert "waiting" in into
    assert [deployed.wait(f"steady-{number}")["result"] for number in range(3)] == ["x"] * 3
