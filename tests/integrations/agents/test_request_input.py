"""RequestInput, by which pydantic-ai waits for people since 2.68, waits for a signal of the execution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic_ai.capabilities import RequestInput
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, RunContext

from stepfast import step, workflow
from stepfast.language.registry import Registry
from stepfast.testing import Environment
from tests.integrations.agents.test_people import made


@step
def post(token: str, tools: Sequence[str]) -> None:
    tokens.append(token)


tokens: list[str] = []


async def post_question(
    context: RunContext[Any], requests: DeferredToolRequests, token: str
) -> DeferredToolResults | None:
    await post(token, [call.tool_name for call in (*requests.approvals, *requests.calls)])
    return None


with_input = made(RequestInput(post_question, timeout=timedelta(days=2)))


@workflow("with-input")
async def with_request_input(question: str) -> str:
    return str((await with_input.run(question)).output)


def test_request_input_of_pydantic_ai_waits_for_a_signal() -> None:
    tokens.clear()
    with Environment(with_request_input) as env:
        run = env.start(with_request_input, "my tea is cold")
        env.advance(timedelta(hours=1))
        (token,) = tokens
        execution_id, _, name = token.partition("/")
        assert (execution_id, name) == (run.execution_id, "clerk.deferred_tool_calls")
        calls = {call["tool_name"]: call["tool_call_id"] for call in _calls(run)}
        env.signal(run, name, {"approvals": {calls["refund"]: True}, "calls": {calls["lookup"]: "sent"}})
        env.run_until(run)
    assert run.result == "refunded 5; sent"
    assert post in Registry([with_request_input]).steps


def _calls(run: Any) -> list[dict[str, Any]]:
    (response,) = [call.output for call in run.steps if call.step == "clerk.model"]
    return list(response["parts"])
