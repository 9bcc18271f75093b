"""Batches with partial failures, on the sandbox's own event loop: the answer names the records that failed.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

# Powertools 3.37 builds pydantic models of every event type if `pydantic` is in sys.modules when its batch module is
# imported (batch/types.py). That takes a fifth of a cold start and nothing here uses them, so pydantic is hidden during
# the import.
_pydantic = sys.modules.pop("pydantic", None)
try:
    from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
finally:
    if _pydantic is not None:
        sys.modules["pydantic"] = _pydantic

__all__ = ["Answer", "ConcurrentBatch", "EventType", "Kept", "SQSRecord"]

Answer = dict[str, Any]


class Kept(Exception):
    """Raised for a record that must stay in its source. This is no error and is not logged as one."""


class ConcurrentBatch(AsyncBatchProcessor):
    """Handles all records of a batch concurrently and reports those whose handler raised."""

    def __init__(self, source: EventType) -> None:
        super().__init__(event_type=source, raise_on_entire_batch_failure=False)

    async def run(self, records: list[dict[str, Any]], handle: Callable[[Any], Awaitable[None]]) -> Answer:
        """Handles the records and returns the answer for Lambda: `batchItemFailures`, the records to deliver again.

        It calls Powertools' private `_async_process_record` (3.37): the public `async_process` starts an event loop of
        its own (`run_until_complete`), which fails inside the sandbox's running loop.
        """
        with self(records, handle):
            await asyncio.gather(*(self._async_process_record(record) for record in records))
        return dict(self.response())
