"""Log lines of what happens to executions: starts, ends, resumes, failed attempts. Never what they work on.

A line names execution, step and attempt, as text and as fields of its log record. Of an error it names the type only:
its message may quote what the step was given.
"""

from __future__ import annotations

import logging

from stepfast.engine.observed import StoreListener
from stepfast.model import Execution, Record

log = logging.getLogger("stepfast.events")


class EventLog(StoreListener):
    """Logs what is written to a store."""

    def on_started(self, execution: Execution) -> None:
        log_start(execution)

    def on_attempt(self, execution_id: str, record: Record) -> None:
        if record.status != "SUCCEEDED":
            log_attempt(execution_id, record)

    def on_ended(self, execution: Execution) -> None:
        log_end(execution)

    def on_resumed(self, execution: Execution) -> None:
        log_resume(execution)

    def on_continued(self, execution: Execution) -> None:
        _log(logging.INFO, execution, f"continues as run {execution.run}")


def log_start(execution: Execution) -> None:
    """Logs that an execution was started."""
    if log.isEnabledFor(logging.INFO):
        _log(logging.INFO, execution, "started")


def log_end(execution: Execution) -> None:
    """Logs the status with which an execution ended; a failure names its step and error type."""
    if not log.isEnabledFor(logging.WARNING if execution.status == "FAILED" else logging.INFO):
        return
    if execution.status != "FAILED" or execution.error is None:
        took = max(0.0, (execution.ended_at or execution.created_at) - execution.created_at)
        _log(logging.INFO, execution, f"{execution.status} after {took:.2f} s")
        return
    step = f" in {execution.error.step}" if execution.error.step else ""
    _log(logging.WARNING, execution, f"FAILED{step}: {execution.error.type}")


def log_resume(execution: Execution) -> None:
    """Logs that a FAILED execution goes on."""
    _log(logging.INFO, execution, f"resumed for the {_ordinal(execution.resumes)} time")


def log_attempt(execution_id: str, record: Record) -> None:
    """Logs an attempt of a step that has failed, or was cut off, and when the next one comes; nothing for others."""
    if record.kind != "step" or record.status not in ("RUNNING", "RETRYING", "FAILED"):
        return
    last = record.attempts[-1] if record.attempts else None
    fields = {"execution_id": execution_id, "step_id": record.id, "attempt": record.attempt}
    if record.status == "RUNNING":  # a claim: the attempt before it may have ended without a word
        if last is not None and last.error is None and last.number == record.attempt - 1:
            fields["attempt"] = last.number
            text = "step %s of %s: attempt %d was cut off by a crash; it runs again"
            log.warning(text, record.id, execution_id, last.number, extra=fields)
        return
    error = last.error if last is not None and last.number == record.attempt else record.error
    kind = error.type if error is not None else "an error"
    if record.status == "RETRYING":
        ended = last.ended_at if last is not None else None
        after = f"; next attempt in {max(0.0, (record.due or 0.0) - ended):.3g} s" if ended is not None else ""
    else:
        after = "; no attempt is left"
    stopped = kind in ("StepCancelled", "StepInterrupted")
    crashed = kind == "StepInterrupted" and last is not None and last.error is error
    verb = "was cut off" if crashed else "was stopped"
    verb = f"{verb}: {error.message}" if stopped and error else f"failed: {kind}"
    level = logging.INFO if stopped and not crashed else logging.WARNING
    log.log(level, "step %s of %s: attempt %d %s%s", record.id, execution_id, record.attempt, verb, after, extra=fields)


def _log(level: int, execution: Execution, event: str) -> None:
    fields = {"execution_id": execution.execution_id, "workflow": execution.workflow}
    log.log(level, "execution %s of %s %s", execution.execution_id, execution.workflow, event, extra=fields)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
