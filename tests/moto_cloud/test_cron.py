"""When a cron(…) of EventBridge Scheduler comes, by the examples of its documentation and by its odd corners."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from stepfast.functions.starts import wrong_in
from stepfast.testing.cloud.cron import Cron


def times(fields: str, after: str, count: int, zone: str = "UTC") -> list[str]:
    """The next times after a UTC time, in UTC, to the minute."""
    assert wrong_in(f"cron({fields})") is None
    cron, found = Cron(fields, ZoneInfo(zone)), list[str]()
    moment: float | None = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    while len(found) < count and moment is not None and (moment := cron.after(moment)) is not None:
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("fields", "after", "expected"),
    [
        ("0 6 1 1,4,7,10 ? *", "2030-01-01T06:00", ["2030-04-01 06:00", "2030-07-01 06:00", "2030-10-01 06:00"]),
        ("15 12 * * ? *", "2030-01-01T12:14:59", ["2030-01-01 12:15", "2030-01-02 12:15"]),
        ("0 18 ? * MON-FRI *", "2030-01-04T18:00", ["2030-01-07 18:00", "2030-01-08 18:00"]),
        ("0 8 1 * ? *", "2030-01-15T00:00", ["2030-02-01 08:00", "2030-03-01 08:00"]),
        ("0/10 * ? * MON-FRI *", "2030-01-04T23:45", ["2030-01-04 23:50", "2030-01-07 00:00", "2030-01-07 00:10"]),
        ("0/30 20-2 ? * * *", "2030-01-01T02:10", ["2030-01-01 02:30", "2030-01-01 20:00"]),
        ("5,35 14 * * ? *", "2030-01-01T14:05", ["2030-01-01 14:35", "2030-01-02 14:05"]),
        ("15 10 ? * 6L 2030-2031", "2030-01-01T00:00", ["2030-01-25 10:15", "2030-02-22 10:15"]),
        ("0 9 ? * 2#1 *", "2030-01-01T00:00", ["2030-01-07 09:00", "2030-02-04 09:00"]),
        ("0 9 ? * MON#5 *", "2030-01-01T00:00", ["2030-04-29 09:00", "2030-07-29 09:00"]),
        ("0 9 ? * L *", "2030-01-01T00:00", ["2030-01-05 09:00"]),
        ("0 9 ? * FRI-MON *", "2030-01-01T10:00", ["2030-01-04 09:00", "2030-01-05 09:00", "2030-01-06 09:00"]),
        ("0 9 L * ? *", "2030-01-01T00:00", ["2030-01-31 09:00", "2030-02-28 09:00"]),
        ("0 9 L-2 * ? *", "2030-01-01T00:00", ["2030-01-29 09:00", "2030-02-26 09:00"]),
        ("0 9 LW * ? *", "2030-03-01T00:00", ["2030-03-29 09:00", "2030-04-30 09:00"]),
        ("0 9 1W 6 ? *", "2030-01-01T00:00", ["2030-06-03 09:00"]),
        ("0 9 15W 9 ? *", "2030-01-01T00:00", ["2030-09-16 09:00"]),
        ("0 9 31W * ? *", "2030-01-31T10:00", ["2030-03-29 09:00", "2030-05-31 09:00"]),
        ("0 0 29 2 ? *", "2030-01-01T00:00", ["2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 0 29 FEB/4 ? *", "2030-03-01T00:00", ["2030-06-29 00:00", "2030-10-29 00:00"]),
    ],
)
def test_it_comes_when_the_expression_says(fields: str, after: str, expected: list[str]) -> None:
    assert times(fields, after, len(expected)) == expected


@pytest.mark.parametrize("fields", ["0 9 1 1 ? 2029", "0 9 30 2 ? *", "0 9 31 4,6 ? 2030-2040"])
def test_what_never_comes_again_is_not_waited_for(fields: str) -> None:
    assert times(fields, "2030-01-01T00:00", 1) == []


def test_a_time_is_that_of_its_zone_and_follows_its_clocks() -> None:
    assert times("0 6 ? * SUN *", "2030-03-20T00:00", 2, "Europe/Berlin") == ["2030-03-24 05:00", "2030-03-31 04:00"]


def test_a_time_that_the_clocks_leave_out_is_left_out() -> None:
    assert times("30 2 * * ? *", "2030-03-30T00:00", 2, "Europe/Berlin") == ["2030-03-30 01:30", "2030-04-01 00:30"]


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    assert times("30 2 * * ? *", "2030-10-26T12:00", 2, "Europe/Berlin") == ["2030-10-27 00:30", "2030-10-28 01:30"]
