"""One attempt of a step: what this worker owns of it, how it is watched, and the record of its end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from stepfast.engine.claims import LEASE_MARGIN, released
from stepfast.engine.messages import Message
from stepfast.engine.ports import Clock, Commit, Store
from stepfast.engine.replay_cache import Live
from stepfast.engine.step_runner import Ended, Pulse
from stepfast.engine.withdrawals import Withdrawals
from stepfast.errors import NotStorable, StartupError, StepTimeout, Unavailable
from stepfast.language.retry import decide
from stepfast.language.steps import Step
from stepfast.model import Execution, Record, Stop, close_attempt
from stepfast.replay.failures import describe_error
from stepfast.replay.replay import Command, Replay

SKEW = 2.0
"""Seconds that clocks of two machines may differ."""
ENDED = Stop("the execution has ended; stop this step", final=True)
CANCELLED = Stop("the execution was cancelled; stop this step", lost=True, final=True)
FAILED = Stop("the execution has failed; this step is tried again once it is resumed")
WITHDRAWN = Stop("workflow code has taken this step back: a timeout, a cancelled task or a race that it lost")
REOPENED = Stop("the execution was resumed, and asks for this step anew", lost=True)
OVERTAKEN = Stop("another worker has taken the step over; stop this one", lost=True)


@dataclass(slots=True, eq=False)
class Run:
    """A step that this worker owns: its claim, and what the store has of its record.

    live: None for a step with siblings, which is run alone. order: the revision of the cursor under which the
    command was last known to be asked for, None while it is the only one outstanding: then nothing can take it back.
    unanswered: the store did not answer a write of the record, which may have been made.
    """

    message: Message
    execution: Execution
    live: Live | None
    command: Command
    record: Record
    looked: float
    order: int | None = None
    unanswered: bool = False
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def replay(self) -> Replay | None:
        return self.live.replay if self.live else None

    @property
    def step(self) -> Step[..., object]:
        assert self.command.step is not None
        return self.command.step

    def resumed(self, execution: Execution) -> None:
        """The execution was resumed and still waits for this very claim: its outcome counts in the new generation."""
        self.execution, self.live, self.order = execution, None, -1


class StepWatch:
    """Asked by the runner about once a second: reads the execution, and the order where something could withdraw."""

    def __init__(self, store: Store, clock: Clock, withdrawals: Withdrawals, run: Run) -> None:
        self._store, self._clock, self._withdrawals, self._run = store, clock, withdrawals, run
        self._extended = clock.now()

    def patience(self) -> float:
        """Until the lease is over, less the time to record and what clocks may differ."""
        return (self._run.record.lease or 0.0) - self._clock.now() - SKEW

    async def __call__(self, alive: bool) -> Stop | None:
        now = self._clock.now()
        try:
            stop = await self._stop()
            if stop is None and alive and now - self._extended >= self._run.step.lease / 3:
                stop = await self._extend(now)
        except (Unavailable, StartupError):
            return None  # the step has done nothing wrong: looked at again in a second, while its lease lasts
        return stop

    async def _stop(self) -> Stop | None:
        run = self._run
        execution = await self._store.read(run.execution.execution_id)
        if execution is None or execution.status == "CANCELLED":
            return CANCELLED
        if execution.status == "SUCCEEDED":
            return ENDED
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
        peeked = await self._store.peek(run.execution.execution_id, run.command.id)
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
        if await self._store.commit(run.execution.execution_id, Commit(longer, wake=False)):
            run.record, self._extended = longer, now
        elif not await self._owned():
            return OVERTAKEN
        run.unanswered = False
        return None


def outcome(run: Run, ended: Ended, now: float, draw: random.Random) -> Record:
    """The record of an attempt's end: SUCCEEDED, RETRYING until a time, or FAILED."""
    step, error = run.step, ended.error
    if ended.stop is not None:
        return released(run.record, step, ended.stop, now)
    held = replace(
        run.record, revision=run.record.revision + 1, generation=run.execution.generation, lease=None, due=None
    )
    if error is None:
        try:
            text, _ = step.result.encode(ended.value)
            return replace(held, status="SUCCEEDED", output=text, ended_at=now)
        except NotStorable as refused:
            error = refused
    failure = replace(describe_error(error), step=step.name)
    delay = None
    if not (step.at_most_once and isinstance(error, StepTimeout)):
        failures = held.attempt - held.interrupted
        # A resume begins the time for tries anew: the operator may have come days after the failure.
        elapsed = now - max(held.first_at or now, run.execution.resumed_at or 0.0)
        delay = decide(step.retry, error, failures=failures, elapsed=elapsed, draw=draw)
    if delay is None:
        return replace(close_attempt(held, now, failure, None), status="FAILED", error=failure, ended_at=now)
    return replace(close_attempt(held, now, failure, now + delay), status="RETRYING", error=failure, due=now + delay)
