"""Starts by the clock: what may be said of them, checked before anything is deployed. Pure."""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stepfast.errors import InvalidRequest, StartupError
from stepfast.registry import Registry


@dataclass(frozen=True, slots=True)
class ScheduledStart:
    """Starts a workflow again and again, by EventBridge Scheduler's cron(...) or rate(...), or once, by at(...).

    Its executions are named after the schedule and the time, so that a start that is delivered twice starts once.
    """

    name: str
    workflow: str
    expression: str
    input: Any = None
    timezone: str = "UTC"
    enabled: bool = True


def event_of(start: ScheduledStart) -> str:
    """What the timer queue is sent when it is time, as JSON; Scheduler puts in the time that it was meant for."""
    what = {"workflow": start.workflow, "input": start.input, "labels": {"schedule": start.name}}
    # The execution's id is made of that time, so a repeated delivery starts once.
    return json.dumps({"start": what, "schedule": start.name, "scheduled": "<aws.scheduler.scheduled-time>"})


def check(start: ScheduledStart, registry: Registry) -> None:
    """Raises StartupError, which names the schedule, for what could never start anything."""
    where = f"[tool.stepfast.schedules.{start.name}]"
    if not _NAME.fullmatch(start.name):
        raise StartupError(f"{where}: a name is 1 to 64 of A-Z a-z 0-9 _ -")
    workflow = registry.get(start.workflow)
    if workflow is None:
        known = ", ".join(sorted(registry.workflows)) or "none"
        raise StartupError(f"{where} workflow: none is named {start.workflow!r}; there are: {known}")
    if wrong := wrong_in(start.expression):
        raise StartupError(f"{where} expression {start.expression!r}: {wrong}")
    zones = zoneinfo.available_timezones()  # none on a machine without them
    if zones and start.timezone not in zones:
        raise StartupError(f"{where} timezone: {start.timezone!r} is none; one looks like Europe/Berlin, or UTC")
    try:
        workflow.input.decode(json.dumps(start.input, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise StartupError(f"{where} input is not JSON: {error}; write dates and times as texts") from error
    except InvalidRequest as error:
        raise StartupError(f"{where} input: {error}") from error


def wrong_in(expression: str) -> str | None:
    """What Scheduler would refuse an expression for; None when it is as it should be."""
    found = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression)
    if found is None:
        return (
            "it is cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or at(2030-01-31T12:00:00)"
        )
    return {"cron": _wrong_in_cron, "rate": _wrong_in_rate, "at": _wrong_in_time}[found[1]](found[2])


def _wrong_in_rate(text: str) -> str | None:
    found = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", text)
    if found is None:
        return "a rate is a whole number from 1 up, and minutes, hours or days"
    if (found[1] == "1") == bool(found[3]):
        return f"Scheduler wants rate(1 {found[2]}) and rate(2 {found[2]}s)"
    return None


def _wrong_in_time(text: str) -> str | None:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - its zone is the schedule's
    except ValueError:
        return "a time is yyyy-mm-ddThh:mm:ss, without a zone: that is `timezone`"
    return None


def _wrong_in_cron(text: str) -> str | None:
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"cron has six fields ({', '.join(name for name, *_ in _FIELDS)}), and this one {len(parts)}"
    if (parts[2] == "?") == (parts[4] == "?"):
        return "one of day-of-month and day-of-week is ?, and the other is not"
    for part, (name, least, most, names, special) in zip(parts, _FIELDS, strict=True):
        if not all(_fits(one, least, most, names, special) for one in part.split(",")):
            return f"{part!r} is no {name}: that is from {least} to {most}, with , - * and /"
    return None


def _fits(part: str, least: int, most: int, names: Collection[str], special: str) -> bool:
    """One element of a field: `*`, a value, a range, either with a step; or what only some fields take."""
    if special and re.fullmatch(special, part):
        return True
    found = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/([1-9]\d*))?", part)
    if found is None or (found[1] == "*" and found[2]):
        return False
    ends = [one for one in (found[1], found[2]) if one and one != "*"]
    return all(one.upper() in names or (one.isdecimal() and least <= int(one) <= most) for one in ends)


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, Collection[str], str], ...] = (
    ("minutes", 0, 59, (), ""),
    ("hours", 0, 23, (), ""),
    ("day-of-month", 1, 31, (), r"\?|L(-\d{1,2})?|LW|([1-9]|[12]\d|3[01])W"),
    ("month", 1, 12, MONTHS, ""),
    ("day-of-week", 1, 7, DAYS, r"\?|L|([1-7]|[A-Z]{3})(L|#[1-5])"),
    ("year", 1970, 2199, (), ""),
)
