"""Watches an attempt while it runs: stops it once its outcome is not wanted any more, and extends its lease."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from stepfast.engine.attempt import SKEW, OwnedStep
from stepfast.engine.claims import LEASE_MARGIN
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


FIRST_READ_SECONDS = 10.0
"""Age of an attempt until which glances alone are made."""


class Glances(Protocol):
    """An optional port, for a store where each read is paid for."""

    async def glance(self, execution_id: str, order: int) -> bool:
        """Whether the order's log has an entry of this number; False also while the entry is only a moment old."""


@dataclass(frozen=True, slots=True)
class LookPace:
    """How often a watch looks at an execution, for a store where each read is paid for.

    The longer an attempt has run, the rarer are the looks: they are `share` of its age apart, and at most `longest`
    seconds. glances: what most of them are made with, if the step has siblings. An entry is appended to the order's log
    when such a step is taken back, and mostly when its execution ends. Everything is read if no entry can tell, and
    else first after FIRST_READ_SECONDS, then whenever the attempt is twice as old as at the last time.
    """

    share: float = 0.0
    longest: float = 0.0
    glances: Glances | None = None

    def pause(self, age: float) -> float:
        """Seconds until the next look at an attempt of this age, in seconds."""
        return min(self.longest, age * self.share)


EVERY_TIME = LookPace()
"""For a store whose reads cost nothing: all is read each time that the runner asks."""


class StepWatch:
    """Asked by the runner about once a second: reads the execution, and the order where something could withdraw.

    pace: how often it really looks. A sign of life from the step has it look at once.
    """

    def __init__(
        self, store: Store, clock: Clock, withdrawals: Withdrawals, run: OwnedStep, pace: LookPace = EVERY_TIME
    ) -> None:
        self._store, self._clock, self._withdrawals, self._run = store, clock, withdrawals, run
        self._began = self._extended = self._due = clock.now()
        self._pace, self._all_due = pace, self._began + FIRST_READ_SECONDS

    def patience(self) -> float:
        """Until the lease is over, less the time to record and what clocks may differ."""
        return (self._run.record.lease or 0.0) - self._clock.now() - SKEW

    async def __call__(self, alive: bool) -> Stop | None:
        now = self._clock.now()
        try:
            stop = await self._stop() if await self._looks(alive, now) else None
            if stop is None and alive and now - self._extended >= self._run.step.lease / 3:
                stop = await self._extend(now)
        except (Unavailable, StartupError):
            return None  # the step has done nothing wrong: looked at again in a second, while its lease lasts
        return stop

    async def _looks(self, alive: bool, now: float) -> bool:
        """Whether it is time to read all, or a glance has shown that something has changed."""
        if not alive and now < self._due:
            return False
        age = now - self._began
        self._due = now + self._pace.pause(age)
        order = self._run.order
        if self._pace.glances is not None and order is not None and order >= 0 and now < self._all_due:
            return await self._pace.glances.glance(self._run.execution.run_id, order)
        self._all_due = now + age
        return True

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
            case "RUNNING" | "FAILED":
                pass  # If it was resumed since, the claim may still count: looked at below.
            case _:
                assert_never(execution.status)
        if execution.run != run.execution.run:
            return CONTINUED
        if execution.generation != run.execution.generation:
            if not await self._owned():
                return REOPENED
            run.resumed(execution)
        if execution.status == "FAILED":
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
        run.unanswered = True
        if await self._store.commit(run.execution.run_id, Commit(longer, wake=False)):
            run.record, self._extended = longer, now
        elif not await self._owned():
            return OVERTAKEN
        run.unanswered = False
        return None
