"""Agents, tools and workflows for the tests. The models are functions, so nothing calls out."""

from __future__ import annotations

import asyncio
from collections import Counter

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from stepfast import Retry, step, workflow
from stepfast.integrations.pydantic_ai import StepfastDurability

requests: Counter[str] = Counter()
"""How often each agent asked its model."""
charged: list[int] = []


async def two_tools(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Calls two tools at once, and then says what they returned."""
    requests[str(info.instructions)] += 1
    if len(messages) == 1:
        calls = [ToolCallPart("weather", {"city": "Paris"}), ToolCallPart("charge", {"cents": 3})]
        return ModelResponse(parts=calls)
    return ModelResponse(parts=[TextPart(", ".join(str(part.content) for part in messages[-1].parts))])  # type: ignore[union-attr]


@step(retry=Retry(max_attempts=2))
async def charge(cents: int) -> str:
    """Charges a card.

    Args:
        cents: how much.
    """
    charged.append(cents)
    return f"charged {cents}"


def made(name: str) -> Agent[None, str]:
    agent = Agent(
        FunctionModel(two_tools), name=name, instructions=name, tools=[charge], capabilities=[StepfastDurability()]
    )

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    return agent


clerk, scout, writer = made("clerk"), made("scout"), made("writer")
EXPECTED = "sunny in Paris, charged 3"


@workflow("ask")
async def ask(question: str) -> str:
    return (await clerk.run(question)).output


@workflow("ask-three")
async def ask_three(question: str) -> list[str]:
    results = await asyncio.gather(clerk.run(question), scout.run(question), writer.run(question))
    return [result.output for result in results]


class Customer(BaseModel):
    name: str


class Basket(BaseModel):
    owner: str
    items: list[str]


async def one_tool(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Calls the first tool with the latest question as its argument, and returns what it returned as the output."""
    last = messages[-1].parts[-1]
    if last.part_kind == "user-prompt":
        tool = info.function_tools[0]
        argument = next(iter(tool.parameters_json_schema["properties"]), None)
        return ModelResponse(parts=[ToolCallPart(tool.name, {argument: last.content} if argument else {})])
    return ModelResponse(parts=[TextPart(str(last.content))])  # type: ignore[union-attr]


basket_agent = Agent(FunctionModel(one_tool), name="basket", deps_type=Customer, capabilities=[StepfastDurability()])


@basket_agent.tool
async def pack(context: RunContext[Customer], item: str) -> Basket:
    if item == "nothing":
        raise ModelRetry("name an item")
    return Basket(owner=context.deps.name, items=[item] * context.run_step)


@workflow("pack")
async def packing(item: str) -> str:
    return (await basket_agent.run(item, deps=Customer(name="ann"))).output
