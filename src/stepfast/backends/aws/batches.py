"""What AWS takes in one call: so many entries, and so many bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

BATCH_ENTRIES = 10
"""Entries of one SendMessageBatch, and of one PutEvents.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""
BATCH_BYTES = 200_000
"""Bytes of the texts in one call; the services take 256 KB with all that stands around them."""


def batches(entries: Iterable[T], text: Callable[[T], str]) -> Iterator[list[T]]:
    """Entries in their order, as many at a time as one call takes. text: what is long about an entry."""
    batch: list[T] = []
    size = 0
    for entry in entries:
        length = len(text(entry).encode())
        if batch and (len(batch) == BATCH_ENTRIES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch
