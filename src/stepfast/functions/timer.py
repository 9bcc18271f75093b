"""Timers that come due, and scheduled starts: both are messages of the timer queue.

A start is `{"start": {"workflow", "input"?, "execution_id"?, "labels"?}, "schedule": "<its name>"?, "scheduled":
"<its time>"}`, which EventBridge Scheduler may also hand to the function itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stepfast.backends.sqs_messages import Posted
from stepfast.errors import InvalidRequest
from stepfast.functions import logs
from stepfast.functions.clients import Clients
from stepfast.functions.consuming import Consumer
from stepfast.functions.driving import worker_of
from stepfast.functions.entry import Entry
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending import SendingEngine
from stepfast.functions.settings import Settings
from stepfast.ports import Delivery, Disposition

FIELDS = {"workflow", "input", "execution_id", "labels"}


@dataclass(frozen=True, slots=True)
class Start:
    """A start that was asked for by the clock."""

    workflow: str
    input: Any
    execution_id: str
    labels: Mapping[str, str]


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler."""
    engine = SendingEngine(settings, clients, host)
    worker, operations = worker_of(engine), engine.operations

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        return await worker.handle(delivery)

    async def start(one: Start) -> dict[str, Any]:
        with logs.about(one.execution_id):
            started = await operations.start(one.workflow, one.input, one.execution_id, one.labels)
        return {"execution_id": one.execution_id, "created": started.created}

    async def other(body: str) -> bool:
        found = start_in(_json(body))
        if found is not None:
            await start(found)
        return found is not None

    consumer = Consumer(engine, settings.timer_queue, handle, other)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        found = start_in(event)
        return consumer(event, context) if found is None else engine.call(start(found))

    return handler


def start_in(value: Any) -> Start | None:
    """The start that a message asks for, None for any other; InvalidRequest says what is wrong with it.

    Without an id it gets one made of its schedule (its workflow, where none is named) and its time, so that a
    start which is delivered twice starts once.
    """
    asked = value.get("start") if isinstance(value, dict) else None
    if not isinstance(asked, dict):
        return None
    workflow, labels = asked.get("workflow"), asked.get("labels", {})
    if set(asked) - FIELDS or not isinstance(workflow, str) or not isinstance(labels, dict):
        raise InvalidRequest(
            f'a scheduled "start" has a "workflow", and of the others only {", ".join(sorted(FIELDS))}'
        )
    if not all(isinstance(one, str) for one in labels.values()):
        raise InvalidRequest("a scheduled start's labels are texts")
    given = asked.get("execution_id")
    if given is not None and not isinstance(given, str):
        raise InvalidRequest("a scheduled start's execution_id is a text")
    named = value.get("schedule", workflow)
    if not isinstance(named, str):
        raise InvalidRequest("a scheduled start's schedule is a text")
    return Start(workflow, asked.get("input"), given or f"{named}-{_compact(value.get('scheduled'))}", labels)


def _compact(scheduled: Any) -> str:
    """An ISO 8601 time without the colons, which no execution id may have: 2026-11-22T150000Z."""
    try:
        at = datetime.fromisoformat(scheduled)
    except (TypeError, ValueError):
        raise InvalidRequest(
            'a scheduled start without an execution_id needs "scheduled": "<aws.scheduler.scheduled-time>", '
            "which Scheduler replaces by the time"
        ) from None
    return f"{at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}" if at.tzinfo else f"{at:%Y-%m-%dT%H%M%SZ}"


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


handler = Entry("timer", build)
