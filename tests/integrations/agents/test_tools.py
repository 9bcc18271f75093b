"""Tools: steps, tools in workflow code, options of steps, MCP servers and dynamic toolsets."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastmcp.client.transports import FastMCPTransport
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel
from pydantic_ai import Agent, FunctionToolset, ModelRetry, RunContext
from pydantic_ai.exceptions import UserError
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.toolsets import DynamicToolset

from stepfast import Retry, step, workflow
from stepfast.errors import DefinitionError
from stepfast.integrations.pydantic_ai import StepfastDurability
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud
from tests.integrations.agents.clerks import one_tool

KITS: list[Any] = [Environment, MotoCloud]


def agent_with(tool: Any, name: str = "clerk", **options: Any) -> Agent[None, str]:
    return Agent(FunctionModel(one_tool), name=name, tools=[tool], capabilities=[StepfastDurability(**options)])


class Receipt(BaseModel):
    cents: int


@step(retry=Retry(max_attempts=4, give_up_on=(ModelRetry,)), timeout=7)
def charge(item: str) -> Receipt:
    """Charges a card."""
    if item == "air":
        raise ModelRetry("air costs nothing")
    return Receipt(cents=len(item))


payer = agent_with(charge, "payer")


@workflow("pay")
async def pay(item: str) -> str:
    return (await payer.run(item)).output


def test_a_step_is_a_tool_with_its_own_name_and_policy() -> None:
    with Environment(pay) as env:
        env.fail(charge, times=3)
        run = env.run(pay, "tea")
    assert run.result == str({"cents": 3})
    assert [(call.step, call.attempt) for call in run.calls(charge)] == [
        ("charge", 1),
        ("charge", 2),
        ("charge", 3),
        ("charge", 4),
    ]
    (definition,) = payer.toolsets[0].tools.values()  # type: ignore[attr-defined]
    assert definition.description == "Charges a card."


def test_a_step_tells_the_model_to_try_again() -> None:
    with Environment(pay) as env:
        run = env.run(pay, "air")
    assert run.result == "air costs nothing"
    assert len(run.calls(charge)) == 1


def test_a_step_that_fails_for_good_fails_the_execution_and_a_resume_goes_on() -> None:
    with Environment(pay) as env:
        env.fail(charge, times=None, error=ConnectionError("no answer"))
        run = env.run(pay, "tea")
        assert run.error is not None
        assert (run.error.type, run.error.step) == ("ConnectionError", "charge")
        requests = [call for call in run.steps if call.step == "payer.model"]
        env.restore(charge)
        env.resume(run)
        assert env.run_until(run).result == str({"cents": 3})
        assert [call for call in run.steps if call.step == "payer.model"][: len(requests)] == requests
        assert len([call for call in run.steps if call.step == "payer.model"]) == len(requests) + 1


child = agent_with(charge, "child")


async def delegate(item: str) -> str:
    return (await child.run(item)).output


boss = Agent(FunctionModel(one_tool), name="boss", capabilities=[StepfastDurability()])
boss.tool_plain(metadata={"stepfast": False})(delegate)


@workflow("delegate")
async def delegating(item: str) -> str:
    return (await boss.run(item)).output


@pytest.mark.parametrize("kit", KITS)
def test_a_tool_in_workflow_code_runs_another_agent_durably(kit: Any) -> None:
    with kit(delegating) as env:
        run = env.run(delegating, "tea")
    assert run.result == str({"cents": 3})
    assert [call.step for call in run.steps] == ["boss.model", "child.model", "charge", "child.model", "boss.model"]
    assert all("_run_coro" not in call.step_id for call in run.steps)
    assert {"child.model", "charge"} <= {step.name for step in Registry([delegating]).steps}


attempts: list[str] = []


def unlucky(item: str) -> str:
    attempts.append(item)
    raise UserError("this never works") if item == "broken" else ConnectionError("no answer")


patient = agent_with(unlucky, "patient", tool_step={"retry": Retry(max_attempts=3)})


@workflow("unlucky")
async def trying(item: str) -> str:
    return (await patient.run(item)).output


@pytest.mark.parametrize(("item", "count"), [("broken", 1), ("late", 3)])
def test_what_cannot_help_is_not_tried_again(item: str, count: int) -> None:
    attempts.clear()
    with Environment(trying) as env:
        run = env.run(trying, item)
    assert run.status == "FAILED"
    assert attempts == [item] * count


async def slow(item: str) -> str:
    return item


pooled = Agent(
    FunctionModel(one_tool),
    name="pooled",
    capabilities=[StepfastDurability(model_step={"pool": "models", "timeout": 600})],
)
pooled.tool_plain(metadata={"stepfast": {"pool": "gpu", "timeout": 60}})(slow)


@workflow("pooled")
async def pooling(item: str) -> str:
    return (await pooled.run(item)).output


def test_steps_of_an_agent_are_deployed_to_their_pools() -> None:
    registry = Registry([pooling])
    steps = {step.name: step for step in registry.steps_of(pooling)}
    assert registry.pools == ["default", "gpu", "models"]
    assert (steps["pooled.tool.slow"].pool, steps["pooled.tool.slow"].timeout) == ("gpu", 60)
    assert (steps["pooled.model"].pool, steps["pooled.model"].timeout) == ("models", 600)
    with MotoCloud(pooling) as cloud:
        assert cloud.run(pooling, "tea").result == "tea"
        kinds = {invocation.function for invocation in cloud.invocations}
    assert {"step-gpu", "step-models"} <= kinds


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "two words"}, "the name of a durable agent is 1 to 32 of"),
        (
            {"tool_step": {"timout": 3}},
            "tool_step: 'timout' is no option of an agent's step; there are: retry, timeout",
        ),
        ({"model_step": 3}, "model_step: takes a dict of options of @step, not 3"),
    ],
)
def test_wrong_options_are_refused_when_the_agent_is_made(options: dict[str, Any], text: str) -> None:
    with pytest.raises(DefinitionError, match=text):
        agent_with(slow, **options)


def quiet_server() -> MCPServer:
    """A server that leaves the root logger as it was: findings/mcp-server-configures-the-root-logger.sh."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    server = MCPServer("shop", instructions="Sell tea.")
    root.handlers[:] = handlers
    root.setLevel(level)
    return server


