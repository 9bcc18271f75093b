"""The store, counting and logging what is written through it: only what was really written.

Its contents are logged by `log_values` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.engine import event_log, value_log
from stepfast.engine.metrics import NOTHING, Tallies
from stepfast.functions import metering
from stepfast.functions.metering import Meter
from stepfast.model import Cursor, Event, Execution, Record


class WatchedStore(DynamoStore):
    """pool: whose steps are run here; elsewhere no step's outcome is written."""

    def __init__(self, *args: Any, meter: Meter, pool: str = "", log_values: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._meter, self._pool, self._log_values = meter, pool, log_values

    async def create(self, execution: Execution) -> Execution:
        held = await super().create(execution)
        if held is execution:
            self._meter.count(metering.STARTED, workflow=execution.workflow)
            event_log.log_start(execution)
            if self._log_values:
                value_log.tell_start(execution)
        return held

    async def finish(self, execution: Execution, tallies: Tallies = NOTHING) -> bool:
        written = await super().finish(execution, tallies)
        if written:
            self._ended(execution)
        return written

    async def cancel(
        self, execution: Execution, records: Sequence[Record], tallies: Tallies = NOTHING, order: int = 0
    ) -> bool:
        written = await super().cancel(execution, records, tallies, order)
        if written:
            self._ended(execution)
        return written

    async def rewind(
        self, execution: Execution, cursor: Cursor | None, records: Sequence[Record], history: Sequence[Event]
    ) -> bool:
        written = await super().rewind(execution, cursor, records, history)
        if written:
            self._meter.count(metering.RESUMED, workflow=execution.workflow)
            event_log.log_resume(execution)
        return written

    async def put_record(
        self,
        execution_id: str,
        record: Record,
        *,
        wake: bool,
        end: Execution | None = None,
        tallies: Tallies = NOTHING,
    ) -> bool:
        written = await super().put_record(execution_id, record, wake=wake, end=end, tallies=tallies)
        if written and record.kind == "step":
            self._stepped(record)
            event_log.log_attempt(execution_id, record)
            if self._log_values:
                value_log.tell_attempt(execution_id, record)
        return written

    def _ended(self, execution: Execution) -> None:
        self._meter.count(metering.ENDED[execution.status], workflow=execution.workflow)
        event_log.log_end(execution)
        if self._log_values:
            value_log.tell_end(execution)

    def _stepped(self, record: Record) -> None:
        """Counts an attempt that has ended; a claim is none."""
        last = record.attempts[-1] if record.attempts else None
        ended = record.ended_at if record.recorded else last.ended_at if last else None
        if record.status not in ("SUCCEEDED", "FAILED", "RETRYING") or ended is None:
            return
        if last is not None and last.number == record.attempt and last.error and last.error.type == "StepCancelled":
            return
        self._meter.count(metering.ATTEMPTS, pool=self._pool)
        if record.started_at is not None:
            self._meter.measure(metering.LATENCY, (ended - record.started_at) * 1000, pool=self._pool)
        if record.status != "SUCCEEDED":
            retried = record.status == "RETRYING"
            self._meter.count(metering.RETRIES if retried else metering.FAILURES, pool=self._pool)
