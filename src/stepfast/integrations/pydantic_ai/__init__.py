"""Durable agents of pydantic-ai: model requests, tool calls and calls of MCP servers are steps of a workflow.

It needs the extra `stepfast[agents]`. docs/agents.md shows how to use it.
"""

from __future__ import annotations

from stepfast.integrations.pydantic_ai.approvals import Approval, DecideBySignal, PendingCall
from stepfast.integrations.pydantic_ai.context import StepRunContext
from stepfast.integrations.pydantic_ai.durability import StepfastDurability
from stepfast.integrations.pydantic_ai.replacing import replace_model
from stepfast.language.step_options import StepOptions

__all__ = [
    "Approval",
    "DecideBySignal",
    "PendingCall",
    "StepOptions",
    "StepRunContext",
    "StepfastDurability",
    "replace_model",
]
