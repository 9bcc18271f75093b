"""The embedded store for `stepfast dev --log-values`: what is written through it is logged with its values."""

from __future__ import annotations

from collections.abc import Sequence

from stepfast import valuelog
from stepfast.backends.sqlite import SqliteBackend
from stepfast.figures import NOTHING, Tallies
from stepfast.model import Execution, Record


class TellingBackend(SqliteBackend):
    """Logs starts, ends and attempts of steps once they are written."""

    async def create(self, execution: Execution) -> Execution:
        held = await super().create(execution)
        if held is execution:
            valuelog.tell_start(execution)
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
            valuelog.tell_attempt(execution_id, record)
            if end is not None:
                valuelog.tell_end(end)
        return written

    async def cancel(
        self, execution: Execution, records: Sequence[Record], tallies: Tallies = NOTHING, order: int = 0
    ) -> bool:
        written = await super().cancel(execution, records, tallies, order)
        if written:
            valuelog.tell_end(execution)
        return written

    async def finish(self, execution: Execution, tallies: Tallies = NOTHING) -> bool:
        written = await super().finish(execution, tallies)
        if written:
            valuelog.tell_end(execution)
        return written
