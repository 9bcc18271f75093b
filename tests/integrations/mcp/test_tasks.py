"""The tasks extension, with the SDK's own hooks for extensions: an execution is the task."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict, Field

from stepfast import Client as StepfastClient
from tests.integrations.mcp.talking import Connections, Talk, text_of
from tests.waiting import until

pytestmark = pytest.mark.slow


class Created(Result):
    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = "task"
    task_id: str = Field(alias="taskId")
    status: str
    poll_interval_ms: int = Field(alias="pollIntervalMs")
    ttl_ms: int | None = Field(alias="ttlMs")


class TaskParams(RequestParams):
    task_id: str = Field(serialization_alias="taskId")


class UpdateParams(TaskParams):
    input_responses: dict[str, Any] = Field({}, serialization_alias="inputResponses")


class TaskRequest(Request[TaskParams, str]):
    method: str
    params: TaskParams


class Task(Result):
    model_config = ConfigDict(extra="allow")
    status: str
    status_message: str = Field(alias="statusMessage")
    result: dict[str, Any] | None = None


class Empty(Result):
    result_type: str


created: list[Created] = []


async def ask(session: Any, method: str, task_id: str, shape: type[Any] = Task) -> Any:
    kind = UpdateParams if method == "tasks/update" else TaskParams
    return await session.send_request(TaskRequest(method=method, params=kind(task_id=task_id)), shape)


async def poll(handle: Created, context: ClaimContext) -> CallToolResult:
    created.append(handle)
    while (task := await ask(context.session, "tasks/get", handle.task_id)).status == "working":
        await asyncio.sleep(0.02)
    if task.status == "cancelled":
        return CallToolResult(content=[], is_error=True)
    assert task.status == "completed"
    return CallToolResult.model_validate(task.result)


class Tasks(ClientExtension):
    identifier = "io.modelcontextprotocol/tasks"

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=poll)]


EXTENSIONS = (Tasks(),)


@pytest.fixture(params=["stdio", "http"])
def modern(request: pytest.FixtureRequest, connections: Connections) -> Talk:
    created.clear()
    return Talk(request.param, "auto", connections)


def test_a_start_is_a_task_that_ends_with_the_result(modern: Talk) -> None:
    async def scenario(client: Client) -> tuple[Any, Any]:
        greeted = await client.call_tool(
            "greeting", {"input": {"name": "Ada"}, "execution_id": f"t-{modern.transport}"}
        )
        return greeted, await client.call_tool("billing_charge", {"input": 5})

    greeted, failed = modern(scenario, extensions=EXTENSIONS)
    assert greeted.structured_content["result"] == "Hello Ada"
    first, second = created
    assert (first.task_id, first.status, first.ttl_ms) == (f"t-{modern.transport}", "working", None)
    assert 1000 <= first.poll_interval_ms <= 30_000
    assert failed.is_error
    assert "FAILED in step 'charge'" in text_of(failed)
    assert failed.structured_content["execution_id"] == second.task_id


def test_a_task_that_waits_for_a_signal_says_so(modern: Talk, url: str) -> None:
    id = f"wait-{modern.transport}"

    async def scenario(client: Client) -> tuple[Any, Any]:
        waits = asyncio.create_task(client.call_tool("approval", {"execution_id": id}))
        while not created:
            await asyncio.sleep(0.01)
        shown = await ask(client.session, "tasks/get", id)
        assert (await ask(client.session, "tasks/update", id, Empty)).result_type == "complete"
        with pytest.raises(MCPError, match="only with `stepfast mcp --operate`: this execution goes on"):
            await ask(client.session, "tasks/cancel", id, Empty)
        await asyncio.to_thread(decide)
        return shown, await waits

    def decide() -> None:
        with StepfastClient(url) as stepfast:
            stepfast.execution(id).signal("decision", True)

    shown, ended = modern(scenario, extensions=EXTENSIONS)
    assert shown.status == "working"
    assert "waits for signal 'decision'" in shown.status_message
    assert ended.structured_content["result"] == "approved"


def test_an_operator_cancels_a_task(modern: Talk, url: str) -> None:
    id = f"cancel-{modern.transport}"

    async def scenario(client: Client) -> Any:
        waits = asyncio.create_task(client.call_tool("approval", {"execution_id": id}))
        while not created:
            await asyncio.sleep(0.01)
        await ask(client.session, "tasks/cancel", id, Empty)
        return await waits

    assert modern(scenario, "--operate", extensions=EXTENSIONS).is_error
    with StepfastClient(url) as stepfast:
        assert until(lambda: stepfast.execution(id).status()) == "CANCELLED"


def test_an_explicit_wait_is_answered_directly(modern: Talk) -> None:
    async def scenario(client: Client) -> Any:
        return await client.call_tool("greeting", {"input": {"name": "Ada"}, "wait_seconds": 60})

    assert modern(scenario, extensions=EXTENSIONS).structured_content["result"] == "Hello Ada"
    assert not created


def test_an_unknown_task_and_a_client_without_the_extension(modern: Talk) -> None:
    async def unknown(client: Client) -> None:
        for method in ("tasks/get", "tasks/update"):
            with pytest.raises(MCPError) as caught:
                await ask(client.session, method, "nix")
            assert caught.value.code == -32602
            assert "no execution has the id 'nix'" in caught.value.message

    async def without(client: Client) -> None:
        with pytest.raises(MCPError) as caught:
            await ask(client.session, "tasks/get", "nix")
        assert caught.value.code == -32021
        assert caught.value.data == {"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}

    modern(unknown, extensions=EXTENSIONS)
    modern(without)
