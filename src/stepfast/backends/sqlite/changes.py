"""Which records were written after a moment, in memory: all writes of a file pass through its one owner.

It is a hint: what it does not know is read from the file.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from stepfast.model import Record

MAX_KEPT_RECORDS = 20_000
"""Records kept, of all executions together. The log of an execution counts as a record, also while it is empty."""


@dataclass(slots=True)
class _Log:
    """Every record of one execution written after `start`, in order, each with its number.

    last: of each of these records, as it was written last. complete: the execution has no other records than these.
    """

    start: int
    entries: list[tuple[int, Record]] = field(default_factory=list)
    last: dict[str, Record] = field(default_factory=dict)
    complete: bool = False


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
        self.note_all([(execution_id, record)])

    def note_all(self, writes: Sequence[tuple[str, Record]]) -> None:
        """Takes down committed writes of records, each with its execution."""
        with self._lock:
            noted, log = None, None
            for execution_id, record in writes:
                if log is None or execution_id != noted:
                    noted, log = execution_id, self._log(execution_id)
                self._number += 1
                log.entries.append((self._number, record))
                log.last[record.id] = record
                self._kept += 1
            self._make_room()

    def note_empty(self, execution_id: str, mark: int) -> None:
        """Takes down that a read which began after this mark has found the execution without any record."""
        with self._lock:
            if mark < self._floor:
                return  # A log was dropped meanwhile, and with it perhaps what was written after that read.
            self._log(execution_id).complete = True
            self._make_room()

    def lacks(self, execution_id: str, record_id: str) -> bool:
        """Whether the execution is known to have no such record, so that nobody need read the file."""
        # Without the lock: a log that is dropped meanwhile said how things stood when it was looked up.
        log = self._logs.get(execution_id)
        return log is not None and log.complete and record_id not in log.last

    def last(self, execution_id: str, record_id: str) -> Record | None:
        """The record as it was written last; None where that is not known."""
        log = self._logs.get(execution_id)
        return None if log is None else log.last.get(record_id)

    def _log(self, execution_id: str) -> _Log:
        log = self._logs.get(execution_id)
        if log is None:
            log = self._logs[execution_id] = _Log(self._floor)
            self._kept += 1
        return log

    def _make_room(self) -> None:
        while self._kept > MAX_KEPT_RECORDS:
            self._kept -= 1 + len(self._logs.popitem(last=False)[1].entries)
            self._floor = self._number

    def forget(self, execution_id: str) -> None:
        """Drops what is known of an execution that has ended."""
        with self._lock:
            log = self._logs.pop(execution_id, None)
            if log is not None:
                self._kept -= 1 + len(log.entries)
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
