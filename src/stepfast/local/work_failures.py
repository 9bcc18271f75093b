"""The log of work of the embedded runtime that has failed in the store or in stepfast, and when it is tried again."""

from __future__ import annotations

import logging

from stepfast.errors import StepfastError, Unavailable
from stepfast.repeated_failures import RepeatedFailures, kind_of

RETRY_SECONDS = 1.0
"""The wait before work is tried again that has failed in the store or in the code."""
REPAIR_RETRY_SECONDS = 15.0
"""The wait before work is tried again that needs a repair first, such as for a file that is read-only."""


class WorkFailures:
    """Logs the failures of many executions that have one cause as one. Thread-safe."""

    def __init__(self, log: logging.Logger) -> None:
        self._failures = RepeatedFailures(log)

    def note(self, doing: str, error: Exception) -> float:
        """Logs a failure. Returns the seconds until the work is tried again. doing: the work, as a phrase."""
        kind = f"{type(error).__name__}: {error}"
        if isinstance(error, Unavailable):
            self._failures.note(logging.WARNING, kind, f"{doing}: {error}; trying again")
            return RETRY_SECONDS
        if isinstance(error, StepfastError):  # Somebody must repair something, and the message says what.
            text = f"{doing}: {error}; trying again in {REPAIR_RETRY_SECONDS:g} s"
            self._failures.note(logging.ERROR, kind, text)
            return REPAIR_RETRY_SECONDS
        self._failures.note(logging.ERROR, kind_of(error), f"{doing} failed; trying again", error)
        return RETRY_SECONDS

    def report(self) -> None:
        """As of RepeatedFailures."""
        self._failures.report()
