"""What the answers of queries and updates mean to a caller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepfast.client.values import plain
from stepfast.errors import WrongStatus
from stepfast.update_errors import UpdateFailed, UpdateRefused


@dataclass(frozen=True, slots=True)
class StartIf:
    """An update starts this if no execution has its id. One that is there keeps its own input.

    workflow: the workflow, or its name.
    inputs: its input, a model or plain JSON values.
    labels: at most 20 names and values, to find the execution by.
    """

    workflow: Any
    inputs: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)


def start_body(start: StartIf) -> dict[str, Any]:
    """What is sent of it."""
    name = start.workflow if isinstance(start.workflow, str) else start.workflow.name
    return {"workflow": name, "input": plain(start.inputs, "inputs"), "labels": dict(start.labels)}


def answer_of(value: Any, type: Any) -> Any:
    """JSON values as a type; without a type as they are."""
    if type is None:
        return value
    from stepfast.values.codec import Codec

    return Codec(type, "answer").decode(json.dumps(value))


def answered(state: Mapping[str, Any], type: Any) -> Any:
    """The result of an update that is not pending, or the exception that it stands for."""
    error = state.get("error") or {}
    match state["status"]:
        case "succeeded":
            return answer_of(state["result"], type)
        case "refused":
            raise UpdateRefused(error.get("message", ""))
        case "failed":
            raise UpdateFailed(state["name"], error.get("type", "Unknown"), error.get("message", ""))
    raise WrongStatus(
        f"execution {state['execution_id']!r} has ended before update {state['update_id']!r}, which gets no answer",
        "ended",
    )
