"""Repairs over HTTP: ids of commands with slashes, the caller's name, the client and the command line."""

from __future__ import annotations

from asyncio import TaskGroup
from typing import Any

from stepfast import Retry, step, workflow
from stepfast.http.api import build
from stepfast.http.auth import GatewayAuth
from tests.http.serving import Api, event


@step(retry=Retry(max_attempts=1))
def settle(order: str) -> int:
    raise ValueError("no")


async def check(order: str) -> int:
    return await settle(order)


@workflow("nested")
async def nested(order: str) -> int:
    async with TaskGroup() as group:
        checked = group.create_task(check(order), name="check")
    return checked.result()


def test_the_id_of_a_command_may_have_slashes_and_the_history_names_the_key(serve: Any) -> None:
    api: Api = serve(nested)
    api.start("nested", "a")
    api.ends("FAILED")
    command = next(iter(api.get("/v1/executions/one")["reopens"]))
    assert "/" in command
    handle = build(api.runtime.operations, api.runtime.registry, api.runtime.call, GatewayAuth())
    sent = event("POST", f"/v1/executions/one/commands/{command}/repair", {"result": 3, "why": "by hand"})
    sent["requestContext"]["authorizer"] = {"lambda": {"scopes": "operate", "key": "on-call"}}
    answer = handle(sent, None)
    assert answer["statusCode"] == 200, answer["body"]
    assert api.ends()["result"] == 3
    (repaired,) = [each for each in api.get("/v1/executions/one/history")["events"] if each["type"] == "step-repaired"]
    assert (repaired["by"], repaired["why"]) == ("on-call", "by hand")
