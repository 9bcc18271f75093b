"""Starts by the clock in the embedded runtime: each scheduled time once, by the ids that a deployment gives them."""

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
"""Seconds at most until the clock is looked at again: it may be set, and the machine may have slept."""
CATCH_UP_SECONDS = 300.0
"""Seconds after its time until which a start is made up for, where the process or the machine stood still."""
RESTART_LOOKBACK_SECONDS = 60.0
"""Seconds before the start of the process whose last scheduled time is looked at too."""
STORE_RETRY_SECONDS = 5.0
"""Seconds until a start is tried again that the store could not take."""
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
Following = Callable[[float], float | None]
"""The first scheduled time after a moment, in seconds since the epoch; None when it never comes again."""


def following(start: ScheduledStart) -> Following:
    """When a schedule comes. A rate comes at multiples of its period since 1970: a restart moves nothing."""
    if (rate := _RATE.fullmatch(start.expression)) is not None:
        period = int(rate[1]) * _UNITS[rate[2]]
        return lambda moment: (math.floor(moment / period) + 1) * period
    kind, _, text = start.expression.removesuffix(")").partition("(")
    zone = zoneinfo.ZoneInfo(start.timezone)
    if kind == "cron":
        return Cron(text, zone).after
    at = datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    return lambda moment: at if at > moment else None


def _first(comes: Following, now: float) -> float | None:
    """The last time in the minute before, which a restart may have missed, or the next; its id starts once."""
    at = comes(now - RESTART_LOOKBACK_SECONDS)
    while at is not None and (after := comes(at)) is not None and after <= now:
        at = after
    return at


class Schedules:
    """Starts what is due, each time it is asked."""

    def __init__(self, schedules: Iterable[ScheduledStart], operations: Operations, clock: Clock) -> None:
        self._operations, self._clock = operations, clock
        now = clock.now()
        self._next: list[tuple[ScheduledStart, Following, float | None]] = []
        for start in schedules:
            if start.enabled:
                comes = following(start)
                self._next.append((start, comes, _first(comes, now)))

    async def start_due(self) -> float:
        """Starts what is due by now; returns seconds until it is to be called again."""
        now, wait = self._clock.now(), CLOCK_LOOK_SECONDS
        for index, (start, comes, at) in enumerate(self._next):
            while at is not None and at <= now:
                if at >= now - CATCH_UP_SECONDS and not await self._start(start, at):
                    wait = STORE_RETRY_SECONDS
                    break
                at = comes(at)
            self._next[index] = (start, comes, at)
            if at is not None and at > now:
                wait = min(wait, max(0.01, at - now))
        return wait

    async def _start(self, start: ScheduledStart, at: float) -> bool:
        """False when it is to be tried again."""
        stamp = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        request = start_in(json.loads(event_of(start).replace("<aws.scheduler.scheduled-time>", stamp)))
        assert request is not None
        try:
            await self._operations.start(request.workflow, request.input, request.execution_id, request.labels)
        except Refused as error:
            log.error("schedule %s starts nothing at %s: %s", start.name, stamp, type(error).__name__)
        except StepfastError as error:
            log.warning("schedule %s cannot start %s yet: %s", start.name, request.execution_id, type(error).__name__)
            return False
        return True

    async def keep(self, stopping: Event) -> None:
        """Starts by the clock until it is told to stop."""
        while self._next and not stopping.is_set():
            wait = CLOCK_LOOK_SECONDS
            try:
                wait = await self.start_due()
            except Exception:
                log.exception("the schedules failed; they go on")
            await self._clock.sleep(wait)
