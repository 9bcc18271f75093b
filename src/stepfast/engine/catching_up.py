"""Takes a kept replay to where its execution is stored, by reading only the items that can have changed.

For a store without deltas. Outcomes that are recorded never change within a generation. So of an execution whose
generation stands, only the records of outstanding commands can be new, and the end of the order's log.

The execution itself is read once, together with records. Later reads show a resume by records of a later generation and
by entries of the order. All else that becomes of the execution meanwhile might as well come after the whole call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stepfast.engine.ports import Store
from stepfast.engine.replay_cache import Live
from stepfast.model import Execution, Record

MOST_OUTSTANDING = 20
"""Outstanding commands up to which their records are read one by one; with more, all of the execution is read."""
CATCH_UP_ROUNDS = 20
"""How often newly outstanding commands are looked up, before all of the execution is read instead."""


class PartialReads(Protocol):
    """An optional port, for a store that reads a few records of an execution for less than all of it."""

    async def peek_many(self, run_id: str, command_ids: Sequence[str]) -> tuple[Execution, Sequence[Record]] | None:
        """The execution and those of the records that exist; None where there is no such execution.

        They may be read at different moments.
        """

    async def glimpse(self, execution: Execution, command_ids: Sequence[str]) -> Sequence[Record]:
        """Those of the records that exist, perhaps as they were a moment ago: for half the price."""


class CatchingUp:
    """Reads what a replay lacks. The replay is only looked at afterwards: no write may follow from it."""

    def __init__(self, store: Store, parts: PartialReads) -> None:
        self._store, self._parts = store, parts

    async def catch_up(self, live: Live) -> Execution | None:
        """The execution, once its replay has taken all that is stored.

        None where that is not certain: the execution has ended or was resumed, or too much has changed. Then the caller
        closes the replay and reads everything.
        """
        replay, order, run_id = live.replay, live.order, live.replay.execution.run_id
        looked: set[str] = set()
        execution: Execution | None = None
        generation = replay.execution.generation
        if not await self._glimpse(live):
            return None
        for _ in range(CATCH_UP_ROUNDS):
            asked = [id for id in replay.outstanding if id not in looked]
            if len(replay.outstanding) > MOST_OUTSTANDING:
                return None
            if execution is None:
                peeked = await self._parts.peek_many(run_id, asked)
                if peeked is None:
                    return None
                execution, records = peeked
                if execution.status != "RUNNING" or execution.generation != generation:
                    return None
            else:
                records = list((await self._store.reader.named(execution, asked)).values())
            if any(record.generation > generation for record in records):
                return None  # A resume was written between two reads.
            looked.update(asked)
            if len(replay.outstanding) > 1:
                for entry in await self._store.entries(run_id, order.revision):
                    if entry.generation != generation or entry.cut is not None:
                        return None
                    order.extend(entry)
            replay.advance({record.id: record for record in records}, order.applied)
            if replay.finished or replay.stale:
                return None
            if looked.issuperset(replay.outstanding):
                return execution
        return None

    async def _glimpse(self, live: Live) -> bool:
        """Takes the outcome of the only outstanding command, which most often has one by now; False if that is the end.

        An old answer does no harm. An outcome is lasting in its generation, which the next read looks at; and a record
        without an outcome is read again.
        """
        replay = live.replay
        if len(replay.outstanding) != 1:
            return True
        records = await self._parts.glimpse(replay.execution, list(replay.outstanding))
        if not records or not all(
            record.recorded and record.generation <= replay.execution.generation for record in records
        ):
            return True
        replay.advance({record.id: record for record in records}, live.order.applied)
        return not (replay.finished or replay.stale)
