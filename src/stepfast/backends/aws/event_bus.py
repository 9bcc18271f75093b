"""Events on a bus of EventBridge, and in the queue where those wait that the bus has not taken (rule *event*)."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stepfast.backends.aws.batches import batches
from stepfast.backends.aws.errors import translated
from stepfast.engine.ports import Clock
from stepfast.engine.status_changes import StatusChange
from stepfast.errors import StepfastError, Unavailable
from stepfast.records import dataclass

log = logging.getLogger(__name__)

EVENT_SOURCE = "stepfast"
"""The `source` of every event."""
PUT_PAUSES = (0.1, 0.5)
"""Seconds before each further try of what a bus has refused."""


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event as a bus gets it. table: the ARN of the table that it is of. detail: JSON text."""

    type: str
    timestamp: str
    table: str
    detail: str

    @classmethod
    def of(cls, change: StatusChange, table: str) -> BusEvent:
        """The event of a change. Its detail is the body that a webhook gets, and the id that a webhook's header has."""
        detail = json.dumps({"id": change.id, **change.event()}, separators=(",", ":"))
        return cls(change.type, change.timestamp, table, detail)

    @classmethod
    def of_text(cls, text: str) -> BusEvent:
        """Reads what `as_text` has made. Raises ValueError, KeyError or TypeError."""
        said = json.loads(text)
        detail = said["detail"]
        type, timestamp = detail["type"], detail["timestamp"]
        return cls(str(type), str(timestamp), str(said["table"]), json.dumps(detail, separators=(",", ":")))

    def as_text(self) -> str:
        return json.dumps({"table": self.table, "detail": json.loads(self.detail)}, separators=(",", ":"))

    def entry(self, bus: str) -> dict[str, Any]:
        """What PutEvents takes."""
        return {
            "EventBusName": bus,
            "Source": EVENT_SOURCE,
            "DetailType": self.type,
            "Time": datetime.fromisoformat(self.timestamp),
            "Resources": [self.table] if self.table else [],
            "Detail": self.detail,
        }


class EventBus:
    """Puts events on a bus, and into the queue of those that wait.

    client: of EventBridge. sqs: a client of SQS. bus: a name or an ARN. queue: the URL of the queue.
    """

    def __init__(self, client: Any, sqs: Any, bus: str, queue: str, clock: Clock) -> None:
        self._client, self._sqs, self._bus, self._queue, self._clock = client, sqs, bus, queue, clock

    async def put(self, events: Sequence[BusEvent]) -> list[int]:
        """Puts events on the bus, a few calls at most for each; the positions of those that it has not taken.

        An event may be put twice, with the same id in its detail: if an answer is lost, or if it is put again.
        """
        left = list(range(len(events)))
        for pause in (*PUT_PAUSES, None):
            left = [
                place
                for batch in batches(left, lambda place: events[place].detail)
                for place in self._put_batch(events, batch)
            ]
            if not left or pause is None:
                return left
            await self._clock.sleep(pause)
        return left

    def _put_batch(self, events: Sequence[BusEvent], places: Sequence[int]) -> list[int]:
        """The positions that were refused, all of them if the call has failed."""
        try:
            with translated("the event bus", "is event_bus its name or ARN, and may the function put events on it?"):
                answer = self._client.put_events(Entries=[events[place].entry(self._bus) for place in places])
        except StepfastError as error:
            log.warning("%d event(s) were not put: %s", len(places), type(error).__name__)
            return list(places)
        entries = answer["Entries"]
        refused = [place for place, entry in zip(places, entries, strict=True) if entry.get("ErrorCode")]
        if refused:
            codes = ", ".join(sorted({str(entry["ErrorCode"]) for entry in entries if entry.get("ErrorCode")}))
            log.warning("the event bus has refused %d of %d event(s): %s", len(refused), len(places), codes)
        return refused

    def put_off(self, events: Sequence[BusEvent]) -> None:
        """Sends events to the queue, whose messages are tried until they become dead letters. Raises Unavailable."""
        for batch in batches(range(len(events)), lambda place: events[place].detail):
            entries = [{"Id": str(place), "MessageBody": events[place].as_text()} for place in batch]
            with translated("the queue of the events", "is it deployed, and may the function send to it?"):
                answer = self._sqs.send_message_batch(QueueUrl=self._queue, Entries=entries)
            if answer.get("Failed"):
                raise Unavailable("the queue of the events did not take all of them; try again later")
