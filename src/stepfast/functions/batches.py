"""Batches with partial failures, on the sandbox's own event loop; a record that fails is reported, and no other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

# Powertools makes pydantic models of all events when it finds pydantic imported before it: a fifth of a cold
# start, for models that nobody asks for here.
_pydantic = sys.modules.pop("pydantic", None)
try:
    from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
finally:
    if _pydantic is not None:
        sys.modules["pydantic"] = _pydantic

__all__ = ["Answer", "Batch", "EventType", "Kept", "SQSRecord"]

Answer = dict[str, Any]


class Kept(Exception):
    """Raised for a record that its source is to keep: as usual, not as an error."""


class Batch(AsyncBatchProcessor):
    """All records of a batch are begun at once. Reported are those whose handling raised."""

    def __init__(self, source: EventType) -> None:
        super().__init__(event_type=source, raise_on_entire_batch_failure=False)

    async def run(self, records: list[dict[str, Any]], handle: Callable[[Any], Awaitable[None]]) -> Answer:
        """The answer that Lambda wants: which records are to come again."""
        with self(records, handle):
            await asyncio.gather(*(self._async_process_record(record) for record in records))
        return dict(self.response())
