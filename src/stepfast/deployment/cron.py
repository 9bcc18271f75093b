"""The cron(…) expressions of EventBridge Scheduler: which are valid, and when they are due. Pure.

The grammar and its meaning are those of https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html.
Where that page says nothing (L-3, LW, a range with a step that passes the end), the rules are those of Quartz, where
these wildcards come from.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ELEMENT = re.compile(r"(\*|[A-Z0-9]+)(?:-([A-Z0-9]+))?(?:/([1-9]\d*))?")
Fits = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """One of the six fields. special: a pattern of the elements that are not values, ranges or steps."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = ""
    wildcards: str = ", - * and /"
    wraps: bool = True
    steps: bool = True

    def fits(self, element: str) -> bool:
        """Whether this text, in capitals, is a valid element of the field."""
        if self.special and re.fullmatch(self.special, element):
            return True
        match = _ELEMENT.fullmatch(element)
        if match is None or (match[1] == "*" and match[2]) or (match[3] and not self.steps):
            return False
        ends = [self.number(text) for text in (match[1], match[2]) if text and text != "*"]
        if any(number is None for number in ends):
            return False
        return self.wraps or len(ends) < 2 or (ends[0] or 0) <= (ends[1] or 0)

    def number(self, text: str) -> int | None:
        """The value of a number or name; None for any other text and for a number out of range."""
        if text in self.names:
            return self.names.index(text) + self.least
        number = int(text) if text.isdecimal() else None
        return number if number is not None and self.least <= number <= self.most else None

    def values(self, field: str) -> frozenset[int]:
        """The values of a field without special elements. Raises ValueError for an element that is not valid."""
        return frozenset(value for element in field.split(",") for value in self._expand(element))

    def _expand(self, element: str) -> Iterator[int]:
        match = _ELEMENT.fullmatch(element)
        if match is None or not self.fits(element):
            raise ValueError(f"{element!r} is no {self.name}")
        first, last, step = match.groups()
        begin = self.least if first == "*" else self.number(first) or 0
        end = (self.number(last) or 0) if last else self.most if first == "*" or step else begin
        span = self.most - self.least + 1
        around = span if end < begin else 0  # FRI-MON, or hours 22-4: the step continues past the end of the field
        for value in range(begin, end + around + 1, int(step or 1)):
            yield (value - self.least) % span + self.least


MINUTES, HOURS = Field("minutes", 0, 59), Field("hours", 0, 23)
DAYS_OF_MONTH = Field(
    "day-of-month", 1, 31, special=r"L(-([1-9]|[12]\d|30))?|LW|(0?[1-9]|[12]\d|3[01])W", wildcards=", - * ? / L and W"
)
MONTHS_OF_YEAR = Field("month", 1, 12, MONTHS)
DAYS_OF_WEEK = Field(
    "day-of-week",
    1,
    7,
    DAYS,
    special=rf"L|([1-7]|{'|'.join(DAYS)})(L|#[1-5])",
    wildcards=", - * ? L and #",
    steps=False,
)
YEARS = Field("year", 1970, 2199, wraps=False)
FIELDS = (MINUTES, HOURS, DAYS_OF_MONTH, MONTHS_OF_YEAR, DAYS_OF_WEEK, YEARS)


def wrong_in(text: str) -> str | None:
    """The reason why Scheduler would refuse the six fields; None if they are valid."""
    parts = text.upper().split()
    if len(parts) != len(FIELDS):
        return f"cron has six fields ({', '.join(field.name for field in FIELDS)}), and this one {len(parts)}"
    if (parts[2] == "?") == (parts[4] == "?"):
        return "one of day-of-month and day-of-week is ?, and the other is not"
    for part, written, field in zip(parts, text.split(), FIELDS, strict=True):
        if part != "?" and not all(field.fits(element) for element in part.split(",")):
            between = f"from {field.least} to {field.most}"
            return f"{written!r} is no {field.name}: that is {between}, with {field.wildcards}"
        if part == "?" and field not in (DAYS_OF_MONTH, DAYS_OF_WEEK):
            return f"'?' is no {field.name}: only day-of-month and day-of-week may be left open"
    if "#" in parts[4] and "," in parts[4]:
        return f"{text.split()[4]!r} is no day-of-week: with # it takes one expression only"
    if not any(Cron(text, UTC).days()):
        return "it never comes: no month has such a day"
    return None


