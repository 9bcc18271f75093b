"""What the engine needs of a scheduled start: the moments at which it is due, and what it starts then. Pure."""

from __future__ import annotations

import math
import zoneinfo
from datetime import datetime

from stepfast.deployment.cron import Cron
from stepfast.deployment.schedules import ScheduledStart, period_of
from stepfast.engine.schedule_items import NextAfter, Schedule, ScheduleTarget


def next_after(start: ScheduledStart, phase: float | None = None) -> NextAfter:
    """The moments of a schedule.

    phase: a moment at which every rate is due; None: rates are due as the caller says, who knows one of their moments.
    """
    period = period_of(start.expression)
    if period is not None:
        return lambda moment, due: _rate_after(period, moment, due if phase is None else phase)
    kind, _, text = start.expression.removesuffix(")").partition("(")
    try:
        zone = zoneinfo.ZoneInfo(start.timezone)
    except zoneinfo.ZoneInfoNotFoundError:
        # This machine has no time zone database. Lambda's runtimes have had one since January 2024
        # (https://github.com/amazonlinux/amazon-linux-2023/issues/615), but a container image of one's own may lack it.
        return lambda moment, due: None
    if kind == "cron":
        cron = Cron(text, zone)
        return lambda moment, due: cron.after(moment)
    at = datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    return lambda moment, due: at if at > moment else None


def _rate_after(period: float, moment: float, due: float | None) -> float | None:
    return None if due is None else due + (math.floor((moment - due) / period) + 1) * period


def target_of(start: ScheduledStart) -> ScheduleTarget:
    """What a scheduled start starts."""
    return ScheduleTarget(start.name, start.workflow, start.input, overlap=start.overlap, jitter=start.jitter)


def declared(start: ScheduledStart, phase: float | None = None) -> Schedule:
    """The schedule for the engine. phase: as for `next_after`."""
    return Schedule(target_of(start), start.expression, start.timezone, start.enabled, next_after(start, phase))
