"""What must be there once the clients have stopped: everything that was promised, and no step twice."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.local.dev_process import STEPFAST
from tests.soak.load import Account, Promised
from tests.soak.workflows.soaking import RESULTS

Line = tuple[str, str, int, int, float]
"""Execution, step, generation, attempt, and when it began."""


def finish(http: httpx.Client, account: Account, patience: float) -> None:
    """Does what is left to do from outside, and waits for every execution that was promised to end."""
    left = {one.id: one for one in account.executions.values() if one.started}
    end = time.monotonic() + patience
    while left:
        for one in list(left.values()):
            status = http.get(f"/v1/executions/{one.id}", params={"commands": "false"}).json()["status"]
            if status in ("SUCCEEDED", "CANCELLED"):
                del left[one.id]
            else:
                _steer(http, one, status)
        if time.monotonic() > end:
            states = {id: http.get(f"/v1/executions/{id}").json() for id in list(left)[:3]}
            account.violate(f"{len(left)} executions are stuck, among them {json.dumps(states)}")
            return
        time.sleep(0.05)


def _steer(http: httpx.Client, one: Promised, status: str) -> None:
    path = f"/v1/executions/{one.id}"
    if status == "FAILED":
        answer = http.post(f"{path}/resume")
        one.generation = max(one.generation, answer.json().get("generation", 0))
    elif one.kind == "approval":
        for number in set(range(1, one.n + 1)) - one.signals:
            sent = {"payload": number, "signal_id": f"signal-{number}"}
            if http.post(f"{path}/signals/go", json=sent).status_code in (200, 202):
                one.signals.add(number)
    elif one.kind == "endless":
        one.cancelled = http.post(f"{path}/cancel").status_code == 200 or one.cancelled


def promises(http: httpx.Client, account: Account) -> int:
    """Checks each execution against what its client was told; returns how many promises there were."""
    for one in account.executions.values():
        if not one.started:
            continue
        answer = http.get(f"/v1/executions/{one.id}")
        if answer.status_code != 200:
            account.violate(f"{one.id} was promised and is gone: {answer.text}")
            continue
        found = answer.json()
        status = "CANCELLED" if one.kind == "endless" else "SUCCEEDED"
        if found["status"] != status:
            account.violate(f"{one.id} is {found['status']}, not {status}: {found['error']}")
        elif status == "SUCCEEDED" and found["result"] != RESULTS[one.kind](one.n):
            account.violate(f"{one.id} with {one.n} returned {found['result']}")
        if found["generation"] < one.generation:
            account.violate(f"{one.id} was resumed to {one.generation} and is at {found['generation']}")
        first, second = (http.get(f"/v1/executions/{one.id}/history").json() for _ in range(2))
        if first != second:
            account.violate(f"the history of {one.id} reads differently the second time")
        taken = Counter(event["signal_id"] for event in first["events"] if event["type"] == "signal-received")
        # One that was sent without an answer may be there, too; each is there once.
        if not {f"signal-{number}" for number in one.signals} <= taken.keys() or max(taken.values(), default=1) > 1:
            account.violate(f"{one.id} was sent the signals {one.signals} and has {dict(taken)}")
    return sum(one.count for one in account.executions.values())


def runs(http: httpx.Client, account: Account, trace: Path) -> int:
    """Checks that no step ran again once it was recorded; returns how many runs there were."""
    lines: list[Line] = [tuple(json.loads(line)) for line in trace.read_text().splitlines()] if trace.exists() else []
    for key, count in Counter(line[:4] for line in lines).items():
        if count > 1:
            account.violate(f"one attempt ran {count} times: {key}")
    last: dict[tuple[str, str], Line] = {}
    for line in lines:
        last[line[:2]] = max(line, last.get(line[:2], line), key=lambda one: one[4])
    for one in account.executions.values():
        if one.started:
            for command in http.get(f"/v1/executions/{one.id}").json().get("commands", ()):
                _check_run(account, one, command, last.get((one.id, command["id"])))
    return len(lines)


def _check_run(account: Account, one: Promised, command: dict[str, Any], last: Line | None) -> None:
    if command["kind"] != "step" or command["status"] not in ("SUCCEEDED", "FAILED"):
        return
    where = f"{command['id']} of {one.id}"
    if last is None:
        account.violate(f"{where} is recorded and never ran")
    elif last[2:4] != (command["generation"], command["attempt"]) and command["status"] == "SUCCEEDED":
        recorded = f"attempt {command['attempt']} of generation {command['generation']}"
        account.violate(f"{where} has the result of {recorded}, and then attempt {last[3]} of {last[2]} ran")


def verified(account: Account, folder: Path, workflows: Path) -> None:
    """`stepfast verify` on the file: its own code must reproduce every execution."""
    command = [STEPFAST, "verify", "--all", "--db", "dev.db", "--workflows", str(workflows)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        account.violate(f"verify exited with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
