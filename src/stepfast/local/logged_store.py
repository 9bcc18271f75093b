"""The embedded store that logs what is written through it: what happens, and for `--log-values` the values too."""

from __future__ import annotations

from collections.abc import Sequence

from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine import event_log, value_log
from stepfast.engine.metrics import NOTHING, Tallies
from stepfast.engine.ports import Clock
from stepfast.model import Cursor, Event, Execution, Record


class TellingBackend(SqliteBackend):
    """Logs starts, ends, resumes and failed attempts once they are written. values: inputs, outputs and errors too."""

    def __init__(self, file: SqliteFile, clock: Clock, values: bool = False) -> None:
        super().__init__(file, clock)
        self._values = values

    async def create(self, execution: Execution) -> Execution:
        held = await super().create(execution)
        if held is execution:
            event_log.log_start(execution)
            if self._values:
                value_log.tell_start(execution)
        return held

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
        if written:
            event_log.log_attempt(execution_id, record)
            if self._values:
                value_log.tell_attempt(execution_id, record)
            if end is not None:
                self._ended(end)
        return written

    async def cancel(
        self, execution: Execution, records: Sequence[Record], tallies: Tallies = NOTHING, order: int = 0
    ) -> bool:
        written = await super().cancel(execution, records, tallies, order)
        if written:
            self._ended(execution)
        return written

    async def finish(self, execution: Execution, tallies: Tallies = NOTHING) -> bool:
        written = await super().finish(execution, tallies)
        if written:
            self._ended(execution)
        return written

    async def rewind(
        self, execution: Execution, cursor: Cursor | None, records: Sequence[Record], history: Sequence[Event]
    ) -> bool:
        written = await super().rewind(execution, cursor, records, history)
        if written:
            event_log.log_resume(execution)
        return written

    def _ended(self, execution: Execution) -> None:
        event_log.log_end(execution)
        if self._values:
            value_log.tell_end(execution)