shop = quiet_server()
asked: list[str] = []


@shop.tool()
def stock(item: str) -> int:
    """How many there are."""
    asked.append(item)
    return 7


def calendar(context: RunContext[object]) -> FunctionToolset[object]:
    toolset = FunctionToolset[object](id="days")

    @toolset.tool_plain
    def today() -> str:
        """The day."""
        return "monday"

    return toolset


seller = Agent(
    TestModel(),
    name="seller",
    toolsets=[MCPToolset(FastMCPTransport(shop), id="shop"), DynamicToolset(calendar, id="calendar")],
    capabilities=[StepfastDurability()],
)


@workflow("sell")
async def selling(question: str) -> str:
    return (await seller.run(question)).output


@pytest.mark.parametrize("kit", KITS)
def test_calls_of_mcp_servers_and_dynamic_toolsets_are_steps(kit: Any) -> None:
    asked.clear()
    with kit(selling) as env:
        run = env.run(selling, "how much tea?")
    assert run.result == '{"stock":7,"today":"monday"}'
    assert asked == ["a"]
    names = [call.step for call in run.steps]
    assert {"seller.shop.tools", "seller.shop.call", "seller.calendar.tools", "seller.calendar.call"} < set(names)
    assert set(names) <= {step.name for step in Registry([selling]).steps}


def test_a_crash_in_a_call_of_an_mcp_server_repeats_only_that_call() -> None:
    asked.clear()
    (call,) = [step for step in Registry([selling]).steps if step.name == "seller.shop.call"]
    with Environment(selling, check_replays=False) as env:
        env.crash(after=call)
        run = env.run(selling, "how much tea?")
    assert run.result == '{"stock":7,"today":"monday"}'
    assert asked == ["a", "a"]
    assert len([call for call in run.steps if call.step == "seller.model"]) == 2
