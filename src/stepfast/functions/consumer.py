"""Messages of an SQS queue, taken to their dispositions, and what SQS is told of each."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stepfast.backends.aws.messages import ForeignMessage, Posted, posted_in
from stepfast.deployment.queue_limits import LONGEST_VISIBILITY, RECEIVES
from stepfast.engine.ports import Delete, Delivery, Disposition, Later, Leave, Refuse
from stepfast.functions import logs
from stepfast.functions.batches import Answer, Batch, EventType, Kept, SQSRecord
from stepfast.functions.engine import Engine

log = logging.getLogger(__name__)

RENEW_AFTER_RECEIVES = RECEIVES - 100
"""Receives after which a message is sent anew: a step may be retried more often than a queue delivers."""
LEFT_SECONDS = 30.0
"""Seconds until a message that is left to another worker is looked at again, when it is sent anew."""
FOREIGN_SECONDS = 5.0
"""Seconds until a message that is not ours comes again: RECEIVES of these take it to the dead letters in hours."""

Handle = Callable[[Posted, Delivery], Awaitable[Disposition]]
Other = Callable[[str], Awaitable[bool]]
"""Takes the body of a message that names no command; False when it does not know it."""


class Consumer:
    """Handles what one queue brings; a message is deleted only when its disposition says so.

    url: the queue's; without one messages are not put off, but left to the queue's own rules.
    """

    def __init__(self, engine: Engine, url: str, handle: Handle, other: Other | None = None) -> None:
        self._engine, self._url, self._handle, self._other = engine, url, handle, other
        self._batch = Batch(EventType.SQS)
        self._began = 0.0

    def __call__(self, event: dict[str, Any], context: Any) -> Answer:
        self._engine.time_left.begin(context)
        self._began = self._engine.clock.now()
        return self._engine.call(self._batch.run(event["Records"], self._one))

    async def _one(self, record: SQSRecord) -> None:
        """Returns when the message is to be deleted; else raises."""
        try:
            posted = posted_in(record.body)
        except ForeignMessage:
            return await self._foreign(record)
        with logs.about(posted.message.execution_id):
            return await self._settle(record, posted, await self._dispose(record, posted))

    async def _foreign(self, record: SQSRecord) -> None:
        try:
            if self._other is not None and await self._other(record.body):
                return
        except Exception as error:
            logs.complain(log, f"message {record.message_id}", error)
            self._put_off(record, _patience(record))
            raise Kept from None
        # Neither its body is told, nor what an error would quote of it.
        log.error("message %s is none that this stepfast knows: it goes to the dead letters", record.message_id)
        self._put_off(record, FOREIGN_SECONDS)
        raise Kept

    async def _dispose(self, record: SQSRecord, posted: Posted) -> Disposition:
        now = self._engine.clock.now()
        if posted.due is not None and posted.due > now:
            return Later(posted.due)
        try:
            sent_at = int(record.attributes.sent_timestamp) / 1000
            return await self._handle(posted, Delivery(posted.message, sent_at))
        except Exception as error:
            logs.complain(log, f"{posted.message.kind} {posted.message.command_id}", error)
            # Sooner than when its visibility ends, which is as long as the function may run.
            return Later(now + _patience(record))

    async def _settle(self, record: SQSRecord, posted: Posted, disposition: Disposition) -> None:
        if isinstance(disposition, Delete):
            return
        now = self._engine.clock.now()
        at = disposition.at if isinstance(disposition, Later) else now + LEFT_SECONDS
        if isinstance(disposition, Later | Leave) and self._must_renew(record, at):
            await self._renew(posted, at)
            return
        if isinstance(disposition, Later):
            self._put_off(record, disposition.at - now)
        if isinstance(disposition, Refuse):
            self._put_off(record, 0.0)  # seen again at once, it is a dead letter at once
        raise Kept

    def _must_renew(self, record: SQSRecord, at: float) -> bool:
        """True when this message cannot wait so long, or not often enough any more."""
        longest = self._began + LONGEST_VISIBILITY - 60.0
        return bool(self._url) and (at > longest or _receives(record) >= RENEW_AFTER_RECEIVES)

    async def _renew(self, posted: Posted, at: float) -> None:
        try:
            await self._engine.queue.send([(posted.message, at)])
        except Exception as error:
            logs.complain(log, f"sending {posted.message.kind} {posted.message.command_id} anew", error)
            raise Kept from None

    def _put_off(self, record: SQSRecord, seconds: float) -> None:
        """Has a message come again then; if SQS refuses, it comes when its visibility ends."""
        if not self._url:
            return
        try:
            self._engine.clients.sqs.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=record.receipt_handle,
                VisibilityTimeout=max(0, math.ceil(seconds)),
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("message %s was not put off: %s", record.message_id, type(error).__name__)


def _patience(record: SQSRecord) -> float:
    """Seconds until what has failed is tried again: more each time."""
    return min(60.0, 2.0 ** min(10, _receives(record)))


def _receives(record: SQSRecord) -> int:
    return int(record.attributes.approximate_receive_count)
