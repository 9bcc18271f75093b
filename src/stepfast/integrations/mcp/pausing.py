"""The operators' tools that pause a whole workflow and let it go on."""

from __future__ import annotations

import asyncio

from mcp_types import CallToolResult
from pydantic import Field

from stepfast.integrations.mcp import states
from stepfast.integrations.mcp.calls import ToolCall
from stepfast.integrations.mcp.tools import ToolArguments

PAUSE_TOOL = "stepfast_pause_workflow"
UNPAUSE_TOOL = "stepfast_unpause_workflow"


class PauseArguments(ToolArguments):
    workflow: str = Field(description="The name of the workflow.")
    why: str | None = Field(None, description="For whoever looks at it, and for the history of what is held.")


class UnpauseArguments(ToolArguments):
    workflow: str = Field(description="The name of the workflow.")
    why: str | None = Field(None, description="For the history of what is let go.")
    rate: float | None = Field(
        None, gt=0, description="Held executions that go on in a second, at most. 50 if left out."
    )


async def pause(call: ToolCall, asked: PauseArguments) -> CallToolResult:
    paused = await asyncio.to_thread(call.client.pause_workflow, asked.workflow, why=asked.why)
    summary = f"workflow {asked.workflow!r} is paused: what starts of it is held until {UNPAUSE_TOOL}"
    return states.answer({"summary": summary, "workflow": asked.workflow, "paused": paused["paused"]})


async def unpause(call: ToolCall, asked: UnpauseArguments) -> CallToolResult:
    done = await asyncio.to_thread(call.client.unpause_workflow, asked.workflow, why=asked.why, rate=asked.rate)
    summary = f"workflow {asked.workflow!r} is not paused; job {done['job_id']!r} lets go what was held"
    return states.answer({"summary": summary, "workflow": asked.workflow, "job_id": done["job_id"]})
