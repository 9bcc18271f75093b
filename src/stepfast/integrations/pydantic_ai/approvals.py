"""People decide on tool calls: each pending call waits for a signal of the execution."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import (
    AgentDepsT,
    DeferredToolRequests,
    DeferredToolResults,
    RunContext,
    ToolApproved,
    ToolDenied,
)

from stepfast.integrations.pydantic_ai.naming import step_name
from stepfast.integrations.pydantic_ai.places import within_run
from stepfast.language.durable import signal
from stepfast.language.workflow_loop import commands_for, in_workflow

DEFAULT_DENIAL = "The tool call was denied."


class Approval(BaseModel):
    """The payload of the signal that decides on a tool call.

    approved: whether the tool may run.
    message: for a denied call, what the model receives.
    arguments: for an approved call, arguments to call the tool with instead of those of the model.
    """

    approved: bool
    message: str = DEFAULT_DENIAL
    arguments: dict[str, JsonValue] | None = None


class PendingCall(BaseModel):
    """A tool call that waits for a signal.

    execution_id: the execution to send the signal to.
    signal: the name of the signal.
    agent: the name of the agent.
    tool: the name of the tool.
    tool_call_id: the id of the call, which the model or pydantic-ai has chosen.
    arguments: the arguments of the model.
    kind: "approval" waits for an Approval, "result" for the result of a tool that runs elsewhere, as plain JSON.
    """

    execution_id: str
    signal: str
    agent: str
    tool: str
    tool_call_id: str
    arguments: dict[str, JsonValue]
    kind: str


class DecideBySignal(AbstractCapability[AgentDepsT]):
    """In a workflow, tool calls that need an approval or an outside result wait for signals. The run then goes on.

    A tool with `requires_approval=True` waits for the signal `<agent>.approve.<tool>` with an Approval as its payload.
    A tool that raises CallDeferred, and an external tool, wait for `<agent>.result.<tool>` with the result. All pending
    calls wait at the same time. Several pending calls of one tool take the signals in the order of the calls: to tell
    such calls apart, pass `signal_name`.

    ask: a Step, or an async function of workflow code, that tells people about a pending call. It is called once for
    each call, before the wait.
    timeout: how long to wait, in seconds or as a timedelta; None waits without end. After it an approval is denied, and
    the model gets a message instead of a result.
    signal_name: returns the name of the signal for a call, from the agent's name and the call. Parallel runs of one
    agent in an execution need names of their own, such as ones with the `tool_call_id`.

    Outside of workflows the capability does nothing: the run ends with DeferredToolRequests, as without it.
    """

    def __init__(
        self,
        *,
        ask: Callable[[PendingCall], Awaitable[Any]] | None = None,
        timeout: float | timedelta | None = None,
        signal_name: Callable[[str, ToolCallPart], str] | None = None,
    ) -> None:
        self.ask = ask
        self._timeout = timeout
        self._signal_name = signal_name

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[AgentDepsT], *, requests: DeferredToolRequests
    ) -> DeferredToolResults | None:
        if in_workflow() is None:
            return None
        execution_id = commands_for("DecideBySignal").execution.execution_id
        approvals = [
            self._approval(ctx, self._pending(ctx, execution_id, part, "approve")) for part in requests.approvals
        ]
        results = [self._result(ctx, self._pending(ctx, execution_id, part, "result")) for part in requests.calls]
        decided = await asyncio.gather(*approvals, *results)
        count = len(approvals)
        return requests.build_results(
            approvals={
                part.tool_call_id: answer for part, answer in zip(requests.approvals, decided[:count], strict=True)
            },
            calls={part.tool_call_id: answer for part, answer in zip(requests.calls, decided[count:], strict=True)},
        )

    def _pending(self, ctx: RunContext[Any], execution_id: str, part: ToolCallPart, use: str) -> PendingCall:
        agent = (ctx.agent.name if ctx.agent is not None else None) or "agent"
        name = step_name(agent, use, part.tool_name) if self._signal_name is None else self._signal_name(agent, part)
        return PendingCall(
            execution_id=execution_id,
            signal=name,
            agent=agent,
            tool=part.tool_name,
            tool_call_id=part.tool_call_id,
            arguments=part.args_as_dict(),
            kind="approval" if use == "approve" else "result",
        )

    async def _ask_people(self, ctx: RunContext[Any], call: PendingCall) -> None:
        if self.ask is not None:
            with within_run(call.agent, ctx, call.tool_call_id):
                await self.ask(call)

    async def _approval(self, ctx: RunContext[Any], call: PendingCall) -> ToolApproved | ToolDenied:
        await self._ask_people(ctx, call)
        try:
            with within_run(call.agent, ctx, call.tool_call_id):
                decision = await signal(call.signal, Approval, timeout=self._timeout)
        except TimeoutError:
            return ToolDenied(f"Nobody decided on this tool call within {self._timeout}.")
        return ToolApproved(override_args=decision.arguments) if decision.approved else ToolDenied(decision.message)

    async def _result(self, ctx: RunContext[Any], call: PendingCall) -> Any:
        await self._ask_people(ctx, call)
        try:
            with within_run(call.agent, ctx, call.tool_call_id):
                return await signal(call.signal, timeout=self._timeout)
        except TimeoutError:
            return f"No result of this tool call arrived within {self._timeout}."
