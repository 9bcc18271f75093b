"""Consumes an SQS queue: handles each message and carries out its disposition in SQS."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from stepfast.backends.aws.looks import send_later
from stepfast.backends.aws.messages import ForeignMessage, Posted, posted_in
from stepfast.deployment.queue_limits import LONGEST_VISIBILITY, RECEIVES
from stepfast.engine.messages import Message
from stepfast.engine.ports import Delete, Delivery, Disposition, Later, Leave, Refuse
from stepfast.engine.sealed_parts import opened_message
from stepfast.functions import logs
from stepfast.functions.batches import Answer, Kept, RawRecord, SqsRecord, failures_of, message_id_of
from stepfast.functions.engine import Engine

log = logging.getLogger(__name__)

RENEW_AFTER_RECEIVES = RECEIVES - 100
"""A message received this often is sent again as a new message, which starts at zero receives.

SQS moves a message to the dead-letter queue after RECEIVES deliveries (`maxReceiveCount`), and a step may be retried
more often than that.
"""
LEFT_SECONDS = 30.0
"""Delay in seconds of the new message when a message that another worker has claimed must be sent again."""
WRONG_QUEUE_SECONDS = 300.0
"""Seconds until a message in the wrong queue is delivered again."""
FOREIGN_SECONDS = 5.0
"""Delay in seconds of an unknown message: at this pace it reaches the dead-letter queue within hours."""

Handle = Callable[[Posted, Delivery], Awaitable[Disposition]]
Other = Callable[[str], Awaitable["bool | Later"]]
"""Handles the body of a message that names no command.

True if it is done with, Later to have it again, False if it does not recognize the body.
"""


def in_wrong_queue(message: Message, queue: str, now: float) -> Later:
    """The disposition of a message that somebody has moved into a queue whose function must not handle it."""
    log.error(
        "%s %s is of pool %r, and this is the queue of %s: move the message, or deploy that pool",
        message.kind,
        message.command_id,
        message.pool,
        queue,
    )
    return Later(now + WRONG_QUEUE_SECONDS)


class Consumer:
    """Handles the messages of one queue. Lambda deletes a message only if its disposition is Delete.

    url: the queue's URL; "" leaves each message to the queue's own visibility timeout. handle: runs one delivery.
    other: runs a message that names no command.
    """

    def __init__(self, engine: Engine, url: str, handle: Handle, other: Other | None = None) -> None:
        self._engine, self._url, self._handle, self._other = engine, url, handle, other
        self._began = 0.0

    def __call__(self, event: dict[str, Any], context: Any) -> Answer:
        self._engine.time_left.begin(context)
        self._began = self._engine.clock.now()
        return self._engine.call(failures_of(event["Records"], self._consume, message_id_of))

    async def _consume(self, raw: RawRecord) -> None:
        """Returns if Lambda may delete the message, and raises Kept if it must not."""
        record = SqsRecord(raw)
        try:
            posted = self._opened(posted_in(record.body))
        except ForeignMessage:
            return await self._foreign(record)
        with logs.about(posted.message.execution_id):
            return await self._settle(record, posted, await self._dispose(record, posted))

    def _opened(self, posted: Posted) -> Posted:
        return replace(posted, message=opened_message(posted.message, self._engine.keyring))

    async def _foreign(self, record: SqsRecord) -> None:
        try:
            outcome = self._other is not None and await self._other(record.body)
        except Exception as error:
            logs.complain(log, f"message {record.message_id}", error)
            self._put_off(record, _retry_delay(record))
            raise Kept from None
        if isinstance(outcome, Later):
            return self._have_again(record, outcome.at)
        if outcome:
            return None
        # The log gets neither the body nor an error's text, which could quote the body.
        log.error("message %s is none that this stepfast knows: it goes to the dead letters", record.message_id)
        self._put_off(record, FOREIGN_SECONDS)
        raise Kept

    def _have_again(self, record: SqsRecord, at: float) -> None:
        """Puts off a message that names no command. One that was received often is sent anew in its place."""
        seconds = min(at - self._engine.clock.now(), LONGEST_VISIBILITY - 60.0)
        if self._url and record.receives >= RENEW_AFTER_RECEIVES:
            send_later(self._engine.clients.sqs, self._url, record.body, seconds)
            return
        self._put_off(record, seconds)
        raise Kept

    async def _dispose(self, record: SqsRecord, posted: Posted) -> Disposition:
        now = self._engine.clock.now()
        if posted.due is not None and posted.due > now:
            return Later(posted.due)
        try:
            return await self._handle(posted, Delivery(posted.message, record.sent_at, posted.due))
        except Exception as error:
            logs.complain(log, f"{posted.message.kind} {posted.message.command_id}", error)
            # Retries before the visibility timeout ends, which is as long as the function may run.
            return Later(now + _retry_delay(record))

    async def _settle(self, record: SqsRecord, posted: Posted, disposition: Disposition) -> None:
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
            self._put_off(record, 0.0)  # visible again at once, so that SQS makes it a dead letter at once
        raise Kept

    def _must_renew(self, record: SqsRecord, at: float) -> bool:
        """Whether SQS cannot hold this message until `at`, or cannot deliver it often enough any more.

        SQS refuses a visibility timeout that would end more than 12 hours after the message was received; a minute is
        kept in reserve. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
        """
        longest = self._began + LONGEST_VISIBILITY - 60.0
        return bool(self._url) and (at > longest or record.receives >= RENEW_AFTER_RECEIVES)

    async def _renew(self, posted: Posted, at: float) -> None:
        try:
            await self._engine.queue.send([(posted.message, at)])
        except Exception as error:
            logs.complain(log, f"sending {posted.message.kind} {posted.message.command_id} anew", error)
            raise Kept from None

    def _put_off(self, record: SqsRecord, seconds: float) -> None:
        """Makes a message visible again after `seconds`.

        If SQS refuses, it returns when its visibility timeout ends.
        """
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


def _retry_delay(record: SqsRecord) -> float:
    """Seconds until a failed message is retried: doubles with each receive, up to a minute."""
    return min(60.0, 2.0 ** min(10, record.receives))
