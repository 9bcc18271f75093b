"""Pause, unpause, close, reopen, cancel and terminate over HTTP: bodies may be left out, and the caller is named."""

from __future__ import annotations

from typing import Any

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.http.api import build
from stepfast.http.auth import GatewayAuth
from tests.http.serving import Api, event


@step(retry=Retry(max_attempts=1))
def settle(order: str) -> int:
    raise ValueError("no")


@workflow("fails")
async def fails(order: str) -> int:
    return await settle(order)


@workflow("waits")
async def waits(order: str) -> str:
    return await signal("go", str)


@pytest.fixture
def api(serve: Any) -> Api:
    made: Api = serve(fails, waits)
    return made


@pytest.mark.parametrize(
    ("flow", "actions", "status"),
    [
        ("waits", ["pause", "pause"], "PAUSED"),
        ("waits", ["pause", "unpause", "unpause"], "RUNNING"),
        ("waits", ["pause", "cancel"], "CANCELLED"),
        ("waits", ["terminate"], "CANCELLED"),
        ("fails", ["close", "close"], "CLOSED"),
        ("fails", ["close", "reopen", "reopen"], "FAILED"),
    ],
)
def test_each_route_answers_with_the_execution(api: Api, flow: str, actions: list[str], status: str) -> None:
    api.start(flow, "a")
    if flow == "fails":
        api.ends("FAILED")
    for action in actions:
        answer = api.ask("POST", f"/v1/executions/one/{action}").body
    assert answer["status"] == status
    assert answer["intervention"]["action"] == actions[-1]


def test_the_history_names_the_key_and_the_reason(api: Api) -> None:
    api.start("waits", "a")
    handle = build(api.runtime.operations, api.runtime.registry, api.runtime.call, GatewayAuth())
    for action in ("pause", "unpause", "terminate"):
        sent = event("POST", f"/v1/executions/one/{action}", {"why": f"to {action}"})
        sent["requestContext"]["authorizer"] = {"lambda": {"scopes": "operate", "key": "on-call"}}
        answer = handle(sent, None)
        assert answer["statusCode"] == 200, answer["body"]
    events = [each for each in api.get("/v1/executions/one/history")["events"] if "by" in each]
    assert [(each["type"], each["by"], each["why"]) for each in events] == [
        ("execution-paused", "on-call", "to pause"),
        ("execution-unpaused", "on-call", "to unpause"),
        ("execution-cancelled", "on-call", "to terminate"),
    ]


def test_what_the_status_does_not_allow_is_a_conflict_that_names_it(api: Api) -> None:
    api.start("fails", "a")
    api.ends("FAILED")
    for action in ("pause", "unpause", "cancel", "terminate"):
        refused = api.ask("POST", f"/v1/executions/one/{action}")
        assert (refused.status, refused.body["execution_status"]) == (409, "FAILED")
