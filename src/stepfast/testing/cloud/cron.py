"""When an EventBridge Scheduler `cron(…)` comes next. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stepfast.functions.starts import DAYS, MONTHS

FARTHEST = 366 * 41
"""Days that are looked through: a 29 February on a given day of the week comes once in 28 years, or 40."""
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")


class Cron:
    """The six fields of an expression, in a time zone; of an expression that `starts.wrong_in` finds nothing wrong in.

    A time that the clocks leave out in spring is left out here, and one that they show twice comes once, as on AWS.
    """

    def __init__(self, fields: str, zone: ZoneInfo) -> None:
        minutes, hours, days, months, weekdays, years = fields.split()
        hours_of_day, minutes_of_hour = _values(hours, 0, 23), _values(minutes, 0, 59)
        self._times = [time(hour, minute) for hour in sorted(hours_of_day) for minute in sorted(minutes_of_hour)]
        self._months, self._years = _values(months, 1, 12, MONTHS), _values(years, 1970, 2199)
        self._fits = _of_month(days) if weekdays == "?" else _of_week(weekdays)
        self._zone = zone

    def after(self, moment: float) -> float | None:
        """The first time after this one, in seconds since the epoch; None when it never comes again."""
        first = datetime.fromtimestamp(moment, self._zone).date()
        for day in (first + timedelta(days=number) for number in range(FARTHEST)):
            if day.month not in self._months or day.year not in self._years or not self._fits(day):
                continue
            for found in (datetime.combine(day, one, self._zone) for one in self._times):
                if found.timestamp() > moment and found.astimezone(UTC).astimezone(self._zone) == found:
                    return found.timestamp()
        return None


def _values(field: str, least: int, most: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    def number(text: str) -> int:
        return names.index(text.upper()) + 1 if text.upper() in names else int(text)

    def expanded(part: str) -> Iterable[int]:
        found = _PART.fullmatch(part)
        assert found is not None, part
        first, last, step = found.groups()
        begin = least if first == "*" else number(first)
        end = number(last) if last else most if first == "*" or step else begin
        if end < begin:  # around the end, as FRI-MON
            return (*range(begin, most + 1, int(step or 1)), *range(least, end + 1, int(step or 1)))
        return range(begin, end + 1, int(step or 1))

    return frozenset(value for part in field.split(",") for value in expanded(part))


Fits = Callable[[date], bool]


def _of_month(field: str) -> Fits:
    """Days of the month, counted from either end, or the weekday (W) next to one."""

    def fits(part: str, day: date) -> bool:
        last = monthrange(day.year, day.month)[1]
        if part == "LW":
            return day == _weekday_near(day.replace(day=last))
        if part.startswith("L"):
            return day.day == last - int(part[2:] or 0)
        if part.endswith("W"):
            return int(part[:-1]) <= last and day == _weekday_near(day.replace(day=int(part[:-1])))
        return day.day in _values(part, 1, 31)

    return lambda day: any(fits(part, day) for part in field.split(","))


def _of_week(field: str) -> Fits:
    """Days of the week, from Sunday (1) on; the last (L) or a numbered (#) one of the month."""

    def fits(part: str, day: date) -> bool:
        weekday = day.isoweekday() % 7 + 1
        if part == "L":
            return weekday == 7
        if part.endswith("L"):
            left = monthrange(day.year, day.month)[1] - day.day
            return weekday in _values(part[:-1], 1, 7, DAYS) and left < 7
        if "#" in part:
            which, _, count = part.partition("#")
            return weekday in _values(which, 1, 7, DAYS) and (day.day - 1) // 7 + 1 == int(count)
        return weekday in _values(part, 1, 7, DAYS)

    return lambda day: any(fits(part, day) for part in field.split(","))


def _weekday_near(day: date) -> date:
    """The nearest of Monday to Friday in the same month."""
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        following = day + timedelta(days=1)
        return following if following.month == day.month else day - timedelta(days=2)
    return day
