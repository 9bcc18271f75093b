"""Scheduled starts: their settings, checked before anything is deployed. Pure."""

from __future__ import annotations

import json
import re
import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stepfast.deployment import cron
from stepfast.engine.schedule_items import MOST_JITTER, OVERLAPS, Overlap
from stepfast.errors import InvalidRequest, StartupError
from stepfast.language.registry import Registry

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""Scheduler replaces it by the time: https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}


@dataclass(frozen=True, slots=True)
class ScheduledStart:
    """Starts a workflow by the clock.

    name: the name of the schedule.
    workflow: the id of the workflow.
    expression: `cron(...)` or `rate(...)` to start it repeatedly, or `at(...)` to start it once, as EventBridge
    Scheduler reads them.
    input: the input of the workflow.
    timezone: the time zone in which a `cron` or an `at` is read, such as "Europe/Berlin".
    enabled: False keeps the schedule without starting anything.
    overlap: the policy while an execution that the schedule has started before is RUNNING: "allow" starts
    another beside it. "skip" starts none. "wait" starts it once the earlier one has ended. "replace" cancels the
    earlier one first.
    jitter: seconds, at most 3600. Each start is delayed by an offset of less than that, which depends on the schedule
    and the time. It keeps many schedules from starting in the same second.

    The id of each execution is made of the name and the scheduled time, so that a start which is delivered twice starts
    one execution.
    """

    name: str
    workflow: str
    expression: str
    input: Any = None
    timezone: str = "UTC"
    enabled: bool = True
    overlap: Overlap = "allow"
    jitter: int = 0


def event_of(start: ScheduledStart) -> str:
    """The message that Scheduler sends to the timer queue, as JSON. Scheduler fills in the scheduled time."""
    request = {"workflow": start.workflow, "input": start.input, "labels": {"schedule": start.name}}
    # Scheduler delivers at least once. The execution id is made of the scheduled time, so a second delivery starts
    # nothing.
    event: dict[str, Any] = {"start": request, "schedule": start.name, "scheduled": SCHEDULED_TIME}
    if start.overlap != "allow":
        event["overlap"] = start.overlap
    if start.jitter:
        event["jitter"] = start.jitter
    return json.dumps(event)


def check(start: ScheduledStart, registry: Registry) -> None:
    """Raises StartupError, which names the schedule, for settings that cannot start anything."""
    where = f"[tool.stepfast.schedules.{start.name}]"
    if not _NAME.fullmatch(start.name):
        raise StartupError(f"{where}: a name is 1 to 64 of A-Z a-z 0-9 _ -")
    workflow = registry.get(start.workflow)
    if workflow is None:
        known = ", ".join(sorted(registry.workflows)) or "none"
        raise StartupError(f"{where} workflow: none is named {start.workflow!r}; there are: {known}")
    if wrong := wrong_in(start.expression):
        raise StartupError(f"{where} expression {start.expression!r}: {wrong}")
    _check_policies(where, start)
    zones = zoneinfo.available_timezones()  # empty on a machine without a time zone database
    if zones and start.timezone not in zones:
        raise StartupError(
            f"{where} timezone: {start.timezone!r} is not a time zone; write it as Europe/Berlin, or UTC"
        )
    try:
        workflow.input.decode(json.dumps(start.input, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise StartupError(f"{where} input is not JSON: {error}; write dates and times as texts") from error
    except InvalidRequest as error:
        raise StartupError(f"{where} input: {error}") from error


def _check_policies(where: str, start: ScheduledStart) -> None:
    if start.overlap not in OVERLAPS:
        raise StartupError(f"{where} overlap is one of {', '.join(OVERLAPS)}, not {start.overlap!r}")
    if type(start.jitter) is not int or not 0 <= start.jitter <= MOST_JITTER:
        raise StartupError(f"{where} jitter is a whole number from 0 to {MOST_JITTER}, not {start.jitter!r}")
    period = period_of(start.expression)
    if period is not None and start.jitter >= period:
        raise StartupError(f"{where} jitter: {start.jitter} is not less than the {period:g} seconds of its rate")


def check_to_come(start: ScheduledStart, now: float) -> str | None:
    """Raises StartupError for a cron(…) without a future time; returns a warning about an at(…) in the past, or None.

    now: seconds since the epoch. An at(…) in the past is not an error: it may have started its execution and remained
    in the settings. It may also have a wrong year, and nothing distinguishes the two.
    """
    where = f"[tool.stepfast.schedules.{start.name}] expression {start.expression!r}"
    kind, _, text = start.expression.removesuffix(")").partition("(")
    try:
        zone = zoneinfo.ZoneInfo(start.timezone)
    except zoneinfo.ZoneInfoNotFoundError:
        return None  # This machine has no time zone database.
    if kind == "cron" and start.enabled and cron.Cron(text, zone).after(now) is None:
        raise StartupError(f"{where} never comes again: give it a later year, or set enabled = false")
    if kind == "at" and start.enabled and datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() <= now:
        return f"{where} has passed: it starts nothing any more"
    return None


def period_of(expression: str) -> float | None:
    """Seconds between two times of a rate; None for another expression."""
    rate = _RATE.fullmatch(expression)
    return None if rate is None else int(rate[1]) * _UNITS[rate[2]]


def wrong_in(expression: str) -> str | None:
    """The reason why Scheduler would refuse an expression; None if it is valid."""
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression)
    if match is None:
        return (
            "it is cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or at(2030-01-31T12:00:00)"
        )
    return {"cron": cron.wrong_in, "rate": _wrong_in_rate, "at": _wrong_in_time}[match[1]](match[2])


def _wrong_in_rate(text: str) -> str | None:
    match = re.fullmatch(r"([1-9]\d{0,8}) (minute|hour|day)(s?)", text, re.ASCII)
    if match is None:
        return "a rate is a whole number from 1 up, and minutes, hours or days"
    if (match[1] == "1") == bool(match[3]):
        return f"Scheduler wants rate(1 {match[2]}) and rate(2 {match[2]}s)"
    return None


def _wrong_in_time(text: str) -> str | None:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text, re.ASCII) is None:
            raise ValueError(text)  # strptime also accepts 2030-1-5
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - its zone is the schedule's
    except ValueError:
        return "a time is yyyy-mm-ddThh:mm:ss, without a zone: that is `timezone`"
    return None


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
