"""SQS's rules where moto is lax: receipts, visibility, dead letters, retention, redrives.

This is the only file that reads or edits private parts of moto's queues: the list of a queue's messages, its pending
and deleted messages, and the old receipts of a message. It runs on moto 5.2.5; 5.1.10 has the same parts.
`check_moto` looks for each of these parts when a cloud is opened, so that another moto fails at once and in one line.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from moto.core.utils import unix_time_millis
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from stepfast.errors import StartupError
from stepfast.simulator.lambdas import ACCOUNT, REGION
from stepfast.simulator.patching import Patches

MAX_VISIBILITY_SECONDS = 43_200
"""Seconds from its receive that a message can be kept invisible."""

ROUNDING = 0.001
"""Milliseconds by which moto's floats may be off."""

Noticed = Callable[[Queue, float], object]
"""Called with a queue and the time (milliseconds) at which something in it is or will be visible."""


_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Queue": ("_messages", "pending_messages", "deleted_messages", "add_message", "redrive_policy"),
        "Message": (
            "_old_receipt_handles",
            "receipt_handle",
            "visible_at",
            "delayed_until",
            "mark_received",
            "had_receipt_handle",
            "all_receipt_handles",
        ),
    }
)
"""What the rules use of moto's objects, by class."""


def check_moto(queue: object, message: object) -> None:
    """StartupError, in one line, when moto's queue or message lacks a part that the rules use."""
    for kind, sample in (("Queue", queue), ("Message", message)):
        missing = [part for part in _PARTS[kind] if not hasattr(sample, part)]
        if missing:
            version = metadata.version("moto")
            raise StartupError(
                f"moto {version} has no {kind}.{missing[0]}, which the simulator edits: pip install 'moto>=5.1.10,<5.3'"
            )


