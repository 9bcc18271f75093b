"""Forks, repairs, deletions, bulk jobs, watching, deploy checks and limited keys, under IAM."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from stepfast.backends.dynamodb.label_walk import WalkProgress
from stepfast.restriction import Restriction
from tests.e2e.conftest import Deployed, eventually
from tests.e2e.emulator import REGION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def post(deployed: Deployed, path: str, body: Any, status: int = 200) -> Any:
    answer = deployed.http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def failed(deployed: Deployed, id: str, workflow: str = "complain") -> None:
    assert deployed.start(workflow, "it", id).status_code == 201
    deployed.wait(id, "FAILED")


def job_done(deployed: Deployed, body: dict[str, Any]) -> dict[str, Any]:
    """A job that was started twice under one id, once it has ended."""
    post(deployed, "/v1/jobs", body, 201)
    post(deployed, "/v1/jobs", body, 200)
    path = f"/v1/jobs/{body['job_id']}"

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = deployed.http.get(path).raise_for_status().json()
        assert found["status"] != "FAILED", found
        return found if found["status"] in ("SUCCEEDED", "STOPPED") else None

    done: dict[str, Any] = eventually(ended, f"job {body['job_id']} to end")
    return done


def command_line(deployed: Deployed, *arguments: str, by_url: bool = True) -> subprocess.CompletedProcess[str]:
    """`stepfast` with the URL of the deployment, in the folder of its project."""
    environment = {
        **deployed.emulator.environment,
        "SSL_CERT_FILE": deployed.emulator.certificate,
        "STEPFAST_API_KEY": deployed.key(),
        "PROBES": str(deployed.world),
    }
    url = deployed.emulator.api_url(deployed.outputs)
    command = [str(Path(sys.executable).with_name("stepfast")), *(["--url", url] if by_url else []), *arguments]
    return subprocess.run(command, cwd=deployed.folder, env=environment, text=True, capture_output=True)


def test_a_fork_goes_on_from_the_failure_and_leaves_its_origin(deployed: Deployed) -> None:
    (deployed.world / "down").touch()
    failed(deployed, "op-origin", "break")
    (deployed.world / "down").unlink()
    before = deployed.http.get("/v1/executions/op-origin").json()
    made = post(deployed, "/v1/executions/op-origin/fork", {"execution_id": "op-fork"}, 201)
    assert made["forked_from"]["execution_id"] == "op-origin"
    post(deployed, "/v1/executions/op-origin/fork", {"execution_id": "op-fork"}, 200)
    assert deployed.wait("op-fork")["result"] == "it"
    assert deployed.attempts("counted", "op-fork") == 0
    assert deployed.http.get("/v1/executions/op-origin").json() == before


def test_a_fork_carries_over_a_value_of_the_bucket(deployed: Deployed) -> None:
    assert deployed.run("carry", 300, "op-carried")["status"] == "SUCCEEDED"
    body = {"execution_id": "op-carried-fork", "before": "size_of"}
    post(deployed, "/v1/executions/op-carried/fork", body, 201)
    assert deployed.wait("op-carried-fork")["result"] == 300 * 1024
    for id in ("op-carried", "op-carried-fork"):
        assert deployed.http.delete(f"/v1/executions/{id}").is_success
        assert deployed.http.get(f"/v1/executions/{id}").status_code == 404


def test_a_repaired_step_is_not_run_again(deployed: Deployed) -> None:
    failed(deployed, "op-repaired")
    path = "/v1/executions/op-repaired"
    post(deployed, f"{path}/commands/complained/repair", {"result": "by hand", "why": "a test"})
    if deployed.http.get(path).json()["status"] == "FAILED":
        post(deployed, f"{path}/resume", {})
    assert deployed.wait("op-repaired", "SUCCEEDED")["result"] == "by hand"


def test_jobs_resume_close_and_delete(deployed: Deployed) -> None:
    (deployed.world / "down").touch()
    ids = [f"op-job-{number}" for number in range(4)]
    for id in ids:
        assert deployed.start("break", "it", id).status_code == 201
    for id in ids:
        deployed.wait(id, "FAILED")
    closed = {"job_id": "op-close", "action": "close", "ids": [ids[0], "op-nobody"], "why": "a test"}
    done = job_done(deployed, closed)
    assert (done["status"], done["done"], done["skipped"], done["failed"]) == ("SUCCEEDED", 1, 1, 0)
    assert deployed.http.get(f"/v1/executions/{ids[0]}").json()["status"] == "CLOSED"
    (deployed.world / "down").unlink()
    chosen = {"prefix": "op-job-", "workflow": "break"}
    done = job_done(deployed, {"job_id": "op-resume", "action": "resume", "filter": chosen, "rate": 100})
    assert (done["done"], done["failed"]) == (3, 0)
    assert [deployed.wait(id, "SUCCEEDED", "FAILED")["status"] for id in ids[1:]] == ["SUCCEEDED"] * 3
    ended = {"prefix": "op-job-", "status": "SUCCEEDED"}
    done = job_done(deployed, {"job_id": "op-delete", "action": "delete", "filter": ended})
    assert (done["done"], done["failed"]) == (3, 0)
    assert [deployed.http.get(f"/v1/executions/{id}").status_code for id in ids[1:]] == [404] * 3


def test_jobs_pause_unpause_cancel_and_terminate(deployed: Deployed) -> None:
    ids = ["op-held-1", "op-held-2"]
    for id in ids:
        assert deployed.start("tidy", "tidied", id).status_code == 201
    for action, of, status in (
        ("pause", ids, "PAUSED"),
        ("unpause", ids, "RUNNING"),
        ("cancel", ids[:1], "CANCELLED"),
        ("terminate", ids[1:], "CANCELLED"),
    ):
        done = job_done(deployed, {"job_id": f"op-{action}", "action": action, "ids": of, "why": "a test"})
        assert (done["done"], done["failed"]) == (len(of), 0), (action, done)
        assert [deployed.wait(id, status)["status"] for id in of] == [status] * len(of)
    assert [deployed.attempts("counted", id) for id in ids] == [1, 0]


def test_what_code_shows_is_listed_and_watched(deployed: Deployed) -> None:
    path = "/v1/executions/op-shown"
    assert deployed.start("display", "blue", "op-shown").status_code == 201
    eventually(lambda: deployed.http.get(path).json()["labels"] == {"team": "blue"}, "the labels to be shown")

    def listed(label: str) -> list[str]:
        found = deployed.http.get("/v1/executions", params={"label": label}).raise_for_status().json()
        return [each["execution_id"] for each in found["executions"]]

    # As the sweep leaves it: from here on the index of labels is read, and nothing else.
    indexed = WalkProgress(0.0, over=True).item()
    deployed.emulator.client("dynamodb").put_item(TableName=deployed.outputs["TableName"], Item=indexed)
    eventually(lambda: listed("team:blue") == ["op-shown"], "the label to be found")
    first = deployed.http.get(f"{path}/events").raise_for_status().json()
    assert {"asking"} == {event["value"] for event in first["events"] if event["type"] == "status"}
    body = {"payload": "yes", "signal_id": "op-shown-answer"}
    assert deployed.http.post(f"{path}/signals/answered", json=body).is_success
    news, until = first, time.monotonic() + 120
    seen = list[dict[str, Any]]()
    while not news["ended"] and time.monotonic() < until:
        asked = {"after": news["after"], "wait": "20"}
        news = deployed.http.get(f"{path}/events", params=asked).raise_for_status().json()
        seen += news["events"]
    assert news["ended"]
    assert "answered" in [event["value"] for event in seen if event["type"] == "status"]
    eventually(lambda: listed("answer:yes") == ["op-shown"], "the changed labels to be found")


def test_verify_and_pull_read_the_deployment(deployed: Deployed, tmp_path: Path) -> None:
    assert deployed.start("ask", "verified", "op-verified").status_code == 201
    failed(deployed, "op-verified-failed")
    checked = command_line(deployed, "verify", "op-verified", "op-verified-failed", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    table = ("--table", deployed.outputs["TableName"], "--region", REGION)
    of_table = command_line(deployed, "verify", *table, "op-verified", "op-verified-failed", "--json", by_url=False)
    assert of_table.returncode == 0, of_table.stdout + of_table.stderr
    assert json.loads(of_table.stdout)["executions"] == json.loads(checked.stdout)["executions"] == 2
    file = tmp_path / "pulled.db"
    pulled = command_line(deployed, "pull", "op-verified-failed", "--output", str(file), "--json")
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    assert json.loads(pulled.stdout)["execution_ids"] == ["op-verified-failed"]
    assert file.stat().st_size > 0


def test_a_limited_key_sees_and_changes_what_it_is_for(deployed: Deployed) -> None:
    keys = ApiKeys(deployed.emulator.client("dynamodb"), deployed.outputs["TableName"])
    limits = Restriction(("complain",), {"team": "limited"})
    key = keys.create("limited", SCOPES, time.time(), None, limits)[1]
    for id, labels in (("op-mine", {"team": "limited"}), ("op-theirs", {"team": "others"})):
        body = {"input": "it", "execution_id": id, "labels": labels}
        assert deployed.http.post("/v1/workflows/complain/executions", json=body).status_code == 201
        deployed.wait(id, "FAILED")
    with deployed.emulator.http(deployed.outputs, key) as limited:

        def listed() -> list[str]:
            found = limited.get("/v1/executions").raise_for_status().json()["executions"]
            return [each["execution_id"] for each in found]

        eventually(lambda: listed() == ["op-mine"], "the listing to follow")
        assert limited.get("/v1/executions/op-mine").status_code == 200
        assert limited.get("/v1/executions/op-theirs").status_code == 404
        assert limited.post("/v1/executions/op-theirs/close", json={}).status_code == 404
        assert limited.post("/v1/executions/op-mine/close", json={"why": "a test"}).status_code == 200
        assert limited.post("/v1/workflows/count/executions", json={"input": "x"}).status_code in (403, 404)
    assert deployed.http.get("/v1/executions/op-theirs").json()["status"] == "FAILED"
