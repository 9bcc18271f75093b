"""Failures that repeat: the first is logged at once, and then one line a minute with the number of those left out.

A full disk fails every write of every execution, each once a second.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable

from stepfast.records import dataclass

REPEAT_QUIET_SECONDS = 60.0
"""The time after a line in which failures of its kind are counted and not logged."""
MAX_KINDS = 100
"""How many kinds are remembered. The kind whose line is oldest is forgotten."""


@dataclass(slots=True)
class _Kind:
    """A kind of failure: when its last line was logged, and what has been left out since."""

    logged_at: float
    level: int
    left_out: int = 0
    latest: str = ""


class RepeatedFailures:
    """Logs failures to a logger by kind. Thread-safe."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._lock = threading.Lock()
        self._kinds: dict[str, _Kind] = {}

    def note(self, level: int, kind: str, text: str, error: BaseException | None = None) -> None:
        """Logs a failure, or counts it if one of its kind was logged less than REPEAT_QUIET_SECONDS ago.

        kind: what failures of the same cause have in common. text: the line. error: its traceback follows the line.
        """
        now = self._clock()
        with self._lock:
            known = self._kinds.get(kind)
            if known is not None and now - known.logged_at < REPEAT_QUIET_SECONDS:
                known.left_out, known.latest = known.left_out + 1, text
                return
            self._kinds.pop(kind, None)
            self._kinds[kind] = _Kind(now, level)
            while len(self._kinds) > MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
        self._log.log(level, "%s%s", text, _more(known, now), exc_info=error)

    def report(self) -> None:
        """Logs how many failures were left out, for kinds whose line is older than REPEAT_QUIET_SECONDS."""
        if not self._kinds:
            return
        now, due = self._clock(), list[_Kind]()
        with self._lock:
            for kind, known in list(self._kinds.items()):
                if now - known.logged_at >= REPEAT_QUIET_SECONDS:
                    del self._kinds[kind]
                    due.append(known)
        for known in due:
            if known.left_out:
                self._log.log(known.level, "%s%s", known.latest, _more(known, now, including=1))


def _more(known: _Kind | None, now: float, including: int = 0) -> str:
    """including: how many of those left out the line itself is about."""
    if known is None or known.left_out <= including:
        return ""
    return f" ({known.left_out - including} more of this kind in the last {now - known.logged_at:.0f} s)"


def kind_of(error: BaseException) -> str:
    """The type and the place of an unforeseen error. Its text may name an execution."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__
