"""The metrics: starts, ends, attempts, how long they took, waits, and how late steps begin and timers end.

The semantic conventions of OpenTelemetry have no names for workflows, so the names are stepfast's. Units and the
attribute `error.type` are theirs (https://opentelemetry.io/docs/specs/semconv/general/metrics/).
"""

from __future__ import annotations

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from stepfast.engine.limits_waited import waits_in
from stepfast.engine.signalling import name_of_link
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
        self._late = meter.create_histogram("stepfast.step.lateness", "s", "From when an attempt is due to its begin")
        self._timer_late = meter.create_histogram("stepfast.timer.lateness", "s", "From when a timer is due to its end")
        self._waited = meter.create_histogram("stepfast.wait.duration", "s", "Of a wait for a signal, a slot, a gate")

    def started(self, execution: Execution) -> None:
        self._started.add(1, {"stepfast.workflow": execution.workflow})

    def ended(self, execution: Execution) -> None:
        attributes = {"stepfast.workflow": execution.workflow, "stepfast.status": execution.status}
        self._ended.add(1, attributes)
        self._took.record(max(0.0, (execution.ended_at or execution.created_at) - execution.created_at), attributes)

    def attempt(self, record: Record) -> None:
        """Counts an attempt that has ended; a claim measures how late a retry begins, and what it has waited for."""
        last = record.attempts[-1] if record.attempts else None
        if record.status == "RUNNING":
            waited = self._limit_waits(record)
            if last is not None and last.next_at is not None and record.started_at is not None:
                late = max(0.0, record.started_at - last.next_at - waited)
                self._late.record(late, {"stepfast.step": record.name})
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

    def due(self, record: Record, due: float) -> None:
        """Measures how late a first attempt or a timer is. A wait for a limit or at a gate does not count."""
        if record.kind == "timer":
            self._timer_late.record(max(0.0, (record.ended_at or due) - due))
        elif record.started_at is not None:
            waited = sum(wait["until_at"] - wait["since_at"] for wait in waits_in(record.waited))
            self._late.record(max(0.0, record.started_at - due - waited), {"stepfast.step": record.name})

    def signal_wait(self, record: Record) -> None:
        if record.first_at is not None and record.ended_at is not None:
            name = name_of_link(record.name)
            attributes = {
                "stepfast.wait": "signal" if name is None else "callback",
                "stepfast.wait.name": name or record.name,
            }
            self._waited.record(max(0.0, record.ended_at - record.first_at), attributes)

    def _limit_waits(self, record: Record) -> float:
        """Measures what the attempt that begins has waited for since the one before it; returns the seconds."""
        total = 0.0
        since = record.attempts[-1].ended_at or 0.0 if record.attempts else 0.0
        for wait in waits_in(record.waited):
            if wait["until_at"] > since:
                attributes = {"stepfast.wait": wait["waited_for"], "stepfast.wait.name": wait["limit"]}
                total += wait["until_at"] - wait["since_at"]
                self._waited.record(wait["until_at"] - wait["since_at"], attributes)
        return total
