"""The metrics: starts, ends, attempts, how long they took, and how late steps begin.

The semantic conventions of OpenTelemetry have no names for workflows, so the names are stepfast's. Units and the
attribute `error.type` are theirs (https://opentelemetry.io/docs/specs/semconv/general/metrics/).
"""

from __future__ import annotations

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from stepfast.model import Execution, Record


class Measures:
    """The instruments of this process. meters: their provider, by default the one that is set globally."""

    def __init__(self, meters: MeterProvider | None = None) -> None:
        meter = metrics.get_meter("stepfast", meter_provider=meters)
        self._started = meter.create_counter("stepfast.execution.starts", "{execution}", "Executions started")
        self._ended = meter.create_counter("stepfast.execution.ends", "{execution}", "Executions ended, by status")
        self._took = meter.create_histogram("stepfast.execution.duration", "s", "From the start to the end")
        self._attempts = meter.create_counter("stepfast.step.attempts", "{attempt}", "Attempts ended, by outcome")
        self._step_took = meter.create_histogram("stepfast.step.duration", "s", "Of one attempt")
        self._late = meter.create_histogram("stepfast.step.lateness", "s", "From when a retry is due to its beginning")

    def started(self, execution: Execution) -> None:
        self._started.add(1, {"stepfast.workflow": execution.workflow})

    def ended(self, execution: Execution) -> None:
        attributes = {"stepfast.workflow": execution.workflow, "stepfast.status": execution.status}
        self._ended.add(1, attributes)
        self._took.record(max(0.0, (execution.ended_at or execution.created_at) - execution.created_at), attributes)

    def attempt(self, record: Record) -> None:
        """Counts an attempt that has ended; a claim measures how late a retry begins."""
        last = record.attempts[-1] if record.attempts else None
        if record.status == "RUNNING":
            if last is not None and last.next_at is not None and record.started_at is not None:
                self._late.record(max(0.0, record.started_at - last.next_at), {"stepfast.step": record.name})
            return
        ended = record.ended_at if record.recorded else last.ended_at if last is not None else None
        if record.status not in ("SUCCEEDED", "FAILED", "RETRYING") or ended is None or record.attempt == 0:
            return
        attributes = {"stepfast.step": record.name, "stepfast.outcome": record.status}
        if record.status != "SUCCEEDED" and record.error is not None:
            attributes["error.type"] = record.error.error_class or record.error.type
        self._attempts.add(1, attributes)
        if record.started_at is not None:
            self._step_took.record(max(0.0, ended - record.started_at), attributes)
