"""The names of an agent's steps. They are part of the records of running executions, so they must not change."""

from __future__ import annotations

import hashlib
import re

from pydantic_ai.durable_exec import (
    CapabilityOperationId,
    DurableOperationId,
    EventStreamHandlerId,
    ModelCancelSuspendedResponseId,
    ModelCompactMessagesId,
    ModelRequestId,
    ToolsetCallToolId,
    ToolsetGetInstructionsId,
    ToolsetGetToolsId,
    ToolsetValidateToolArgumentsId,
)

from stepfast.errors import DefinitionError
from stepfast.language.options import NAME

AGENT_TOOLSET = "<agent>"
"""The id that pydantic-ai gives to the toolset of an agent's own tools."""
LONGEST_NAME_CHARS = 64
_OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]+")


def agent_name(name: str) -> str:
    """The name itself. Raises DefinitionError for a name that cannot begin the names of steps."""
    if not NAME.fullmatch(name) or len(name) > 32:
        raise DefinitionError(
            f"the name of a durable agent is 1 to 32 of A-Z a-z 0-9 . _ -, not {name!r}: "
            "pass another name to StepfastDurability(name=…)"
        )
    return name


def step_name(*parts: str) -> str:
    """The parts, joined with dots. If they do not fit the rules for names, the name ends with a digest of the parts."""
    whole = ".".join(parts)
    fitting = _OTHER_CHARACTERS.sub("-", whole)
    if fitting == whole and len(whole) <= LONGEST_NAME_CHARS:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{fitting[: LONGEST_NAME_CHARS - 9]}-{digest}"


def operation_name(agent: str, operation: DurableOperationId) -> str:
    """The name of the step of an operation. Function tools have a step each, by `tool_step_name`."""
    kind: object = operation  # minor releases add operations that the union of this release does not name
    match kind:
        case ModelRequestId(streaming=streaming):
            return step_name(agent, "model-stream" if streaming else "model")
        case ModelCompactMessagesId():
            return step_name(agent, "compact")
        case ModelCancelSuspendedResponseId():
            return step_name(agent, "cancel-response")
        case EventStreamHandlerId():
            return step_name(agent, "event")
        case ToolsetGetToolsId(toolset_id=toolset):
            return step_name(agent, *_of(toolset), "tools")
        case ToolsetGetInstructionsId(toolset_id=toolset):
            return step_name(agent, *_of(toolset), "instructions")
        case ToolsetValidateToolArgumentsId(toolset_id=toolset):
            return step_name(agent, *_of(toolset), "validate")
        case ToolsetCallToolId(toolset_id=toolset):
            return step_name(agent, *_of(toolset), "call")
        case CapabilityOperationId(capability_id=capability, operation=method):
            return step_name(agent, capability, method)
    return step_name(agent, repr(operation))


def tool_step_name(agent: str, toolset: str, tool: str) -> str:
    """The name of the step of a function tool."""
    return step_name(agent, *_of(toolset), "tool", tool)


def _of(toolset: str) -> tuple[str, ...]:
    return () if toolset == AGENT_TOOLSET else (toolset,)
