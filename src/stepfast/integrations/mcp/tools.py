"""The tools: one for each workflow, and one that shows an execution."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mcp_types import Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from stepfast.integrations.mcp.states import SHAPE, STATUS_TOOL

Object = dict[str, Any]

MAX_WAIT_SECONDS = 300.0
"""The longest that one call waits for an execution."""
MAX_NAME = 64
"""Characters of a tool's name that every known client takes."""
OWN_PREFIX = "stepfast_"
"""The names of tools that are no workflow begin with it."""
ID = r"^[A-Za-z0-9._-]{1,128}$"
_EXECUTION_ID = {"type": "string", "pattern": ID}


class ToolArguments(BaseModel):
    """The arguments of a tool. An unknown argument is refused, so that a misspelt name is noticed."""

    model_config = ConfigDict(extra="forbid")


class WorkflowArguments(ToolArguments):
    input: Any = None
    execution_id: str | None = Field(None, pattern=ID)
    wait_seconds: float | None = Field(None, ge=0, le=MAX_WAIT_SECONDS)


class StatusArguments(ToolArguments):
    execution_id: str = Field(pattern=ID)
    wait_seconds: float = Field(0.0, ge=0, le=MAX_WAIT_SECONDS)


def names_of(workflows: Iterable[str]) -> dict[str, str]:
    """The name of each workflow's tool, with the workflow.

    A workflow's name may have dots, which some clients refuse in the name of a tool: each becomes `_`. If the result
    is taken by another workflow, or begins as the names of the other tools do, a digest of the name is appended.
    """
    plain: dict[str, list[str]] = {}
    for workflow in workflows:
        plain.setdefault(re.sub(r"[^A-Za-z0-9_-]", "_", workflow), []).append(workflow)
    names = {}
    for name, sharing in plain.items():
        for workflow in sharing:
            alone = len(sharing) == 1 or name == workflow
            names[name if alone and not name.startswith(OWN_PREFIX) else _distinct(name, workflow)] = workflow
    return names


def _distinct(name: str, workflow: str) -> str:
    digest = hashlib.sha256(workflow.encode()).hexdigest()[:8]
    return f"w_{name[: MAX_NAME - 11]}_{digest}"


def workflow_tool(name: str, workflow: Mapping[str, Any], wait: float) -> Tool:
    """The tool that starts a workflow.

    workflow: as `GET /v1/workflows` describes it. wait: seconds that a call waits unless its arguments say otherwise.
    """
    documentation = workflow.get("documentation") or workflow.get("description") or ""
    usage = (
        f"Starts an execution of the stepfast workflow {workflow['name']!r} and waits for its end, by default "
        f"{wait:g} seconds. If it is still RUNNING then, it goes on: call {STATUS_TOOL} with the execution_id."
    )
    return Tool(
        name=name,
        title=workflow["name"],
        description=f"{documentation}\n\n{usage}".strip(),
        input_schema=_start_schema(workflow.get("input_schema") or {}, wait),
        output_schema=SHAPE,
        annotations=ToolAnnotations(read_only_hint=False, idempotent_hint=False),
    )


def _start_schema(input_schema: Mapping[str, Any], wait: float) -> Object:
    """The schema of the arguments, with the workflow's schema as `input`.

    An input may be of any JSON type, and the arguments of a tool are always an object. References in pydantic's
    schemas lead to `#/$defs`, so the definitions move to the root.
    """
    own = dict(input_schema)
    definitions = own.pop("$defs", None)
    properties: Object = {} if own.get("type") == "null" else {"input": own}
    properties["execution_id"] = {
        **_EXECUTION_ID,
        "description": "Names the execution. A call that is repeated with the same execution_id and input finds the "
        "execution and starts no other. Without it, each call starts a new execution.",
    }
    properties["wait_seconds"] = {
        "type": "number",
        "minimum": 0,
        "maximum": MAX_WAIT_SECONDS,
        "default": wait,
        "description": "The longest wait for the end, in seconds. 0 returns at once.",
    }
    schema: Object = {"type": "object", "properties": properties, "additionalProperties": False}
    if own and "input" in properties:
        schema["required"] = ["input"]
    if definitions is not None:
        schema["$defs"] = definitions
    return schema


def status_tool() -> Tool:
    return Tool(
        name=STATUS_TOOL,
        title="Show an execution",
        description="Shows an execution of a stepfast workflow: its status, its result or its error with the step that "
        "failed, and the steps, timers and signals that it waits for. Call it to come back to an execution that was "
        "still RUNNING.",
        input_schema={
            "type": "object",
            "properties": {
                "execution_id": _EXECUTION_ID,
                "wait_seconds": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": MAX_WAIT_SECONDS,
                    "default": 0,
                    "description": "The longest wait for the end, in seconds.",
                },
            },
            "required": ["execution_id"],
            "additionalProperties": False,
        },
        output_schema=SHAPE,
        annotations=ToolAnnotations(read_only_hint=True),
    )
