"""Scheduled starts in the embedded runtime. Each scheduled time starts once, with the same id as in a deployment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import Event

from stepfast.deployment.schedule_times import next_after, target_of
from stepfast.deployment.schedules import ScheduledStart
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Clock
from stepfast.engine.schedule_items import Moment, ScheduleTarget
from stepfast.errors import Refused, StepfastError
from stepfast.repeated_failures import RepeatedFailures, kind_of

log = logging.getLogger(__name__)

CLOCK_LOOK_SECONDS = 1.0
"""The longest wait before the clock is read again: it may have been set, or the machine may have slept."""
CATCH_UP_SECONDS = 300.0
"""The age up to which a missed start is made up for, after the process or the machine has stood still."""
RESTART_LOOKBACK_SECONDS = 60.0
"""The time before the start of the process that is searched for a scheduled start which a restart has missed."""
RATE_PHASE = 0.0
"""A moment at which every rate is due here."""
STORE_RETRY_SECONDS = 5.0
"""The wait before a start is tried again that the store could not write."""
Following = Callable[[float], float | None]
"""The first scheduled time after a moment, both in seconds since the epoch; None if there is none."""


def following(start: ScheduledStart) -> Following:
    """The times of a schedule. A rate is due at multiples of its period since 1970, so a restart does not shift it."""
    after = next_after(start, RATE_PHASE)
    return lambda moment: after(moment, None)


def _first_due(target: ScheduleTarget, later: Following, now: float) -> float | None:
    """The first time whose start is due after the minute before `now`, since a restart may have missed that one.

    To start it again is harmless, because its execution id is the same.
    """
    at = later(now - RESTART_LOOKBACK_SECONDS - target.jitter)
    while at is not None and at + target.offset(at) <= now - RESTART_LOOKBACK_SECONDS:
        at = later(at)
    return at


class EmbeddedSchedules:
    """The schedules of the runtime, each with its next time, and their lines. Used by one thread."""

    def __init__(self, schedules: Iterable[ScheduledStart], operations: Operations, clock: Clock) -> None:
        self._operations, self._clock = operations, clock
        self._failures = RepeatedFailures(log)
        now = clock.now()
        self._targets: list[ScheduleTarget] = []
        self._next: list[tuple[ScheduleTarget, Following, float | None]] = []
        for start in schedules:
            target = target_of(start)
            self._targets.append(target)
            if start.enabled:
                later = following(start)
                self._next.append((target, later, _first_due(target, later, now)))

    async def start_due(self) -> float:
        """Starts what is due by now, and what has waited long enough. Returns the seconds until the next call."""
        now, wait = self._clock.now(), CLOCK_LOOK_SECONDS
        for index, (target, later, at) in enumerate(self._next):
            while at is not None and (due := at + target.offset(at)) <= now:
                if due >= now - CATCH_UP_SECONDS and not await self._start(target, at):
                    wait = STORE_RETRY_SECONDS
                    break
                at = later(at)
            self._next[index] = (target, later, at)
            if at is not None and at + target.offset(at) > now:
                wait = min(wait, max(0.01, at + target.offset(at) - now))
        for target in self._targets:
            await self._look(target)
        return wait

    async def _start(self, target: ScheduleTarget, at: float) -> bool:
        """Decides about one time. False if the store could not take it and the start has to be tried again."""
        moment = Moment(target.id_at(at), at, decided_at=self._clock.now())
        try:
            await self._operations.scheduled.take(target, moment)
        except Refused as error:
            log.error("schedule %s does not start %s: %s", target.schedule, moment.id, type(error).__name__)
        except StepfastError as error:
            kind = f"{target.schedule}: {type(error).__name__}: {error}"
            text = f"schedule {target.schedule} cannot start {moment.id} yet: {type(error).__name__}"
            self._failures.note(logging.WARNING, kind, text)
            return False
        return True

    async def _look(self, target: ScheduleTarget) -> None:
        """Starts what waits for an execution that has ended, and what an earlier process has only decided to start."""
        try:
            await self._operations.scheduled.look(target)
        except StepfastError as error:
            kind = f"{target.schedule}: {type(error).__name__}: {error}"
            text = f"the line of schedule {target.schedule} stands still: {type(error).__name__}"
            self._failures.note(logging.WARNING, kind, text)

    async def keep(self, stopping: Event) -> None:
        """Starts what is due, again and again, until `stopping` is set."""
        while self._targets and not stopping.is_set():
            wait = CLOCK_LOOK_SECONDS
            try:
                wait = await self.start_due()
            except Exception as error:
                self._failures.note(logging.ERROR, kind_of(error), "the scheduled starts failed; they continue", error)
            await self._clock.sleep(wait)
