"""Events of a run reach a handler: those of the model in the step of the request, all others in steps of their own."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import AgentStreamEvent
from pydantic_ai.models.test import TestModel

from stepfast import current_step, workflow
from stepfast.integrations.pydantic_ai import StepfastDurability
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
seen: list[tuple[str, str]] = []


async def handle(context: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
    async for event in events:
        seen.append((event.event_kind, current_step().step_id.rpartition("/")[2]))


teller = Agent(TestModel(), name="teller", capabilities=[StepfastDurability(event_stream_handler=handle)])


@teller.tool_plain
async def number() -> int:
    return 7


@workflow("tell")
async def telling(question: str) -> str:
    return (await teller.run(question)).output


@pytest.mark.parametrize("kit", KITS)
def test_the_handler_gets_all_events_and_a_replay_repeats_none(kit: Any) -> None:
    seen.clear()
    with kit(telling) as env:
        run = env.run(telling, "a number")
    assert run.result == '{"number":7}'
    requests = [place for kind, place in seen if kind == "part_start"]
    assert requests == ["teller.model-stream", "teller.model-stream#2"]
    others = [(kind, place) for kind, place in seen if "tool" in kind]
    assert others == [("function_tool_call", "teller.event"), ("function_tool_result", "teller.event#2")]
    assert {call.step for call in run.steps} <= {step.name for step in Registry([telling]).steps}


silent = Agent(TestModel(), name="silent", capabilities=[StepfastDurability()])


@workflow("stream")
async def streaming(question: str) -> list[str]:
    async with silent.run_stream(question) as result:
        return [text async for text in result.stream_text(delta=True, debounce_by=None)]


@workflow("iterate")
async def iterating(question: str) -> list[str]:
    async with silent.iter(question) as run:
        return [type(node).__name__ async for node in run]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (streaming, ["success (no tool calls)"]),
        (iterating, ["UserPromptNode", "ModelRequestNode", "CallToolsNode", "End"]),
    ],
)
def test_other_ways_to_run_are_durable_too(kind: Any, expected: list[str]) -> None:
    with Environment(kind) as env:
        run = env.run(kind, "go")
    assert run.result == expected
    assert [call.step for call in run.steps] == ["silent.model-stream" if kind is streaming else "silent.model"]
