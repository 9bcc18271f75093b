"""Reads the message of a scheduled start: `{"start": {…}, "schedule": …, "scheduled": …}`, see timer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stepfast.errors import InvalidRequest

FIELDS = {"workflow", "input", "execution_id", "labels"}


@dataclass(frozen=True, slots=True)
class StartMessage:
    """The workflow, input, execution id and labels of a scheduled start."""

    workflow: str
    input: Any
    execution_id: str
    labels: Mapping[str, str]


def start_in(value: Any) -> StartMessage | None:
    """The start that a message asks for; None for a message of another kind.

    A start without an execution id gets one made of the name of its schedule (or else of its workflow) and its time,
    so that a message which is delivered twice starts one execution. Raises InvalidRequest for a start that is not
    valid.
    """
    asked = value.get("start") if isinstance(value, dict) else None
    if not isinstance(asked, dict):
        return None
    workflow, labels = asked.get("workflow"), asked.get("labels", {})
    if set(asked) - FIELDS or not isinstance(workflow, str) or not isinstance(labels, dict):
        raise InvalidRequest(
            f'a scheduled "start" has a "workflow", and of the others only {", ".join(sorted(FIELDS))}'
        )
    if not all(isinstance(label, str) for label in labels.values()):
        raise InvalidRequest("a scheduled start's labels are texts")
    execution_id = asked.get("execution_id")
    if execution_id is not None and not isinstance(execution_id, str):
        raise InvalidRequest("a scheduled start's execution_id is a text")
    named = value.get("schedule", workflow)
    if not isinstance(named, str):
        raise InvalidRequest("a scheduled start's schedule is a text")
    return StartMessage(
        workflow, asked.get("input"), execution_id or f"{named}-{_time_for_id(value.get('scheduled'))}", labels
    )


def _time_for_id(scheduled: Any) -> str:
    """An ISO 8601 time without colons, which an execution id cannot contain: 2026-11-22T150000Z."""
    try:
        at = datetime.fromisoformat(scheduled)
    except (TypeError, ValueError):
        raise InvalidRequest(
            'a scheduled start without an execution_id needs "scheduled": "<aws.scheduler.scheduled-time>", '
            "which Scheduler replaces by the time"
        ) from None
    return f"{at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}" if at.tzinfo else f"{at:%Y-%m-%dT%H%M%SZ}"
