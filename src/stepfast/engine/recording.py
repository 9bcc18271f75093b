"""Writes the outcome of an attempt over its claim (rule *record by token*), and does not give up before the lease."""

from __future__ import annotations

from dataclasses import replace

from stepfast.engine.attempt import OwnedStep
from stepfast.engine.ports import Clock, Commit, Committed, Store
from stepfast.errors import Unavailable
from stepfast.model import Record

FIRST_PAUSE, WRITE_PAUSE_SECONDS = 0.05, 2.0
"""Seconds between two tries while the store is away: each pause is twice the one before."""


class Recorder:
    """Records outcomes of the steps that this worker has claimed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def record(self, run: OwnedStep, commit: Commit) -> Committed:
        """Writes an outcome; nothing of it if another worker owns the step by now, or the execution has ended.

        The step has run. To give up while the store is away would have it run again, or fail if it may run only once:
        so this tries until the lease is over, and raises Unavailable then.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                committed = await self._store.commit(run.execution.run_id, commit)
                if committed.record or not run.unanswered:
                    return committed
                rightful = await self._after_refusal(run, commit.record)
            except Unavailable:
                run.unanswered = True
                if self._clock.now() + pause > (run.record.lease or 0.0):
                    raise
                await self._clock.sleep(pause)
                pause = min(WRITE_PAUSE_SECONDS, pause * 2)
                continue
            if rightful is None or rightful is commit.record:
                # Whether an end was written with a record whose write got no answer is not known.
                return Committed(rightful is not None)
            commit = replace(commit, record=rightful)

    async def _after_refusal(self, run: OwnedStep, record: Record) -> Record | None:
        """The record itself if it is stored, the record to write instead, or None if the step is another worker's.

        A write that got no answer may have been made, and then the next write is refused because of it. To take it for
        another worker's would leave this step, or the step that it chains, under a lease that nobody holds; once that
        is over, it would count as a crash.
        """
        peeked = await self._store.peek(run.execution.run_id, record.id)
        stored = peeked[1] if peeked is not None else None
        if stored is None or stored.token != record.token:
            return None
        if (stored.revision, stored.status) == (record.revision, record.status):
            return record
        return replace(record, revision=stored.revision + 1) if stored.status == "RUNNING" else None
