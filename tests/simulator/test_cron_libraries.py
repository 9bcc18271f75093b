"""Our cron beside two libraries, on drawn expressions of what all three understand alike.

croniter and cronsim count days of the week from 0, know no year in five fields, and begin `a/n` elsewhere: an
expression is drawn as values, and written for each.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import croniter
import cronsim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepfast.deployment.cron import DAYS, MONTHS, Cron, wrong_in
from tests.lanes import examples

UTC_ZONE = ZoneInfo("UTC")
COUNT = 4
MOMENTS = st.integers(1_704_067_200, 2_208_988_799).map(lambda at: datetime.fromtimestamp(at, UTC))
"""Of the years 2024 to 2039."""


@st.composite
def numbers(draw: st.DrawFn, least: int, most: int) -> str:
    """A field of values, ranges and steps that all libraries write alike."""

    def element() -> str:
        kind = draw(st.sampled_from(["value", "range", "range with step", "all", "all with step"]))
        first = draw(st.integers(least, most - 1))
        last = draw(st.integers(min(first + 1, most), most))
        step = draw(st.integers(1, most - least))
        return {
            "value": f"{first}",
            "range": f"{first}-{last}",
            "range with step": f"{first}-{last}/{step}",
            "all": "*",
            "all with step": f"*/{step}",
        }[kind]

    return ",".join(element() for _ in range(draw(st.integers(1, 2))))


def ours(fields: str, after: datetime) -> list[datetime]:
    cron, found = Cron(fields, UTC_ZONE), list[datetime]()
    moment: float | None = after.timestamp()
    while len(found) < COUNT and moment is not None and (moment := cron.after(moment)) is not None:
        found.append(datetime.fromtimestamp(moment, UTC))
    return found


def of_croniter(fields: str, after: datetime) -> list[datetime]:
    walk = croniter.croniter(fields, after, ret_type=datetime)
    return [walk.get_next() for _ in range(COUNT)]


def of_cronsim(fields: str, after: datetime) -> list[datetime]:
    walk = cronsim.CronSim(fields, after)
    return [next(walk) for _ in range(COUNT)]


@settings(max_examples=examples(30), deadline=None)
@given(numbers(0, 59), numbers(0, 23), numbers(1, 28), numbers(1, 12), MOMENTS)
def test_days_of_the_month_are_those_of_both(minutes: str, hours: str, days: str, months: str, after: datetime) -> None:
    fields = f"{minutes} {hours} {days} {months} ? *"
    assert wrong_in(f"{fields}") is None
    theirs = f"{minutes} {hours} {days} {months} *"
    assert ours(fields, after) == of_croniter(theirs, after) == of_cronsim(theirs, after)


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 59), st.integers(0, 23), st.sets(st.integers(0, 6), min_size=1), numbers(1, 12), MOMENTS)
def test_days_of_the_week_are_those_of_both(
    minute: int, hour: int, days: set[int], months: str, after: datetime
) -> None:
    ordered = sorted(days)
    theirs = f"{minute} {hour} * {months} {','.join(map(str, ordered))}"
    expected = of_croniter(theirs, after)
    assert expected == of_cronsim(theirs, after)
    for written in (",".join(str(one + 1) for one in ordered), ",".join(DAYS[one].lower() for one in ordered)):
        assert ours(f"{minute} {hour} ? {months} {written} *", after) == expected


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 6), st.integers(1, 5), MOMENTS)
def test_the_nth_weekday_is_that_of_both(day: int, count: int, after: datetime) -> None:
    theirs = f"0 9 * * {day}#{count}"
    assert ours(f"0 9 ? * {day + 1}#{count} *", after) == of_croniter(theirs, after) == of_cronsim(theirs, after)
    assert ours(f"0 9 ? * {DAYS[day].lower()}#{count} *", after) == of_croniter(theirs, after)


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 6), MOMENTS)
def test_the_last_weekday_is_that_of_both(day: int, after: datetime) -> None:
    expected = of_cronsim(f"0 9 * * {day}L", after)
    assert ours(f"0 9 ? * {day + 1}L *", after) == expected == of_croniter(f"0 9 * * L{day}", after)


@settings(max_examples=examples(20), deadline=None)
@given(numbers(1, 12), MOMENTS)
def test_the_last_day_and_the_last_weekday_of_the_month_are_theirs(months: str, after: datetime) -> None:
    assert ours(f"0 9 L {months} ? *", after) == of_croniter(f"0 9 L {months} *", after)
    assert ours(f"0 9 L {months} ? *", after) == of_cronsim(f"0 9 L {months} *", after)
    assert ours(f"0 9 LW {months} ? *", after) == of_cronsim(f"0 9 LW {months} *", after)


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 23), st.integers(0, 23), MOMENTS)
def test_a_range_around_the_end_holds_the_values_of_both_halves(first: int, last: int, after: datetime) -> None:
    halves = f"{first}-{last}" if first <= last else f"{first}-23,0-{last}"
    assert ours(f"0 {first}-{last} * * ? *", after) == of_cronsim(f"0 {halves} * * *", after)


@pytest.mark.parametrize("month", range(12))
def test_a_months_name_is_its_number(month: int) -> None:
    after = datetime(2030, 1, 1, tzinfo=UTC)
    expected = of_cronsim(f"0 9 1 {month + 1} *", after)
    assert ours(f"0 9 1 {MONTHS[month]} ? *", after) == ours(f"0 9 1 {MONTHS[month].lower()} ? *", after) == expected


def test_a_year_is_that_of_croniter() -> None:
    after = datetime(2030, 1, 1, tzinfo=UTC)
    walk = croniter.croniter("0 9 1 1 * 0 2040-2050/5", after, ret_type=datetime)
    assert ours("0 9 1 1 ? 2040-2050/5", after) == [walk.get_next() for _ in range(3)]
