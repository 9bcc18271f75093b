"""Consumes the timer queue, whose messages are due timers and scheduled starts.

A start is `{"start": {"workflow", "input"?, "execution_id"?, "labels"?}, "schedule": "<its name>"?, "scheduled":
"<its time>"}`, which EventBridge Scheduler may also pass to the function directly.
"""

from __future__ import annotations

import json
from typing import Any

from stepfast.backends.aws.messages import Posted
from stepfast.deployment.scheduled_starts import StartMessage, start_in
from stepfast.deployment.settings import Settings
from stepfast.engine.ports import Delivery, Disposition
from stepfast.engine.timer_handler import TimerHandler
from stepfast.functions import logs
from stepfast.functions.clients import Clients
from stepfast.functions.consumer import Consumer, in_wrong_queue
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.functions.sending_engine import SendingEngine

__all__ = ["handler"]


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler."""
    engine = SendingEngine(settings, clients, host)
    timers, operations = TimerHandler(engine.store, engine.queue, engine.clock), engine.operations

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        if delivery.message.kind != "timer":
            return in_wrong_queue(delivery.message, "timers", engine.clock.now())
        return await timers.handle(delivery)

    async def start(request: StartMessage) -> dict[str, Any]:
        with logs.about(request.execution_id):
            started = await operations.start(request.workflow, request.input, request.execution_id, request.labels)
        became = started.execution.execution_id
        return {"execution_id": became, "created": started.created, "turned_into": started.into}

    async def other(body: str) -> bool:
        request = start_in(_json(body))
        if request is not None:
            await start(request)
        return request is not None

    consumer = Consumer(engine, settings.timer_queue, handle, other)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        request = start_in(event)
        return consumer(event, context) if request is None else engine.call(start(request))

    return handler


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


handler = EntryPoint("timer", build)
