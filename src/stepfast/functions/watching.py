"""The metrics of what is written to the store: executions by workflow, attempts of steps by pool."""

from __future__ import annotations

from stepfast.engine.observed import StoreListener
from stepfast.functions import metering
from stepfast.functions.metering import Meter
from stepfast.model import Execution, Record


class Metrics(StoreListener):
    """Counts and measures with a meter. pool: whose steps are run here; elsewhere no step's outcome is written."""

    def __init__(self, meter: Meter, pool: str = "") -> None:
        self._meter, self._pool = meter, pool

    def on_started(self, execution: Execution) -> None:
        self._meter.count(metering.STARTED, workflow=execution.workflow)

    def on_ended(self, execution: Execution) -> None:
        self._meter.count(metering.ENDED[execution.status], workflow=execution.workflow)

    def on_resumed(self, execution: Execution) -> None:
        self._meter.count(metering.RESUMED, workflow=execution.workflow)

    def on_attempt(self, execution_id: str, record: Record) -> None:
        """Counts an attempt that has ended; a claim has not, and an attempt that the engine stopped is not counted."""
        last = record.attempts[-1] if record.attempts else None
        ended = record.ended_at if record.recorded else last.ended_at if last else None
        if record.status not in ("SUCCEEDED", "FAILED", "RETRYING") or ended is None:
            return
        if last is not None and last.number == record.attempt and last.uses_no_try:
            return
        self._meter.count(metering.ATTEMPTS, pool=self._pool)
        if record.started_at is not None:
            self._meter.measure(metering.LATENCY, (ended - record.started_at) * 1000, pool=self._pool)
        if record.status != "SUCCEEDED":
            retried = record.status == "RETRYING"
            self._meter.count(metering.RETRIES if retried else metering.FAILURES, pool=self._pool)
