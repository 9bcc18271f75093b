"""Queries and updates under IAM: the function of the API runs the code of the workflows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PURSE = "/v1/executions/purse-1"


def changed(deployed: Deployed, amount: int, update_id: str, status: int = 200) -> Any:
    body = {"payload": amount, "update_id": update_id, "wait": 20, "start": {"workflow": "purse", "input": 5}}
    answer = deployed.http.post(f"{PURSE}/updates/change", json=body)
    while answer.status_code == 202:
        answer = deployed.http.get(f"{PURSE}/updates/{update_id}", params={"wait": 20})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_updates_are_answered_once_and_start_what_is_not_there(deployed: Deployed) -> None:
    for _ in range(2):
        assert changed(deployed, 2, "first")["result"] == 7
    assert changed(deployed, -8, "wrong", 409)["detail"] == "there are only 7"
    assert deployed.http.post(f"{PURSE}/queries/money", json={}).json() == {"answer": 7}
    handlers = deployed.http.get(f"{PURSE}/handlers").json()
    assert (handlers["queries"], handlers["updates"]) == (["money"], ["change"])
    assert handlers["schemas"]["updates"]["change"]["payload_schema"]["type"] == "integer"
    assert changed(deployed, -7, "last")["result"] == 0
    assert deployed.wait("purse-1")["result"] == 0
    assert deployed.http.post(f"{PURSE}/queries/money", json={}).json() == {"answer": 0}
