"""Moments over changes of the clock, in zones of all kinds, against a search through all minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stepfast.deployment.cron import Cron
from stepfast.deployment.schedule_times import next_after
from stepfast.deployment.schedules import ScheduledStart

ZONES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
    "America/Santiago": ("2026-09-06", "2026-04-05"),  # at midnight
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),  # at midnight
    "Africa/Casablanca": ("2026-03-22", "2026-02-15"),  # back for Ramadan
    "Asia/Kathmandu": ("2026-03-29", "2026-10-25"),  # never
}
"""By zone: days on which clocks go forward and back, in the time zone database of 2026."""
FIELDS = ["30 2 * * ? *", "*/15 0-3 * * ? *", "0 0 * * ? *", "59 23 * * ? *", "0 * * * ? *"]


def moments(fields: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    cron, at, listed = Cron(fields, ZoneInfo(zone)), begin.timestamp() - 1, list[datetime]()
    while True:
        following = cron.after(at)
        if following is None or following >= end.timestamp():
            return listed
        at = following
        listed.append(datetime.fromtimestamp(at, UTC))


def searched(fields: str, zone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Each minute of real time whose local time fits and has not been before: so the first of two, and none twice."""
    minutes, hours = (_values(field, most) for field, most in zip(fields.split(), (60, 24), strict=False))
    seen = set[datetime]()
    at = begin - timedelta(hours=3)
    while at < end:
        local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if local.minute in minutes and local.hour in hours and local not in seen:
            seen.add(local)
            if at >= begin:
                yield at
        at += timedelta(minutes=1)


def _values(field: str, most: int) -> set[int]:
    if field == "*":
        return set(range(most))
    if field.startswith("*/"):
        return set(range(0, most, int(field[2:])))
    first, _, last = field.partition("-")
    return set(range(int(first), int(last or first) + 1))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("fields", FIELDS)
def test_moments_are_those_of_a_search_through_all_minutes(zone: str, fields: str) -> None:
    for day in ZONES[zone]:
        begin = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
        end = begin + timedelta(days=3)
        assert moments(fields, zone, begin, end) == list(searched(fields, zone, begin, end))


@pytest.mark.parametrize(
    ("zone", "day", "fields", "expected"),
    [
        # Forward: 02:30 does not exist; the hour from 02:00 is left out.
        ("Europe/Berlin", "2026-03-29", "30 2 * * ? *", ["28T01:30", "30T00:30"]),
        ("America/New_York", "2026-03-08", "30 2 * * ? *", ["07T07:30", "09T06:30"]),
        # At midnight: the day begins at 01:00.
        ("Africa/Cairo", "2026-04-24", "0 0 * * ? *", ["22T22:00", "24T21:00"]),
        ("America/Santiago", "2026-09-06", "15 0 * * ? *", ["05T04:15", "07T03:15"]),
        # By half an hour: 02:15 does not exist, 02:45 does.
        (
            "Australia/Lord_Howe",
            "2026-10-04",
            "15,45 2 * * ? *",
            ["02T15:45", "02T16:15", "03T15:45", "04T15:15", "04T15:45"],
        ),
        # Back: 02:30 exists twice, and the first of the two counts.
        ("Europe/Berlin", "2026-10-25", "30 2 * * ? *", ["24T00:30", "25T00:30", "26T01:30"]),
        ("America/New_York", "2026-11-01", "30 1 * * ? *", ["31T05:30", "01T05:30", "02T06:30"]),
        ("America/Santiago", "2026-04-05", "30 23 * * ? *", ["05T02:30", "06T03:30", "07T03:30"]),
    ],
)
def test_a_time_that_does_not_exist_is_left_out_and_one_that_exists_twice_comes_once(
    zone: str, day: str, fields: str, expected: list[str]
) -> None:
    begin = (datetime.fromisoformat(day) - timedelta(days=1)).replace(tzinfo=ZoneInfo(zone))
    end = (datetime.fromisoformat(day) + timedelta(days=2)).replace(tzinfo=ZoneInfo(zone))
    assert [f"{at:%dT%H:%M}" for at in moments(fields, zone, begin, end)] == expected


def test_a_day_that_a_zone_has_left_out_has_no_moments() -> None:
    begin = datetime(2011, 12, 28, tzinfo=ZoneInfo("Pacific/Apia"))
    listed = moments("0 12 * * ? *", "Pacific/Apia", begin, begin + timedelta(days=4))
    assert [at.astimezone(ZoneInfo("Pacific/Apia")).day for at in listed] == [28, 29, 31]


def test_an_hourly_cron_has_a_moment_less_when_clocks_go_forward_and_none_more_when_they_go_back() -> None:
    for day, hours, count in (("2026-03-29", 23, 23), ("2026-10-25", 25, 24)):
        begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        end = begin.astimezone(UTC) + timedelta(hours=hours)
        assert len(moments("0 * * * ? *", "Europe/Berlin", begin, end)) == count


def test_a_rate_does_not_look_at_the_clock_of_its_zone() -> None:
    after = next_after(ScheduledStart("a", "w", "rate(1 day)", timezone="Europe/Berlin"), 0.0)
    at = datetime(2026, 3, 28, tzinfo=UTC).timestamp()
    for _ in range(3):
        assert after(at, None) == at + 86400
        at += 86400


def test_a_rate_goes_by_the_moment_that_is_known_and_has_none_before() -> None:
    after = next_after(ScheduledStart("a", "w", "rate(2 hours)"))
    assert after(0.0, None) is None
    assert after(10_000.0, 3_600.0) == 10_800.0
    assert after(10_800.0, 3_600.0) == 18_000.0
    assert after(0.0, 18_000.0) == 3_600.0


def test_an_at_whose_time_does_not_exist_comes_an_hour_later() -> None:
    after = next_after(ScheduledStart("a", "w", "at(2026-03-29T02:30:00)", timezone="Europe/Berlin"))
    at = after(0.0, None)
    assert at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC).timestamp()
    assert after(at, None) is None
