"""Consumes the timer queue, whose messages are due timers and scheduled starts.

A start is `{"start": {"workflow", "input"?, "execution_id"?, "labels"?}, "schedule": "<its name>"?, "scheduled":
"<its time>", "overlap"?, "jitter"?}`, which EventBridge Scheduler may also pass to the function directly. If it names a
schedule, the schedule's pause and its overlap policy hold.
"""

from __future__ import annotations

import json
from typing import Any

from stepfast.backends.aws.looks import send_later
from stepfast.backends.aws.messages import Posted
from stepfast.deployment.schedule_messages import ScheduleMessage, schedule_message_in
from stepfast.deployment.scheduled_starts import StartMessage, start_in
from stepfast.deployment.settings import Settings
from stepfast.engine.holding import PAUSES_KEPT_SECONDS
from stepfast.engine.ports import Delivery, Disposition, Later
from stepfast.engine.timer_handler import TimerHandler
from stepfast.functions import logs
from stepfast.functions.clients import Clients
from stepfast.functions.consumer import Consumer, in_wrong_queue
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host
from stepfast.functions.scheduled import ScheduledMoments
from stepfast.functions.sending_engine import SendingEngine

__all__ = ["handler"]


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler."""
    engine = SendingEngine(settings, clients, host)
    timers = TimerHandler(engine.store, engine.queue, engine.clock, PAUSES_KEPT_SECONDS)
    moments = ScheduledMoments(engine)
    _ = engine.registry  # imports the workflows now, while the sandbox initializes with full CPU

    async def handle(posted: Posted, delivery: Delivery) -> Disposition:
        if delivery.message.kind != "timer":
            return in_wrong_queue(delivery.message, "timers", engine.clock.now())
        return await timers.handle(delivery)

    async def start(request: StartMessage) -> dict[str, Any]:
        with logs.about(request.execution_id):
            started = await engine.operations.start(
                request.workflow, request.input, request.execution_id, request.labels
            )
        became = started.execution.execution_id
        return {"execution_id": became, "created": started.created, "turned_into": started.into}

    async def other(body: str) -> bool | Later:
        value = _json(body)
        if (message := schedule_message_in(value)) is not None:
            _, again = await moments.handle(message)
            return True if again is None else Later(again)
        request = start_in(value)
        if request is not None:
            await start(request)
        return request is not None

    consumer = Consumer(engine, settings.timer_queue, handle, other)

    async def directly(event: dict[str, Any], message: ScheduleMessage) -> dict[str, Any]:
        outcome, again = await moments.handle(message)
        if again is not None:
            send_later(clients.sqs, settings.timer_queue, json.dumps(event), again - engine.clock.now())
        if outcome is None:
            return {"again": again is not None}
        return {"execution_id": outcome.execution_id, "created": outcome.created}

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if (message := schedule_message_in(event)) is not None:
            return engine.call(directly(event, message))
        request = start_in(event)
        return consumer(event, context) if request is None else engine.call(start(request))

    return handler


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


handler = EntryPoint("timer", build)
