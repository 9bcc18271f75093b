"""The messages of schedules in the timer queue: a moment has come, or a line is to be looked at. Pure.

A moment is `{"start": {…}, "schedule": …, "scheduled": …, "overlap"?: …, "jitter"?: …}`, as Scheduler sends it. A look
has `"look": true` in place of "scheduled".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stepfast.deployment.scheduled_starts import StartMessage, start_in
from stepfast.engine.schedule_items import OVERLAPS, ScheduleTarget
from stepfast.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class ScheduleMessage:
    """What a schedule starts, and the moment that has come; None to look at its line."""

    target: ScheduleTarget
    moment: float | None


def schedule_message_in(value: Any) -> ScheduleMessage | None:
    """The message of a schedule; None for a message of another kind, and for a start whose execution id is given.

    Raises InvalidRequest for one that is not valid.
    """
    if not isinstance(value, dict) or "schedule" not in value or not isinstance(value.get("start"), dict):
        return None
    if value["start"].get("execution_id") is not None:
        return None
    looks = value.get("look") is True
    start = start_in({**value, "scheduled": "1970-01-01T00:00:00Z"} if looks else value)
    assert start is not None
    target = _target(str(value["schedule"]), start, value)
    return ScheduleMessage(target, None if looks else _seconds(value["scheduled"]))


def look_text(target: ScheduleTarget) -> str:
    """The message that has the line of a schedule looked at."""
    start = {"workflow": target.workflow, "input": target.input, "labels": dict(target.labels)}
    message = {"start": start, "schedule": target.schedule, "look": True, "overlap": target.overlap}
    return json.dumps(message | ({"jitter": target.jitter} if target.jitter else {}))


def _target(name: str, start: StartMessage, value: dict[str, Any]) -> ScheduleTarget:
    overlap, jitter = value.get("overlap", "allow"), value.get("jitter", 0)
    if overlap not in OVERLAPS or type(jitter) is not int or jitter < 0:
        raise InvalidRequest(
            f"a scheduled start's overlap is one of {', '.join(OVERLAPS)}, and its jitter a whole number of seconds"
        )
    return ScheduleTarget(name, start.workflow, start.input, start.labels, overlap, jitter)


def _seconds(scheduled: str) -> float:
    at = datetime.fromisoformat(scheduled)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
