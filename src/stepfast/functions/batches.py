"""Batches with partial failures, on the sandbox's own event loop: the answer names the records that failed.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
Powertools has this too. Its module imports the classes of all event sources, which takes a twentieth of a cold start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Answer = dict[str, Any]
RawRecord = dict[str, Any]
"""A record of an event, as Lambda passes it."""


class Kept(Exception):
    """Raised for a record that must stay in its source. This is no error and is not logged as one."""


class SqsRecord:
    """A message that Lambda has received, as its event has it."""

    __slots__ = ("_raw",)

    def __init__(self, raw: RawRecord) -> None:
        self._raw = raw

    @property
    def message_id(self) -> str:
        return str(self._raw["messageId"])

    @property
    def body(self) -> str:
        return str(self._raw["body"])

    @property
    def receipt_handle(self) -> str:
        return str(self._raw["receiptHandle"])

    @property
    def sent_at(self) -> float:
        """Seconds since 1970 at which SQS took the message."""
        return int(self._raw["attributes"]["SentTimestamp"]) / 1000

    @property
    def receives(self) -> int:
        """How often the message was received, this time included."""
        return int(self._raw["attributes"]["ApproximateReceiveCount"])


def message_id_of(record: RawRecord) -> str:
    """What names a record of SQS in the answer."""
    return str(record["messageId"])


def sequence_number_of(record: RawRecord) -> str:
    """What names a record of a table's stream in the answer."""
    return str(record["dynamodb"]["SequenceNumber"])


async def failures_of(
    records: Sequence[RawRecord], handle: Callable[[RawRecord], Awaitable[None]], name_of: Callable[[RawRecord], str]
) -> Answer:
    """Handles all records of a batch at the same time.

    Returns the answer for Lambda: `batchItemFailures`, the records whose handler raised, which it delivers again.
    """
    failed = await asyncio.gather(*(_fails(record, handle) for record in records))
    names = [name_of(record) for record, fails in zip(records, failed, strict=True) if fails]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}


async def _fails(record: RawRecord, handle: Callable[[RawRecord], Awaitable[None]]) -> bool:
    """Whether a record's handler raised. It has logged its error where that is worth a line."""
    try:
        await handle(record)
    except Exception:
        return True
    return False
