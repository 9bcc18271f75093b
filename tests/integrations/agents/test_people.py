"""People decide on tool calls by signals, and tools get results from outside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic_ai import Agent, CallDeferred
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import DeferredToolRequests

from stepfast import signal, step, workflow
from stepfast.integrations.pydantic_ai import Approval, DecideBySignal, PendingCall, StepfastDurability
from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
refunded: list[int] = []
instructions = ["Be brief."]
asked: list[PendingCall] = []


async def refunds_and_looks_up(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart("refund", {"cents": 5}), ToolCallPart("lookup", {"order": "o-1"})])
    return ModelResponse(parts=[TextPart("; ".join(str(part.content) for part in messages[-1].parts))])  # type: ignore[union-attr]


async def refund(cents: int) -> str:
    refunded.append(cents)
    return f"refunded {cents}"


async def lookup(order: str) -> str:
    raise CallDeferred


@step
def tell(call: PendingCall) -> None:
    asked.append(call)


def made(*capabilities: Any, **options: Any) -> Agent[None, Any]:
    agent = Agent(
        FunctionModel(refunds_and_looks_up),
        name="clerk",
        instructions=lambda: instructions[0],
        capabilities=[StepfastDurability(), *capabilities],
        **options,
    )
    agent.tool_plain(requires_approval=True)(refund)
    agent.tool_plain(lookup)
    return agent


clerk = made(DecideBySignal(ask=tell, timeout=timedelta(days=1)))


@workflow("refunds")
async def refunds(question: str) -> str:
    return str((await clerk.run(question)).output)


@pytest.mark.parametrize("kit", KITS)
def test_a_person_approves_a_call_with_other_arguments(kit: Any) -> None:
    refunded.clear()
    with kit(refunds) as env:
        env.when(waiting="clerk.approve.refund", delay=timedelta(hours=3)).signal(
            "clerk.approve.refund", Approval(approved=True, arguments={"cents": 4})
        )
        env.when(waiting="clerk.result.lookup", delay=timedelta(hours=2)).signal(
            "clerk.result.lookup", {"state": "sent"}
        )
        run = env.run(refunds, "my tea is cold")
    assert run.result == "refunded 4; {'state': 'sent'}"
    assert refunded == [4]


def test_people_are_told_of_each_call_once() -> None:
    asked.clear()
    with Environment(refunds) as env:
        run = env.start(refunds, "my tea is cold")
        env.advance(timedelta(hours=1))
        assert sorted(str(waiting) for waiting in run.waiting if waiting.kind == "signal") == [
            "signal 'clerk.approve.refund'",
            "signal 'clerk.result.lookup'",
        ]
    assert [(call.signal, call.kind, call.arguments) for call in asked] == [
        ("clerk.approve.refund", "approval", {"cents": 5}),
        ("clerk.result.lookup", "result", {"order": "o-1"}),
    ]
    assert {call.execution_id for call in asked} == {run.execution_id}
    assert tell in Registry([refunds]).steps


def test_nobody_decides() -> None:
    refunded.clear()
    with Environment(refunds) as env:
        run = env.run(refunds, "my tea is cold")
    assert run.result.startswith("Nobody decided on this tool call within 1 day")
    assert refunded == []


def test_a_denied_call_never_runs() -> None:
    refunded.clear()
    with Environment(refunds) as env:
        env.when(waiting="clerk.approve.refund").signal(
            "clerk.approve.refund", {"approved": False, "message": "too late"}
        )
        env.when(waiting="clerk.result.lookup").signal("clerk.result.lookup", None)
        run = env.run(refunds, "my tea is cold")
    assert run.result == "too late; None"
    assert refunded == []


def test_a_crash_while_it_waits_asks_nobody_twice() -> None:
    asked.clear()
    with Environment(refunds) as env:
        env.when(waiting="clerk.approve.refund", delay=timedelta(hours=2)).crash()
        env.at(timedelta(hours=4)).signal("clerk.approve.refund", {"approved": True})
        env.at(timedelta(hours=3)).signal("clerk.result.lookup", "sent")
        run = env.run(refunds, "my tea is cold")
    assert run.result == "refunded 5; sent"
    assert len(asked) == 2
    assert len([call for call in run.steps if call.step == "clerk.model"]) == 2


def test_the_prompt_may_change_while_an_execution_waits() -> None:
    with Environment(refunds) as env:
        env.when(waiting="clerk.approve.refund", delay=timedelta(hours=1)).do(
            lambda: instructions.insert(0, "Be kind.")
        )
        env.at(timedelta(hours=2)).signal("clerk.approve.refund", {"approved": True})
        env.at(timedelta(hours=3)).signal("clerk.result.lookup", "sent")
        env.when(waiting="clerk.approve.refund", delay=timedelta(hours=1, minutes=1)).crash()
        run = env.run(refunds, "my tea is cold")
    instructions[:] = ["Be brief."]
    assert run.result == "refunded 5; sent"
    prompts = [call.input["call"].body["parameters"] for call in run.steps if call.step == "clerk.model"]
    assert ["Be kind." in str(prompt) for prompt in prompts] == [False, True]


by_hand = made(output_type=[str, DeferredToolRequests])


@workflow("by-hand")
async def decided_by_hand(question: str) -> str:
    first = await by_hand.run(question)
    assert isinstance(first.output, DeferredToolRequests)
    approved = await signal("approved", bool)
    answers = first.output.build_results(
        approvals={call.tool_call_id: approved for call in first.output.approvals},
        calls={call.tool_call_id: "sent" for call in first.output.calls},
    )
    second = await by_hand.run(message_history=first.all_messages(), deferred_tool_results=answers)
    return str(second.output)


def test_the_workflow_decides_itself() -> None:
    with Environment(decided_by_hand) as env:
        env.when(waiting="approved").signal("approved", True)
        run = env.run(decided_by_hand, "my tea is cold")
    assert sorted(run.result.split("; ")) == ["refunded 5", "sent"]
