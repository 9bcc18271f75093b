"""What an agent in a workflow must not do, and what the error says to do instead."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic_ai import Agent, FunctionToolset, RunContext
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel

from stepfast import workflow
from stepfast.integrations.pydantic_ai import StepfastDurability
from stepfast.integrations.pydantic_ai.naming import step_name
from stepfast.testing import Environment
from tests.integrations.agents.clerks import Customer, one_tool


class Client:
    """A thing without JSON form."""

    lock = threading.Lock()


with_client = Agent(TestModel(), name="client", deps_type=Client, capabilities=[StepfastDurability()])
undeclared = Agent(TestModel(), name="undeclared", capabilities=[StepfastDurability()])
plain = Agent(TestModel(), name="plain", capabilities=[StepfastDurability()])
curious = Agent(FunctionModel(one_tool), name="curious", capabilities=[StepfastDurability()])


@curious.tool
async def read_prompt(context: RunContext[object], item: str) -> str:
    return str(context.prompt)


@workflow("with-client")
async def passes_a_client(input: str) -> str:
    return (await with_client.run(input, deps=Client())).output


@workflow("undeclared")
async def passes_undeclared_deps(input: str) -> str:
    return (await undeclared.run(input, deps=Customer(name="ann"))).output


@workflow("made-late")
async def makes_an_agent(input: str) -> str:
    return (await Agent(TestModel(), name="late", capabilities=[StepfastDurability()]).run(input)).output


@workflow("other-model")
async def brings_a_model(input: str) -> str:
    return (await plain.run(input, model=TestModel())).output


@workflow("other-tools")
async def brings_tools(input: str) -> str:
    return (await plain.run(input, toolsets=[FunctionToolset([len], id="late")])).output


@workflow("reads-prompt")
async def reads_the_prompt(input: str) -> str:
    return (await curious.run(input)).output


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (passes_a_client, "the deps of an agent cross into its steps as JSON: set deps_type to a type of values"),
        (passes_undeclared_deps, "agent 'undeclared': deps"),
        (makes_an_agent, "make the agent once, at the top level of a module"),
        (brings_a_model, "was not registered with `StepfastDurability`"),
        (brings_tools, "'late'"),
        (reads_the_prompt, "ctx.prompt is not available in a step, which may run in another process"),
    ],
)
def test_the_execution_fails_with_what_to_do(kind: Any, text: str) -> None:
    with Environment(kind) as env:
        run = env.run(kind, "hello")
    assert run.status == "FAILED"
    assert run.error is not None
    assert text in run.error.message


def test_names_of_steps_fit_and_stay_apart() -> None:
    assert step_name("clerk", "tool", "weather") == "clerk.tool.weather"
    first, second = step_name("clerk", "tool", "über"), step_name("clerk", "tool", "öber")
    assert first != second
    long = step_name("clerk", "tool", "a" * 80)
    assert len(long) == 64
    assert long != step_name("clerk", "tool", "a" * 81)