class Cron:
    """The times of a cron expression in a time zone. Raises ValueError for fields that `wrong_in` objects to.

    A time that does not exist because clocks are set forward is left out. A time that exists twice because clocks are
    set back is due once. EventBridge Scheduler does the same.
    """

    def __init__(self, fields: str, zone: tzinfo) -> None:
        minutes, hours, days, months, weekdays, years = fields.upper().split()
        hours_of_day, minutes_of_hour = HOURS.values(hours), MINUTES.values(minutes)
        self._times = [time(hour, minute) for hour in sorted(hours_of_day) for minute in sorted(minutes_of_hour)]
        self._months, self._years = sorted(MONTHS_OF_YEAR.values(months)), sorted(YEARS.values(years))
        self._day_fits = _month_day_test(days) if weekdays == "?" else _weekday_test(weekdays)
        self._zone = zone

    def after(self, moment: float) -> float | None:
        """The first due time after a moment, both in seconds since the epoch; None if there is none."""
        first = datetime.fromtimestamp(moment, self._zone).date()
        for day in self.days(first):
            # Only a local time that exists survives the way to UTC and back.
            for occurrence in (datetime.combine(day, clock_time, self._zone) for clock_time in self._times):
                if occurrence.timestamp() > moment and occurrence.astimezone(UTC).astimezone(self._zone) == occurrence:
                    return occurrence.timestamp()
        return None

    def days(self, first: date = date.min) -> Iterator[date]:
        """The days with a due time, in order, from the first day on."""
        for year in self._years:
            for month in self._months:
                if (year, month) >= (first.year, first.month):
                    whole = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
                    yield from (day for day in whole if day >= first and self._day_fits(day))


def _month_day_test(field: str) -> Fits:
    """A test for days of the month: counted from either end, or the weekday (W) nearest to a day."""

    def fit(part: str) -> Fits:
        if part == "LW":
            return lambda day: day == _nearest_working_day(day.replace(day=_last_day_of_month(day)))
        if part.startswith("L"):
            back = int(part[2:] or 0)
            return lambda day: day.day == _last_day_of_month(day) - back
        if part.endswith("W"):
            near = int(part[:-1])
            return lambda day: near <= _last_day_of_month(day) and day == _nearest_working_day(day.replace(day=near))
        values = DAYS_OF_MONTH.values(part)
        return lambda day: day.day in values

    return _any_of(fit(part) for part in field.split(","))


def _weekday_test(field: str) -> Fits:
    """A test for days of the week, where Sunday is 1: any, the last (L) of the month, or the nth (#)."""

    def fit(part: str) -> Fits:
        if part == "L":
            return lambda day: _weekday_number(day) == 7
        if part.endswith("L"):
            which = DAYS_OF_WEEK.values(part[:-1])
            return lambda day: _weekday_number(day) in which and _last_day_of_month(day) - day.day < 7
        if "#" in part:
            of_week, _, count = part.partition("#")
            numbered = DAYS_OF_WEEK.values(of_week)
            return lambda day: _weekday_number(day) in numbered and (day.day - 1) // 7 + 1 == int(count)
        values = DAYS_OF_WEEK.values(part)
        return lambda day: _weekday_number(day) in values

    return _any_of(fit(part) for part in field.split(","))


def _any_of(fits: Iterable[Fits]) -> Fits:
    every = tuple(fits)
    return lambda day: any(fits_part(day) for fits_part in every)


def _last_day_of_month(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _weekday_number(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _nearest_working_day(day: date) -> date:
    """The day from Monday to Friday that is nearest to this day within the same month."""
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        following = day + timedelta(days=1)
        return following if following.month == day.month else day - timedelta(days=2)
    return day
