"""What a tool shows of an execution: its status, its result or error, and what it waits for."""

from __future__ import annotations

import json
from typing import Any

from mcp_types import CallToolResult, TextContent

from stepfast.client import Execution

Object = dict[str, Any]

STATUS_TOOL = "stepfast_execution"
SIGNAL_TOOL = "stepfast_signal"
RESUME_TOOL = "stepfast_resume"
UNFINISHED = ("OPEN", "RUNNING", "RETRYING")
MAX_WAITS = 20
"""Commands that are listed as waited for."""
MAX_REPORTING = 3
"""Steps whose progress a client that waits receives."""

SHAPE: Object = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "description": "the state in words, and what to do next"},
        "execution_id": {"type": "string"},
        "workflow": {"type": "string"},
        "status": {"type": "string", "description": "RUNNING, PAUSED, SUCCEEDED, FAILED, CLOSED or CANCELLED"},
        "result": {"description": "the result; null until the status is SUCCEEDED"},
        "error": {"type": ["object", "null"], "description": "type, message and step of a failure"},
        "waiting_for": {
            "type": "array",
            "items": {"type": "object"},
            "description": "unfinished steps, signals, timers",
        },
        "created_at": {"type": ["string", "null"]},
        "ended_at": {"type": ["string", "null"]},
        "parent": {"type": "object", "description": "of a child: the execution that has started it"},
        "turned_into": {
            "type": "string",
            "description": "of a start that began no execution at once: waiting, skipped (this is the execution that "
            "runs already), replaced (it begins once that one is cancelled) or debounced (this is the execution that "
            "begins with this input)",
        },
        "begins_at": {
            "type": "string",
            "description": "when an execution that waits begins, where that is known",
        },
    },
    "required": ["summary", "execution_id", "status"],
}
"""The JSON Schema of a state, which tools declare as their output."""


def read(execution: Execution[Any]) -> Object:
    """The execution as the API describes it, without commands. It makes one request."""
    return execution.describe(commands=False)


def waits_of(execution: Execution[Any]) -> list[Object]:
    """The unfinished commands of a running execution, at most MAX_WAITS. It makes one request."""
    page = execution.commands(UNFINISHED, limit=MAX_WAITS, largest=1)
    return [_wait(command) for command in page["commands"]]


def steps_that_report(execution: Execution[Any]) -> list[tuple[str, Any]]:
    """The ids of running steps with what `heartbeat(progress=…)` has reported last. It makes one request."""
    page = execution.commands(UNFINISHED, limit=MAX_WAITS, largest=1)
    reports = [(command["id"], command["progress"]) for command in page["commands"]]
    return [(id, progress) for id, progress in reports if progress is not None][:MAX_REPORTING]


def _wait(command: Object) -> Object:
    wait: Object = {"kind": command["kind"], "name": command["name"], "status": command["status"]}
    if command["kind"] == "step":
        wait["attempt"] = command["attempt"]
    if command["due"] is not None:
        wait["until"] = command["due"]
    last = command["attempts"][-1]["error"] if command["attempts"] else None
    if command["status"] == "RETRYING" and last is not None:
        wait["last_error"] = f"{last['type']}: {last['message']}"
    if command.get("payload_schema") is not None:
        wait["payload_schema"] = command["payload_schema"]
    return wait


def state_of(described: Object, waits: list[Object], operate: bool) -> Object:
    """The structured content of a tool's answer.

    described: the execution as the API describes it. operate: whether the client has the operator tools.
    """
    error = described["error"]
    return {
        "summary": _summary(described, waits, operate),
        "execution_id": described["execution_id"],
        "workflow": described["workflow"],
        "status": described["status"],
        "result": described["result"],
        "error": None if error is None else {key: error.get(key) for key in ("type", "message", "step")},
        "waiting_for": [wait for wait in waits if wait["name"] != ":update"],  # the summary has it
        "created_at": described["created_at"],
        "ended_at": described["ended_at"],
        **parent_of(described),
        **_beginning_of(described),
    }


def _beginning_of(described: Object) -> Object:
    if described.get("begun", True) or described.get("begins_at") is None:
        return {}
    return {"begins_at": described["begins_at"]}


def turned(state: Object, execution: Execution[Any]) -> Object:
    """The state with what the start was turned into, where that is not simply started."""
    into = execution.turned_into
    return state if into in (None, "started") else {**state, "turned_into": into}


def parent_of(described: Object) -> Object:
    """`parent` of a child: the execution that has started it, its command, and the root of the tree."""
    return {} if described.get("parent") is None else {"parent": described["parent"]}


def _summary(described: Object, waits: list[Object], operate: bool) -> str:
    id, status = described["execution_id"], described["status"]
    if status == "SUCCEEDED":
        return f"execution {id!r} has SUCCEEDED"
    if status == "FAILED":
        return f"{_failure(described)}; {_way_on(id, operate)}"
    if status == "PAUSED" and (described.get("intervention") or {}).get("action") == "hold":
        return f"execution {id!r} is PAUSED and begins when its workflow {described['workflow']!r} is unpaused"
    if status != "RUNNING":
        return f"execution {id!r} is {status}"
    if not described.get("begun", True):
        when = f" at {described['begins_at']}" if described.get("begins_at") else " when its turn comes"
        return f"execution {id!r} waits and begins{when}; call {STATUS_TOOL} with this execution_id to come back to it"
    waiting = f" and waits for {', '.join(_in_words(wait) for wait in waits)}" if waits else ""
    parts = [f"execution {id!r} is RUNNING{waiting}; call {STATUS_TOOL} with this execution_id to come back to it"]
    if any(wait["kind"] == "signal" and ":" not in wait["name"] for wait in waits):
        parts.append(_way_to_signal(id, operate))
    return "; ".join(parts)


def _failure(described: Object) -> str:
    error = described["error"] or {}
    place = f"in step {error['step']!r}" if error.get("step") else "in the workflow's own code"
    return (
        f"execution {described['execution_id']!r} has FAILED {place}: "
        f"{error.get('type', 'Unknown')}: {error.get('message', '')}"
    )


def _way_on(id: str, operate: bool) -> str:
    if operate:
        return f"once the cause is gone, {RESUME_TOOL} goes on from there"
    return f"once the cause is gone, an operator goes on from there with `stepfast resume {id}`"


def _way_to_signal(id: str, operate: bool) -> str:
    if operate:
        return f"{SIGNAL_TOOL} sends the signal"
    return f"an operator sends the signal with `stepfast signal {id} NAME PAYLOAD`"


def _in_words(wait: Object) -> str:
    words = f"{wait['kind']} {wait['name']!r}" if wait["name"] else str(wait["kind"])
    if wait["name"] == ":update":  # what waits for updates has no name that anybody could send
        words = "updates"
    if wait["status"] == "RETRYING":
        words += f" (attempt {wait['attempt']} failed, {wait.get('last_error', 'no error is known')})"
    if "until" in wait:
        words += f" until {wait['until']}"
    return words


def answer(state: Object, *, failed: bool = False) -> CallToolResult:
    """The answer of a tool with structured content, and the same as JSON text for clients that know only text."""
    text = json.dumps(state, ensure_ascii=False)
    return CallToolResult(content=[TextContent(text=text)], structured_content=state, is_error=failed)


def refusal(text: str) -> CallToolResult:
    """A tool error."""
    return CallToolResult(content=[TextContent(text=text)], is_error=True)
