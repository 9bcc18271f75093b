"""Workflows as tools: started, awaited, come back to; over both transports, with the SDK's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp import Client, MCPError

from stepfast import Client as StepfastClient
from tests.http.serving import Api
from tests.integrations.mcp.talking import Connections, Talk, text_of
from tests.integrations.mcp.workflows import paid
from tests.waiting import until

pytestmark = pytest.mark.slow

ADA = {"input": {"name": "Ada"}, "wait_seconds": 60}
OPERATOR_TOOLS = {
    *("stepfast_list", "stepfast_show", "stepfast_resume", "stepfast_fork", "stepfast_signal"),
    *("stepfast_query", "stepfast_update", "stepfast_pause_workflow", "stepfast_unpause_workflow"),
}


@pytest.mark.parametrize(
    ("transport", "mode", "revision"),
    [
        ("stdio", "legacy", "2025-11-25"),
        ("stdio", "auto", "2026-07-28"),
        ("http", "legacy", "2025-11-25"),
        ("http", "auto", "2026-07-28"),
    ],
)
def test_every_transport_and_revision_lists_starts_and_comes_back(
    connections: Connections, url: str, transport: str, mode: str, revision: str
) -> None:
    async def scenario(client: Client) -> None:
        assert client.protocol_version == revision
        extensions = client.server_capabilities.extensions or {}
        assert ("io.modelcontextprotocol/tasks" in extensions) == (revision == "2026-07-28")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"greeting", "billing_charge", "approval", "stepfast_execution"}
        greeted = await client.call_tool("greeting", ADA)
        assert not greeted.is_error, text_of(greeted)
        assert (greeted.structured_content["status"], greeted.structured_content["result"]) == (
            "SUCCEEDED",
            "Hello Ada",
        )
        waiting = (await client.call_tool("approval", {"wait_seconds": 0})).structured_content
        assert waiting["status"] == "RUNNING"
        with StepfastClient(url) as stepfast:
            stepfast.execution(waiting["execution_id"]).signal("decision", True)
        again = {"execution_id": waiting["execution_id"], "wait_seconds": 60}
        assert (await client.call_tool("stepfast_execution", again)).structured_content["result"] == "approved"

    Talk(transport, mode, connections)(scenario)


def test_a_tool_has_the_docstring_and_the_schema_of_its_workflow(talk: Talk) -> None:
    async def scenario(client: Client) -> dict[str, Any]:
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    tools = talk(scenario)
    greeting = tools["greeting"]
    assert greeting.description.startswith(
        "Greets a person.\n\nThe friends of the person are greeted in another workflow.\n"
    )
    assert greeting.input_schema["required"] == ["input"]
    assert greeting.input_schema["properties"]["input"] == {"$ref": "#/$defs/Person"}
    assert greeting.input_schema["$defs"]["Person"]["required"] == ["name"]
    assert tools["billing_charge"].title == "billing.charge"
    assert tools["billing_charge"].input_schema["properties"]["input"] == {"type": "integer"}
    assert set(tools["approval"].input_schema["properties"]) == {"execution_id", "wait_seconds"}


def test_a_failure_is_a_tool_error_that_names_the_step(talk: Talk) -> None:
    async def scenario(client: Client) -> tuple[Any, Any]:
        failed = await client.call_tool("billing_charge", {"input": 500, "wait_seconds": 60})
        id = failed.structured_content["execution_id"]
        return failed, await client.call_tool("stepfast_execution", {"execution_id": id})

    failed, shown = talk(scenario)
    assert failed.is_error
    assert failed.structured_content["error"] == {
        "type": "ConnectionError",
        "message": "the bank is closed",
        "step": "charge",
    }
    id = failed.structured_content["execution_id"]
    assert "has FAILED in step 'charge': ConnectionError: the bank is closed; once" in text_of(failed)
    assert f"stepfast resume {id}" in text_of(failed)
    assert not shown.is_error, "to look at a failure is no failure"
    assert shown.structured_content == failed.structured_content


def test_a_wait_for_a_signal_is_shown_with_its_payload(talk: Talk) -> None:
    async def scenario(client: Client) -> Any:
        started = await client.call_tool("approval", {"wait_seconds": 0.05})
        return await client.call_tool(
            "stepfast_execution", {"execution_id": started.structured_content["execution_id"]}
        )

    state = talk(scenario).structured_content
    assert state["status"] == "RUNNING"
    assert state["waiting_for"] == [
        {"kind": "signal", "name": "decision", "status": "OPEN", "payload_schema": {"type": "boolean"}}
    ]
    assert "waits for signal 'decision'" in state["summary"]
    assert "an operator sends the signal" in state["summary"]


def test_the_same_execution_id_finds_the_execution(talk: Talk, api: Api) -> None:
    id = f"ada-{talk.transport}"

    async def scenario(client: Client) -> list[Any]:
        calls = [client.call_tool("greeting", {**ADA, "execution_id": id}) for _ in range(2)]
        other = client.call_tool("greeting", {"input": {"name": "Bob"}, "execution_id": id})
        return [await call for call in (*calls, other)]

    first, second, other = talk(scenario)
    assert first.structured_content == second.structured_content
    assert first.structured_content["execution_id"] == id
    assert other.is_error
    assert "choose another id, or repeat the call exactly" in text_of(other)
    assert len(api.get("/v1/executions", query=f"prefix={id}")["executions"]) == 1


def test_each_call_without_an_id_starts_an_execution(talk: Talk) -> None:
    async def scenario(client: Client) -> set[str]:
        return {(await client.call_tool("greeting", ADA)).structured_content["execution_id"] for _ in range(3)}

    assert len(talk(scenario)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": {"name": 5}}, "workflow 'greeting': input: name: Input should be a valid string"),
        ({"name": "Ada"}, "- name: no such argument; the input of a workflow goes into `input`"),
        ({"input": {"name": "Ada"}, "wait_seconds": 1e9}, "- wait_seconds: Input should be less than or equal to 300"),
        ({"input": {"name": "Ada"}, "execution_id": "no/id"}, "- execution_id: String should match pattern"),
    ],
)
def test_bad_input_is_refused_with_the_reason(
    connections: Connections, arguments: dict[str, Any], message: str
) -> None:
    async def scenario(client: Client) -> Any:
        return await client.call_tool("greeting", arguments)

    result = Talk("http", "auto", connections)(scenario)
    assert result.is_error
    assert message in text_of(result)


async def resumes_what_has_failed(client: Client) -> None:
    assert {tool.name for tool in (await client.list_tools()).tools} >= OPERATOR_TOOLS
    failed = (await client.call_tool("billing_charge", {"input": 7, "wait_seconds": 60})).structured_content
    assert "stepfast_resume goes on from there" in failed["summary"]
    id = failed["execution_id"]
    listed = (await client.call_tool("stepfast_list", {"status": "FAILED", "prefix": id})).structured_content
    assert [(row["execution_id"], row["error"]["step"]) for row in listed["executions"]] == [(id, "charge")]
    shown = (await client.call_tool("stepfast_show", {"execution_id": id})).structured_content
    assert [(command["name"], command["status"], command["input"]) for command in shown["commands"]] == [
        ("charge", "FAILED", {"cents": 7})
    ]
    paid.set()
    resumed = await client.call_tool("stepfast_resume", {"execution_id": id})
    assert resumed.structured_content["reopened"] == [shown["commands"][0]["id"]]
    ended = await client.call_tool("stepfast_execution", {"execution_id": id, "wait_seconds": 60})
    assert ended.structured_content["result"] == "charged 7"
    refused = await client.call_tool("stepfast_resume", {"execution_id": id})
    assert refused.is_error
    assert "SUCCEEDED" in text_of(refused)


async def pauses_a_workflow(client: Client) -> None:
    asked = {"workflow": "approval", "why": "the bank is closed"}
    paused = (await client.call_tool("stepfast_pause_workflow", asked)).structured_content
    assert (paused["workflow"], paused["paused"]["why"]) == ("approval", "the bank is closed")
    id = (await client.call_tool("approval", {"wait_seconds": 0})).structured_content["execution_id"]

    async def shown(wanted: str) -> dict[str, Any]:
        while True:
            state = (await client.call_tool("stepfast_execution", {"execution_id": id})).structured_content
            if state["status"] == wanted:
                return dict(state)

    assert "begins when its workflow 'approval' is unpaused" in (await shown("PAUSED"))["summary"]
    done = (await client.call_tool("stepfast_unpause_workflow", {"workflow": "approval"})).structured_content
    assert done["job_id"] in done["summary"]
    await shown("RUNNING")
    unknown = await client.call_tool("stepfast_pause_workflow", {"workflow": "nothing"})
    assert unknown.is_error


async def signals_and_asks(client: Client) -> None:
    id = (await client.call_tool("approval", {"wait_seconds": 0})).structured_content["execution_id"]
    wrong = await client.call_tool("stepfast_signal", {"execution_id": id, "name": "decision", "payload": "perhaps"})
    assert wrong.is_error, "the workflow waits for a bool"
    about = (await client.call_tool("stepfast_query", {"execution_id": id})).structured_content
    assert (about["queries"], about["updates"]) == (["remarks"], ["remark"])
    assert about["schemas"]["updates"]["remark"]["payload_schema"] == {"type": "string"}
    remark = {"execution_id": id, "name": "remark", "payload": "why?"}
    for _ in range(2):
        remarked = await client.call_tool("stepfast_update", {**remark, "update_id": "remark-1"})
        assert remarked.structured_content["result"] == 1, text_of(remarked)
    asked = await client.call_tool("stepfast_query", {"execution_id": id, "name": "remarks"})
    assert asked.structured_content["answer"] == ["why?"]
    sent = await client.call_tool("stepfast_signal", {"execution_id": id, "name": "decision", "payload": False})
    assert not sent.is_error, text_of(sent)
    ended = await client.call_tool("stepfast_execution", {"execution_id": id, "wait_seconds": 60})
    assert ended.structured_content["result"] == "declined"


def test_operator_tools_are_there_only_when_asked_for(talk: Talk) -> None:
    async def without(client: Client) -> None:
        assert not OPERATOR_TOOLS & {tool.name for tool in (await client.list_tools()).tools}
        for name in OPERATOR_TOOLS:
            with pytest.raises(MCPError, match="only there with `stepfast mcp --operate`"):
                await client.call_tool(name, {"execution_id": "x"})

    async def with_them(client: Client) -> None:
        await resumes_what_has_failed(client)
        await pauses_a_workflow(client)
        await signals_and_asks(client)

    talk(without)
    talk(with_them, "--operate")


def test_the_wait_ends_with_its_budget_and_reports_progress(talk: Talk) -> None:
    reports: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reports.append(message)

    async def scenario(client: Client) -> Any:
        result = await client.call_tool("approval", {"wait_seconds": 0.2}, progress_callback=note)
        while not reports:  # the SDK calls back in a task of its own
            await asyncio.sleep(0.01)
        return result.structured_content

    state = talk(scenario)
    assert state["status"] == "RUNNING"
    assert reports[0] == f"{state['execution_id']} is RUNNING"


def test_an_unknown_tool_and_an_unknown_execution(talk: Talk) -> None:
    async def scenario(client: Client) -> Any:
        with pytest.raises(MCPError, match="there is no tool 'nix': list the tools again"):
            await client.call_tool("nix", {})
        return await client.call_tool("stepfast_execution", {"execution_id": "nix"})

    result = talk(scenario)
    assert result.is_error
    assert text_of(result) == "no execution has the id 'nix'"


def test_a_server_that_is_gone_is_a_tool_error_that_says_what_to_do(talk: Talk, nowhere: str) -> None:
    async def scenario(client: Client) -> Any:
        return await client.call_tool("stepfast_execution", {"execution_id": "one"})

    result = talk(scenario, url=nowhere)
    assert result.is_error
    assert f"no stepfast answers at {nowhere}" in text_of(result)
    assert "start it with `stepfast dev`" in text_of(result)


def test_a_workflow_that_waits_is_found_by_its_name_too(talk: Talk, api: Api) -> None:
    """`billing.charge` is the tool `billing_charge`; a client that sends the workflow's own name is understood."""

    async def scenario(client: Client) -> Any:
        return (await client.call_tool("billing.charge", {"input": 1, "wait_seconds": 0})).structured_content

    id = talk(scenario)["execution_id"]
    until(lambda: api.get(f"/v1/executions/{id}")["status"] == "FAILED")
