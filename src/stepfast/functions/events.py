"""Sends changes of status to a bus of EventBridge (rule *event*): a second reader of the table's stream.

An event that the bus refuses waits in a queue of its own, which invokes this function as well, so that no event holds
up those after it. An event that is refused for long becomes a dead letter, and can be redriven.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from stepfast.backends.aws.errors import translated
from stepfast.backends.aws.event_bus import BusEvent, EventBus
from stepfast.backends.dynamodb.status_changes import change_in
from stepfast.deployment.settings import Settings
from stepfast.errors import StepfastError, Unavailable
from stepfast.functions import logs
from stepfast.functions.clients import Clients
from stepfast.functions.entry import EntryPoint
from stepfast.functions.host import Handler, Host

__all__ = ["handler"]

log = logging.getLogger(__name__)

UNREADABLE_SECONDS = 60.0
"""Age at which a record is given up that cannot be read."""
Record = dict[str, Any]


def build(settings: Settings, clients: Clients, host: Host | None = None) -> Handler:
    """Makes the handler, which answers the records that are to come again."""
    host = host or Host()
    events = _Events(settings, clients, host)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        records: list[Record] = event["Records"]
        queued = bool(records) and records[0].get("eventSource") == "aws:sqs"
        again = host.call(events.of_queue(records) if queued else events.of_stream(records))
        return {"batchItemFailures": [{"itemIdentifier": id} for id in again]}

    return handler


class _Events:
    def __init__(self, settings: Settings, clients: Clients, host: Host) -> None:
        self._clients, self._clock, self._undelivered = clients, host.clock, settings.undelivered
        self._bus = EventBus(clients.events, clients.sqs, settings.event_bus, settings.event_queue, host.clock)

    async def of_stream(self, records: Sequence[Record]) -> list[str]:
        """Puts what the records report. The sequence number from which on Lambda is to deliver the records again."""
        events: list[BusEvent] = []
        unread: list[str] = []
        for record in records:
            try:
                change = change_in(record["dynamodb"].get("NewImage") or {})
            except (StepfastError, ValueError, KeyError, TypeError, IndexError) as error:
                if not self._is_given_up(record, error):
                    unread.append(record["dynamodb"]["SequenceNumber"])
                    break
                continue
            if change is not None:
                events.append(BusEvent.of(change, record.get("eventSourceARN", "").partition("/stream/")[0]))
        refused = await self._bus.put(events)
        if refused:
            # Raises if the queue does not take them either: then all records come again, and no event is lost.
            self._bus.put_off([events[place] for place in refused])
        return unread

    async def of_queue(self, records: Sequence[Record]) -> list[str]:
        """Puts the events of messages. The ids of those that the bus has not taken, or that are none."""
        events: list[BusEvent] = []
        ids: list[str] = []
        again: list[str] = []
        for record in records:
            try:
                events.append(BusEvent.of_text(record["body"]))
                ids.append(record["messageId"])
            except (ValueError, KeyError, TypeError):
                log.error("message %s holds no event: it goes to the dead letters", record["messageId"])
                again.append(record["messageId"])
        return [*again, *(ids[place] for place in await self._bus.put(events))]

    def _is_given_up(self, record: Record, error: Exception) -> bool:
        """Names an execution whose record cannot be read where an alarm looks, once the record is old enough."""
        change = record["dynamodb"]
        execution_id = str(change["Keys"]["pk"]["S"]).removeprefix("x#")
        with logs.about(execution_id):
            logs.complain(log, f"a change of execution {execution_id} cannot be read", error)
            born = float(change.get("ApproximateCreationDateTime", self._clock.now()))
            if isinstance(error, Unavailable) or self._clock.now() - born < UNREADABLE_SECONDS:
                return False
            notice = {"execution_id": execution_id, "function": "events", "error": type(error).__name__}
            with translated("the queue of the undelivered", "is it deployed, and may the function send to it?"):
                self._clients.sqs.send_message(QueueUrl=self._undelivered, MessageBody=json.dumps(notice))
        return True


handler = EntryPoint("events", build)
