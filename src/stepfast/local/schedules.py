"""Scheduled starts in the embedded runtime. Each scheduled time starts once, with the same id as in a deployment."""

from __future__ import annotations

import json
import logging
import math
import re
import zoneinfo
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Event

from stepfast.deployment.cron import Cron
from stepfast.deployment.scheduled_starts import start_in
from stepfast.deployment.schedules import ScheduledStart, event_of
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Clock
from stepfast.errors import Refused, StepfastError

log = logging.getLogger(__name__)

CLOCK_LOOK_SECONDS = 1.0
"""The longest wait before the clock is read again: it may have been set, or the machine may have slept."""
CATCH_UP_SECONDS = 300.0
"""The age up to which a missed start is made up for, after the process or the machine has stood still."""
RESTART_LOOKBACK_SECONDS = 60.0
"""The time before the start of the process that is searched for a scheduled start which a restart has missed."""
STORE_RETRY_SECONDS = 5.0
"""The wait before a start is tried again that the store could not write."""
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
Following = Callable[[float], float | None]
"""The first scheduled time after a moment, both in seconds since the epoch; None if there is none."""


def following(start: ScheduledStart) -> Following:
    """The times of a schedule. A rate is due at multiples of its period since 1970, so a restart does not shift it."""
    if (rate := _RATE.fullmatch(start.expression)) is not None:
        period = int(rate[1]) * _UNITS[rate[2]]
        return lambda moment: (math.floor(moment / period) + 1) * period
    kind, _, text = start.expression.removesuffix(")").partition("(")
    zone = zoneinfo.ZoneInfo(start.timezone)
    if kind == "cron":
        return Cron(text, zone).after
    at = datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    return lambda moment: at if at > moment else None


def _first_due(next_after: Following, now: float) -> float | None:
    """The last due time in the minute before `now`, which a restart may have missed; otherwise the next due time.

    To start it again is harmless, because its execution id is the same.
    """
    at = next_after(now - RESTART_LOOKBACK_SECONDS)
    while at is not None and (after := next_after(at)) is not None and after <= now:
        at = after
    return at


class EmbeddedSchedules:
    """The schedules of the runtime, each with its next due time. Used by one thread."""

    def __init__(self, schedules: Iterable[ScheduledStart], operations: Operations, clock: Clock) -> None:
        self._operations, self._clock = operations, clock
        now = clock.now()
        self._next: list[tuple[ScheduledStart, Following, float | None]] = []
        for start in schedules:
            if start.enabled:
                next_after = following(start)
                self._next.append((start, next_after, _first_due(next_after, now)))

    async def start_due(self) -> float:
        """Starts what is due by now. Returns the seconds until the next call."""
        now, wait = self._clock.now(), CLOCK_LOOK_SECONDS
        for index, (start, next_after, at) in enumerate(self._next):
            while at is not None and at <= now:
                if at >= now - CATCH_UP_SECONDS and not await self._start(start, at):
                    wait = STORE_RETRY_SECONDS
                    break
                at = next_after(at)
            self._next[index] = (start, next_after, at)
            if at is not None and at > now:
                wait = min(wait, max(0.01, at - now))
        return wait

    async def _start(self, start: ScheduledStart, at: float) -> bool:
        """Starts one execution. False if the store could not take it and the start has to be tried again."""
        stamp = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        request = start_in(json.loads(event_of(start).replace("<aws.scheduler.scheduled-time>", stamp)))
        assert request is not None
        try:
            started = await self._operations.start(
                request.workflow, request.input, request.execution_id, request.labels
            )
            if started.into == "skipped":
                log.info("schedule %s starts nothing at %s: %s runs", start.name, stamp, started.execution.execution_id)
        except Refused as error:
            log.error("schedule %s starts nothing at %s: %s", start.name, stamp, type(error).__name__)
        except StepfastError as error:
            log.warning("schedule %s cannot start %s yet: %s", start.name, request.execution_id, type(error).__name__)
            return False
        return True

    async def keep(self, stopping: Event) -> None:
        """Starts what is due, again and again, until `stopping` is set."""
        while self._next and not stopping.is_set():
            wait = CLOCK_LOOK_SECONDS
            try:
                wait = await self.start_due()
            except Exception:
                log.exception("the scheduled starts failed; they continue")
            await self._clock.sleep(wait)
