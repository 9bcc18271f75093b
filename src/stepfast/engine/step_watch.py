"""Watches an attempt while it runs: stops it once its outcome is not wanted any more, and extends its lease."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from stepfast.engine.attempt import SKEW, OwnedStep
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.looks import EVERY_TIME, LookPace
from stepfast.engine.ports import Clock, Commit, Store
from stepfast.engine.withdrawals import Withdrawals
from stepfast.errors import StartupError, Unavailable
from stepfast.model import Stop

ENDED = Stop("the execution has ended; stop this step", final=True)
CANCELLED = Stop("the execution was cancelled; stop this step", lost=True, final=True)
FAILED = Stop("the execution has failed; this step is tried again once it is resumed")
WITHDRAWN = Stop("workflow code has taken this step back: a timeout, a cancelled task or a race that it lost")
REOPENED = Stop("the execution was resumed, and asks for this step anew", lost=True)
CONTINUED = Stop("the execution continues as a new run, without this step", lost=True)
OVERTAKEN = Stop("another worker has taken the step over; stop this one", lost=True)


PROGRESS_WRITE_SECONDS = 5.0
"""Seconds between two writes of the progress of an attempt, at least."""
FIRST_STATUS_SECONDS = 10.0
"""Age of an attempt with siblings until which its looks go to the order's log alone."""


class StepWatch:
    """Asked by the runner about once a second: reads the execution, and the order where something could withdraw.

    pace: how often it really looks. A sign of life from the step has it look at once.
    """

    def __init__(
        self, store: Store, clock: Clock, withdrawals: Withdrawals, run: OwnedStep, pace: LookPace = EVERY_TIME
    ) -> None:
        self._store, self._clock, self._withdrawals, self._run = store, clock, withdrawals, run
        self._began = self._extended = run.record.started_at or clock.now()
        self._pace, self._due, self._status_due = pace, self._began + pace.pause, self._began + FIRST_STATUS_SECONDS

    def patience(self) -> float:
        """Until the lease is over, less the time to record and what clocks may differ."""
        return (self._run.record.lease or 0.0) - self._clock.now() - SKEW

    async def __call__(self, alive: bool) -> Stop | None:
        now = self._clock.now()
        try:
            stop = await self._stop() if await self._looks(alive, now) else None
            if stop is None and alive and now - self._extended >= self._pause():
                stop = await self._extend(now)
        except (Unavailable, StartupError):
            return None  # the step has done nothing wrong: looked at again in a second, while its lease lasts
        return stop

    def _pause(self) -> float:
        """Seconds between two extensions of the lease: fewer while there is progress to write."""
        pause, progress = self._run.step.lease / 3, self._run.pulse.progress
        return pause if progress in (None, self._run.record.progress) else min(pause, PROGRESS_WRITE_SECONDS)

    async def _looks(self, alive: bool, now: float) -> bool:
        """Whether all is to be read now: each time, or where glances are to be had, once one shows a change.

        An entry is appended to the order's log when a step with siblings is taken back, and mostly when its execution
        ends. The status shows what no entry shows. It is looked at first after FIRST_STATUS_SECONDS, then whenever the
        attempt is twice as old as at the last time, and always if the step has no siblings.
        """
        if not alive and now < self._due:
            return False
        self._due = now + self._pace.pause
        glances, order = self._pace.glances, self._run.order
        if glances is None or order == -1:
            return True
        if order is not None and now < self._status_due:
            return await glances.glance(self._run.execution.run_id, order)
        self._status_due = now + (now - self._began)
        return await glances.differs(self._run.execution)

    async def _stop(self) -> Stop | None:
        run = self._run
        execution = await self._store.read(run.execution.execution_id)
        if execution is None:
            return CANCELLED
        match execution.status:
            case "CANCELLED":
                return CANCELLED
            case "SUCCEEDED":
                return ENDED
            case "RUNNING" | "PAUSED" | "FAILED" | "CLOSED":
                pass  # If it was resumed since, the claim may still count: looked at below.
            case _:
                assert_never(execution.status)
        if execution.run != run.execution.run:
            return CONTINUED
        if execution.generation != run.execution.generation:
            if not await self._owned():
                return REOPENED
            run.resumed(execution)
        if execution.status in ("FAILED", "CLOSED"):
            return None if run.step.at_most_once else FAILED  # it would have had its only attempt for nothing
        if run.order is not None:
            run.order, withdrawn = await self._withdrawals.look(execution, run.command.id, run.order)
            if withdrawn:
                return WITHDRAWN
        return None

    async def _owned(self) -> bool:
        """Whether the stored record is still this attempt's; that of a chained one is not stored yet."""
        run = self._run
        peeked = await self._store.peek(run.execution.run_id, run.command.id)
        stored = peeked[1] if peeked is not None else None
        if stored is None or stored.token != run.record.token or stored.status != "RUNNING":
            return False
        # An extension that went unanswered may have been written all the same.
        run.record = replace(run.record, revision=stored.revision, lease=stored.lease)
        return True

    async def _extend(self, now: float) -> Stop | None:
        """Extends the lease after a heartbeat; a refusal means that another worker has the step."""
        run = self._run
        longer = replace(run.record, lease=now + run.step.lease + LEASE_MARGIN, revision=run.record.revision + 1)
        if run.pulse.progress is not None:
            longer = replace(longer, progress=run.pulse.progress)
        run.unanswered = True
        if await self._store.commit(run.execution.run_id, Commit(longer, wake=False)):
            run.record, self._extended = longer, now
        elif not await self._owned():
            return OVERTAKEN
        run.unanswered = False
        return None