class MailRules:
    """Makes moto's SQS keep the rules for all its callers, and reports every message that can be received."""

    def __init__(self, noticed: Noticed) -> None:
        self._noticed = noticed
        self._received: WeakKeyDictionary[Message, float] = WeakKeyDictionary()
        self._sources: WeakKeyDictionary[Message, str] = WeakKeyDictionary()

    def patch(self, patches: Patches) -> None:
        check_moto(Queue("check", REGION, ACCOUNT), Message("check", "check"))  # type: ignore[abstract]
        rules = self
        add = Queue.add_message
        mark = Message.mark_received

        def add_message(self: Queue, message: Message) -> None:
            add(self, message)
            rules._noticed(self, max(message.delayed_until, message.visible_at))

        def mark_received(self: Message, visibility_timeout: int | None = None) -> None:
            mark(self, visibility_timeout)
            rules._received[self] = unix_time_millis()

        def change(self: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
            rules.change_visibility(self.get_queue(queue_name), receipt_handle, int(visibility_timeout))

        def delete(self: SQSBackend, queue_name: str, receipt_handle: str) -> None:
            rules.delete(self.get_queue(queue_name), receipt_handle)

        attributes, send_message = vars(Queue)["attributes"], SQSBackend.send_message
        sending: list[str] = []

        def send(self: SQSBackend, queue_name: str, *arguments: Any, **options: Any) -> Message:
            sending.append(queue_name)
            try:
                return send_message(self, queue_name, *arguments, **options)
            finally:
                sending.pop()

        def attributes_of(self: Queue) -> dict[str, Any]:
            # For each message that is sent, moto asks whether the queue drops duplicates by their content, and counts
            # all messages of the queue to answer that. Only FIFO queues can drop duplicates.
            if sending and not self.fifo_queue:
                return {}
            counted: dict[str, Any] = attributes.fget(self)
            return counted

        patches.put(Queue, "attributes", property(attributes_of))
        patches.put(SQSBackend, "send_message", send)
        patches.put(Queue, "add_message", add_message)
        patches.put(Message, "mark_received", mark_received)
        patches.put(SQSBackend, "change_message_visibility", change)
        patches.put(SQSBackend, "delete_message", delete)

    # -- what callers of AWS may do ----------------------------------------------------------------------------

    def change_visibility(self, queue: Queue, receipt: str, seconds: int) -> None:
        """Nothing happens for a receipt that is no longer the message's last one."""
        message = holder(queue, receipt)
        now = unix_time_millis()
        if message is None or (message.receipt_handle == receipt and message.visible_at <= now):
            raise SQSException("MessageNotInflight", "The specified message isn't in flight.")
        if message.receipt_handle != receipt:
            return
        since = self._received.get(message, now)
        if now + seconds * 1000 - since > MAX_VISIBILITY_SECONDS * 1000:
            raise InvalidParameterValue(
                f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout "
                f"for the message is beyond the limit [{MAX_VISIBILITY_SECONDS} seconds]"
            )
        message.visible_at = now + seconds * 1000 if seconds else 0.0  # moto takes "now" for later
        queue.pending_messages.discard(message)
        self._noticed(queue, message.visible_at)

    def delete(self, queue: Queue, receipt: str) -> None:
        """Deletes a message by its last receipt; an older one deletes nothing, and is no error."""
        if receipt in queue.deleted_messages:
            return
        message = holder(queue, receipt)
        if message is None:
            raise ReceiptHandleIsInvalid
        if message.receipt_handle == receipt:
            queue._messages.remove(message)
            queue.pending_messages.discard(message)
            queue.deleted_messages.update(handle for handle in message.all_receipt_handles if handle)

    # -- what SQS does by itself --------------------------------------------------------------------------------

    def receivable(self, queue: Queue) -> list[Message]:
        """What can be received now; what came too often goes to the dead letters, what is too old is dropped."""
        now = unix_time_millis() + ROUNDING
        kept = 1000.0 * int(queue.message_retention_period)  # type: ignore[attr-defined]
        receivable = []
        for message in list(queue._messages):
            if now - (message.sent_timestamp or 0) >= kept:
                queue._messages.remove(message)
            elif max(message.visible_at, message.delayed_until) <= now:
                policy = queue.redrive_policy
                if policy and message.approximate_receive_count >= policy["maxReceiveCount"]:
                    self._bury(queue, message)
                else:
                    receivable.append(message)
        return receivable

    def _bury(self, queue: Queue, message: Message) -> None:
        """A dead letter keeps its id, and the time at which it was first sent."""
        queue._messages.remove(message)
        queue.pending_messages.discard(message)
        if queue.dead_letter_queue is not None:
            message.visible_at = message.delayed_until = 0.0
            self._sources[message] = queue.queue_arn
            queue.dead_letter_queue.add_message(message)

    def copy(self, queue: Queue, message: Message, seconds: float) -> None:
        """One of SQS's servers has kept a message that is being received: it comes again, with the same id."""
        again = copy.copy(message)
        again._old_receipt_handles = []
        again.receipt_handle = None
        again.visible_at = unix_time_millis() + seconds * 1000
        queue._messages.append(again)
        self._noticed(queue, again.visible_at)

    def source(self, message: Message) -> str | None:
        """The ARN of the queue that a dead letter comes from; None for one that was sent straight here."""
        return self._sources.get(message)

    def move(self, message: Message, origin: Queue, target: Queue) -> None:
        """One message of a redrive: a new one, with a new id, time and count, that says the same."""
        origin._messages.remove(message)
        sqs_backends[ACCOUNT][REGION].send_message(
            target.name, message.body, message_attributes=message.message_attributes
        )


def holder(queue: Queue, receipt: str) -> Message | None:
    """The message that was once received with this receipt, if it is still there."""
    for message in queue._messages:
        if message.receipt_handle == receipt or receipt in message._old_receipt_handles:
            return message
    return None


def messages_in(queue: Queue) -> list[Message]:
    """Every message of a queue, visible or not, in the order in which they were sent."""
    return list(queue._messages)


def is_deleted(queue: Queue, receipt: str) -> bool:
    """True once the message of this receipt was deleted."""
    return receipt in queue.deleted_messages


def queues() -> dict[str, Queue]:
    """All queues of the played account, by name."""
    return dict(sqs_backends[ACCOUNT][REGION].queues)


def send(queue: Queue, body: str) -> None:
    """Puts a message into a queue, as a service of AWS does: no client and no function makes a call."""
    sqs_backends[ACCOUNT][REGION].send_message(queue.name, body)


def queue_of(name: str) -> Queue:
    """A queue by name, URL or ARN."""
    return sqs_backends[ACCOUNT][REGION].get_queue(name.rstrip("/").rpartition("/")[2].rpartition(":")[2])


def record_of(queue: Queue, message: Message) -> dict[str, Any]:
    """A message as Lambda hands it to a function."""
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }
