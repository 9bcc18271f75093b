"""When a cron(…) of EventBridge Scheduler comes, by the examples of its documentation and by its odd corners."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from stepfast.deployment.cron import FIELDS
from stepfast.deployment.schedules import wrong_in
from stepfast.simulator.cron import Cron


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


@pytest.mark.parametrize("fields", ["0 9 1 1 ? 2029", "0 9 ? 1 2#1 2020-2029", "30 2 31 3 ? 2030"])
def test_what_never_comes_again_is_not_waited_for(fields: str) -> None:
    assert times(fields, "2030-01-01T00:00", 1, "Europe/Berlin") == []


@pytest.mark.parametrize(
    ("fields", "after", "expected"),
    [
        ("0 22-4/4 * * ? *", "2030-01-01T00:00", ["2030-01-01 02:00", "2030-01-01 22:00", "2030-01-02 02:00"]),
        ("50-10/20 12 * * ? *", "2030-01-01T12:00", ["2030-01-01 12:10", "2030-01-01 12:50"]),
        ("0 0 1 NOV-FEB/2 ? *", "2030-01-02T00:00", ["2030-11-01 00:00", "2031-01-01 00:00"]),
        ("0 0 ? * FRI-TUE *", "2030-01-01T12:00", ["2030-01-04 00:00", "2030-01-05 00:00", "2030-01-06 00:00"]),
        ("0 0 1 1 ? 2150", "2030-01-01T00:00", ["2150-01-01 00:00"]),
        ("0 0 29 2 ? 2196-2199", "2030-01-01T00:00", ["2196-02-29 00:00"]),
        ("0 0 L-30 * ? *", "2030-01-02T00:00", ["2030-03-01 00:00", "2030-05-01 00:00"]),
        ("0 0 ? * fri#2 *", "2030-01-01T00:00", ["2030-01-11 00:00", "2030-02-08 00:00"]),
        ("0 0 ? * friL *", "2030-01-01T00:00", ["2030-01-25 00:00"]),
        ("0 0 ? jan fri *", "2030-01-01T00:00", ["2030-01-04 00:00"]),
        ("0 0 lw 1 ? *", "2030-01-01T00:00", ["2030-01-31 00:00"]),
        ("0 0 05 01 ? *", "2030-01-01T00:00", ["2030-01-05 00:00"]),
    ],
)
def test_what_used_to_be_refused_or_to_come_wrongly(fields: str, after: str, expected: list[str]) -> None:
    assert times(fields, after, len(expected)) == expected


def test_a_time_is_that_of_its_zone_and_follows_its_clocks() -> None:
    assert times("0 6 ? * SUN *", "2030-03-20T00:00", 2, "Europe/Berlin") == ["2030-03-24 05:00", "2030-03-31 04:00"]


def test_a_time_that_the_clocks_leave_out_is_left_out() -> None:
    assert times("30 2 * * ? *", "2030-03-30T00:00", 2, "Europe/Berlin") == ["2030-03-30 01:30", "2030-04-01 00:30"]


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    assert times("30 2 * * ? *", "2030-10-26T12:00", 2, "Europe/Berlin") == ["2030-10-27 00:30", "2030-10-28 01:30"]


# -- the grammar, token by token -----------------------------------------------------------------------------

TAKEN = {
    "minutes": ["0", "59", "*", "0-59", "0/15", "*/15", "5-50/15", "1,2,3", "50-10", "0-5,30/10"],
    "hours": ["0", "23", "*", "9-17", "0/6", "*/6", "20-2", "22-4/4", "8,12"],
    "day-of-month": ["1", "31", "*", "?", "1-15", "1/7", "*/2", "1,15", "L", "L-1", "L-30", "LW", "1W", "31W", "28-3"],
    "month": ["1", "12", "*", "JAN", "dec", "Jan-Mar", "1/3", "JAN/3", "JAN,JUL", "NOV-FEB"],
    "day-of-week": ["1", "7", "*", "?", "SUN", "sat", "MON-FRI", "2-6", "SUN,WED", "L", "6L", "FRIL", "3#2", "FRI#1"],
    "year": ["1970", "2199", "*", "2030-2040", "2030/5", "2030,2032"],
}
REFUSED = {
    "minutes": ["60", "-1", "?", "L", "5/0", "5/", "/5", "*-5", "a", "1,", "", "٣", "1.5", "JAN", "5#1", "5W"],
    "hours": ["24", "?", "L", "9-", "9-25", "MON"],
    "day-of-month": ["0", "32", "L-0", "L-31", "L-99", "W", "0W", "32W", "1,?", "WL", "15W-20", "JAN", "L/2", "3#1"],
    "month": ["0", "13", "JAM", "JANUARY", "?", "L", "JAN#1", "JANL"],
    "day-of-week": [
        "0",
        "8",
        "XYZ",
        "XYZ#1",
        "ABCL",
        "MON#0",
        "MON#6",
        "#2",
        "8#1",
        "3#1,6#3",
        "2/2",
        "*/2",
        "?,2",
        "3W",
    ],
    "year": ["1969", "2200", "2040-2030", "?", "L", "JAN", "30"],
}


def expression(field: str, token: str) -> str:
    """The token in its field, with the others left open as the day fields have it."""
    parts = {one.name: "*" for one in FIELDS} | {"minutes": "0", "hours": "9", "day-of-week": "?"}
    if field == "day-of-week":
        parts["day-of-month"] = "*" if token == "?" else "?"
    if field == "day-of-month" and token == "?":
        parts["day-of-week"] = "*"
    return " ".join({**parts, field: token}.values())


@pytest.mark.parametrize(("field", "token"), [(field, token) for field, tokens in TAKEN.items() for token in tokens])
def test_a_token_of_the_documentation_is_taken_and_comes(field: str, token: str) -> None:
    fields = expression(field, token)
    assert wrong_in(f"cron({fields})") is None
    assert Cron(fields, ZoneInfo("Europe/Berlin")).after(0.0) is not None


@pytest.mark.parametrize(("field", "token"), [(field, token) for field, tokens in REFUSED.items() for token in tokens])
def test_any_other_token_is_refused_by_its_field(field: str, token: str) -> None:
    wrong = wrong_in(f"cron({expression(field, token)})")
    assert wrong is not None
    assert field in wrong or "never comes" in wrong or "six fields" in wrong


@pytest.mark.parametrize("fields", ["0 9 30 2 ? *", "0 9 31 4,6 ? 2030-2040", "0 0 29 2 ? 2031", "0 0 31W 2,4 ? *"])
def test_a_day_that_no_month_has_is_refused(fields: str) -> None:
    assert wrong_in(f"cron({fields})") == "it never comes: no month has such a day"


@pytest.mark.parametrize(
    "expression",
    [
        *("rate(0 minutes)", "rate(1 minutes)", "rate(2 minute)", "rate(1.5 hours)", "rate(5 weeks)", "rate( 5 days)"),
        *("rate(5days)", "rate(-5 days)", "rate(٣ days)", "rate(99999999999 days)", "rate()", "Rate(5 days)"),
        *("at(2030-1-05T00:00:00)", "at(2030-01-05)", "at(2030-02-30T00:00:00)", "at(2030-01-05T00:00:00Z)"),
        *(
            "at(2030-01-05T24:00:00)",
            "cron(0 9 * * ?)",
            "cron(0 9 * * * *)",
            "cron(0 9 ? * ? *)",
            "cron()",
            "daily",
            "",
        ),
    ],
)
def test_other_expressions_are_refused_with_what_to_write(expression: str) -> None:
    assert wrong_in(expression)


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(90 minutes)", "rate(1 day)", "at(2030-01-05T23:59:59)"])
def test_rates_and_times_are_taken(expression: str) -> None:
    assert wrong_in(expression) is None
