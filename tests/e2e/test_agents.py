"""A durable agent on the deployed stack: tools at the same time, a process that dies, a person's approval, a resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Guarded, eventually
from tests.e2e.emulator import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
APPROVAL = "clerk.approve.refund"


def has_run(guarded: Guarded, tool: str) -> bool:
    commands = guarded.http.get("/v1/executions/clerk-1").raise_for_status().json()["commands"]
    return any(each["name"] == f"clerk.tool.{tool}" and each["status"] == "SUCCEEDED" for each in commands)


def test_an_agent_survives_what_happens_to_it(guarded: Guarded, tmp_path: Path) -> None:
    (tmp_path / "bank-closed").touch()
    attempts = {tool: tmp_path / f"{tool}.log" for tool in ("weigh", "price", "refund")}
    assert guarded.start("clerk", str(tmp_path), "clerk-1").status_code == 201
    eventually(lambda: has_run(guarded, "weigh"), "the first tool, which waits for the second to begin")

    # The process of the second tool has died. Its message comes back to its queue 43 seconds after it was received.
    eventually(lambda: has_run(guarded, "price"), "the tool whose process has died", seconds=2 * PATIENCE, pause=2)
    assert guarded.wait("clerk-1", "RUNNING")["result"] is None
    assert not attempts["refund"].exists()  # nobody has approved it
    approval = {"payload": {"approved": True, "arguments": {"cents": 500}}, "signal_id": "s-1"}
    assert guarded.http.post(f"/v1/executions/clerk-1/signals/{APPROVAL}", json=approval).is_success
    failed = guarded.wait("clerk-1")
    assert (failed["status"], failed["error"]["type"]) == ("FAILED", "ConnectionError")
    (tmp_path / "bank-closed").unlink()
    assert guarded.http.post("/v1/executions/clerk-1/resume").is_success
    done = guarded.wait("clerk-1", "SUCCEEDED")
    assert done["result"] == "3 kg; 9 euro; refunded 500"
    assert {tool: len(log.read_text().splitlines()) for tool, log in attempts.items()} == {
        "weigh": 1,
        "price": 2,
        "refund": 3,
    }
    requests = [each for each in done["commands"] if each["name"] == "clerk.model"]
    assert [each["attempt"] for each in requests] == [1, 1]
