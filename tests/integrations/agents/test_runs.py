"""A run of an agent in a workflow: what is a step, under which id, and what it returns."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from stepfast import RetryAfter
from stepfast.integrations.pydantic_ai import replace_model
from stepfast.testing import Environment, MotoCloud
from tests.integrations.agents.clerks import (
    EXPECTED,
    ask,
    ask_three,
    charge,
    clerk,
    packing,
    requests,
)

KITS: list[Any] = [Environment, MotoCloud]


def succeeded(run: Any) -> dict[str, str]:
    """The steps that succeeded, by their ids without the ids of tool calls: the name of each."""
    return {
        "/".join(part for part in call.step_id.split("/") if not part.startswith("pyd_ai_")): call.step
        for call in run.steps
    }


@pytest.mark.parametrize("kit", KITS)
def test_model_requests_and_tool_calls_are_steps(kit: Any) -> None:
    with kit(ask) as env:
        run = env.run(ask, "hello")
    assert run.result == EXPECTED
    assert succeeded(run) == {
        "clerk/clerk.model": "clerk.model",
        "clerk/clerk.tool.weather": "clerk.tool.weather",
        "clerk/charge": "charge",
        "clerk/clerk.model#2": "clerk.model",
    }


def test_tools_run_in_parallel() -> None:
    with Environment(ask) as env:
        for tool in (charge, _step("clerk.tool.weather")):
            env.fake(tool, _step_result(tool), takes=timedelta(minutes=2))
        start = env.now
        run = env.run(ask, "hello")
    assert run.status == "SUCCEEDED"
    assert env.now - start < timedelta(minutes=3)


def _step(name: str) -> Any:
    from stepfast.integrations.pydantic_ai import StepfastDurability

    durability = StepfastDurability.from_agent(clerk)
    assert durability is not None
    return next(step for step in durability.steps if step.name == name)


def _step_result(tool: Any) -> Any:
    return "charged 3" if tool is charge else {"kind": "tool_return", "result": "sunny in Paris"}


@pytest.mark.parametrize("kit", KITS)
def test_agents_run_in_parallel_and_each_under_its_own_path(kit: Any) -> None:
    with kit(ask_three) as env:
        run = env.run(ask_three, "hello")
    assert run.result == [EXPECTED] * 3
    paths = {call.step_id.rpartition("/")[0].partition("/pyd_ai_")[0] for call in run.steps}
    assert paths == {"run/clerk", "run#2/scout", "run#3/writer"}


def test_a_tool_gets_its_dependencies_and_typed_arguments() -> None:
    with Environment(packing) as env:
        run = env.run(packing, "tea")
    assert run.result == str({"owner": "ann", "items": ["tea"]})


def test_a_tool_asks_the_model_to_try_again_without_a_second_attempt_of_the_step() -> None:
    with Environment(packing) as env:
        run = env.run(packing, "nothing")
    assert run.result == "name an item"
    assert [call.attempt for call in run.steps if call.step == "basket.tool.pack"] == [1]


def throttled(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    requests["throttled"] += 1
    if requests["throttled"] == 1:
        raise ModelHTTPError(429, "busy", headers={"Retry-After": "90"})
    return ModelResponse(parts=[TextPart("done")])


def test_a_provider_says_when_to_try_again() -> None:
    requests.clear()
    with replace_model(clerk, FunctionModel(throttled)), Environment(ask) as env:
        start = env.now
        run = env.run(ask, "hello")
    assert run.result == "done"
    first, second = run.steps
    assert isinstance(first.error, RetryAfter)
    assert second.started_at - start >= timedelta(seconds=90)


def test_outside_of_a_workflow_the_agent_is_an_ordinary_agent() -> None:
    assert asyncio.run(clerk.run("hello")).output == EXPECTED


def test_a_workflow_that_is_called_directly_runs_the_agent_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert asyncio.run(ask("hello")) == EXPECTED
