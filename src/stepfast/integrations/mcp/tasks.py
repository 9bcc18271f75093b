"""The tasks extension of MCP (`io.modelcontextprotocol/tasks`, revision 2026-07-28): an execution is the task.

https://modelcontextprotocol.github.io/ext-tasks/specification/2026-07-28/tasks.html
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

from stepfast.integrations.mcp import states
from stepfast.integrations.mcp.calls import Context
from stepfast.integrations.mcp.states import Object

EXTENSION = "io.modelcontextprotocol/tasks"
SHORTEST_POLL_MS = 1000
LONGEST_POLL_MS = 30_000


class TaskParams(RequestParams):
    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    input_responses: dict[str, Any] = Field({}, alias="inputResponses")


def spoken(context: Context) -> bool:
    """Whether the client declares the extension with this request."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return False
    capabilities = context.session.client_capabilities
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})


def require(context: Context) -> None:
    """Raises MCPError if the client does not declare the extension."""
    if not spoken(context):
        required: Object = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", required)


def created(described: Object) -> Object:
    """The answer to a tool call that has started a task."""
    return {"resultType": "task", **_task(described), "status": "working"}


def detailed(described: Object, state: Object) -> Object:
    """The answer to `tasks/get`.

    A FAILED execution is a completed task whose result is a tool error: the extension keeps `failed` for errors of the
    protocol.
    """
    task = _task(described)
    status = described["status"]
    if status in ("RUNNING", "PAUSED"):
        return {**task, "status": "working", "statusMessage": state["summary"]}
    if status == "CANCELLED":
        return {**task, "status": "cancelled", "statusMessage": state["summary"]}
    result = states.answer(state, failed=status in ("FAILED", "CLOSED")).model_dump(
        by_alias=True, mode="json", exclude_none=True
    )
    return {**task, "status": "completed", "statusMessage": state["summary"], "result": result}


def _task(described: Object) -> Object:
    return {
        "taskId": described["execution_id"],
        "createdAt": described["created_at"],
        "lastUpdatedAt": described["ended_at"] or described["created_at"],
        "ttlMs": None,
        "pollIntervalMs": _poll_ms(described),
    }


def _poll_ms(described: Object) -> int:
    """A twentieth of the execution's age: an execution of hours is asked for rarely, since each request costs."""
    age = time.time() - datetime.fromisoformat(described["created_at"]).timestamp()
    return int(min(LONGEST_POLL_MS, max(SHORTEST_POLL_MS, age * 1000 / 20)))
