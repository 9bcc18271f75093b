"""Which records were written after a moment, in memory: all writes of a file pass through its one owner.

It is a hint: what it does not know is read from the file.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from stepfast.model import Record

MAX_KEPT_RECORDS = 20_000
"""Records kept, of all executions together."""


@dataclass(slots=True)
class _Log:
    """Every record of one execution written after `start`, in order, each with its number."""

    start: int
    entries: list[tuple[int, Record]] = field(default_factory=list)


class Changes:
    """Numbers every write of a record once it is committed; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Numbers begin at random, so that the mark of an earlier process is hardly ever taken for one of this process.
        self._number = 1 + secrets.randbits(62)
        self._floor = self._number  # an execution without a log has not changed after this
        self._logs: OrderedDict[str, _Log] = OrderedDict()
        self._kept = 0

    def note(self, execution_id: str, record: Record) -> None:
        """Takes down a committed write."""
        with self._lock:
            self._number += 1
            log = self._logs.get(execution_id)
            if log is None:
                log = self._logs[execution_id] = _Log(self._floor)
            log.entries.append((self._number, record))
            self._kept += 1
            while self._kept > MAX_KEPT_RECORDS:
                self._kept -= len(self._logs.popitem(last=False)[1].entries)
                self._floor = self._number

    def forget(self, execution_id: str) -> None:
        """Drops what is known of an execution that has ended."""
        with self._lock:
            log = self._logs.pop(execution_id, None)
            if log is not None:
                self._kept -= len(log.entries)
                self._floor = self._number

    def since(self, execution_id: str, mark: int | None) -> tuple[int, list[Record] | None]:
        """The mark of now, and the records written after an earlier mark; None where these are not known."""
        with self._lock:
            log = self._logs.get(execution_id)
            if mark is None or not (self._floor if log is None else log.start) <= mark <= self._number:
                return self._number, None
            if log is None:
                return self._number, []
            self._logs.move_to_end(execution_id)
            written = []
            for number, record in reversed(log.entries):
                if number <= mark:
                    break
                written.append(record)
            return self._number, written[::-1]
