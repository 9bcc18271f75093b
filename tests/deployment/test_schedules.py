"""Starts by the clock, as `[tool.stepfast.schedules]` has them: what Scheduler would refuse is refused at synth."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stepfast import workflow
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.deployment.schedules import ScheduledStart, check, check_to_come, event_of, wrong_in
from stepfast.engine.schedule_items import ScheduleTarget
from stepfast.errors import StartupError
from stepfast.language.registry import Registry


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 3 * * ? *)",
        "cron(*/5 9-17 ? * MON-FRI *)",
        "cron(0,30 0/2 1,15,L 1-3 ? 2026-2030)",
        "cron(15 10 ? * 6L *)",
        "cron(0 8 15W JAN,JUL ? *)",
        "cron(0 8 ? * 2#1 *)",
        "rate(1 minute)",
        "rate(12 hours)",
        "at(2030-01-31T12:00:00)",
    ],
)
def test_what_scheduler_takes_is_taken(expression: str) -> None:
    assert wrong_in(expression) is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 3 * * *", "cron(minutes"),
        ("every day", "rate(5 minutes)"),
        ("cron(0 3 * * *)", "six fields"),
        ("cron(0 3 * * * *)", "one of day-of-month and day-of-week is ?"),
        ("cron(0 3 ? * ? *)", "one of day-of-month and day-of-week is ?"),
        ("cron(60 3 * * ? *)", "'60' is no minutes: that is from 0 to 59"),
        ("cron(0 24 * * ? *)", "no hours"),
        ("cron(0 3 32 * ? *)", "no day-of-month"),
        ("cron(0 3 * JANUARY ? *)", "no month"),
        ("cron(0 3 ? * 0 *)", "no day-of-week"),
        ("cron(0 3 * * ? 26)", "no year"),
        ("cron(*-5 3 * * ? *)", "no minutes"),
        ("cron(0/0 3 * * ? *)", "no minutes"),
        ("rate(1 minutes)", "rate(1 minute)"),
        ("rate(5 minute)", "rate(2 minutes)"),
        ("rate(0 hours)", "from 1 up"),
        ("rate(5 seconds)", "minutes, hours or days"),
        ("at(2030-02-30T12:00:00)", "yyyy-mm-ddThh:mm:ss"),
        ("at(2030-01-31T12:00:00Z)", "timezone"),
    ],
)
def test_what_scheduler_would_refuse_is_refused_with_the_reason(expression: str, said: str) -> None:
    assert said in (wrong_in(expression) or "")


@workflow("totals")
async def totals(days: list[int]) -> int:
    return sum(days)


SCHEDULE = {"workflow": "totals", "expression": "rate(1 day)", "input": [1, 2]}


def test_a_schedule_of_the_settings_is_planned() -> None:
    table = {"schedules": {"nightly": {**SCHEDULE, "timezone": "Europe/Berlin", "enabled": False}}}
    made = Plan.of(Registry([totals]), Project.of(table))
    assert made.starts == (
        ScheduledStart("nightly", "totals", "rate(1 day)", [1, 2], timezone="Europe/Berlin", enabled=False),
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"workflow": "total"}, "none is named 'total'; there are: totals"),
        ({"expression": "rate(1 days)"}, "rate(1 day)"),
        ({"input": ["one"]}, "input"),
        ({"input": None}, "input"),
        ({"input": [float("nan")]}, "is not JSON"),
        ({"input": datetime(2026, 1, 1, tzinfo=UTC)}, "dates and times as texts"),
        ({"timezone": "Berlin"}, "Europe/Berlin"),
        ({"at": "03:00"}, "has no setting 'at'; it has: workflow, expression, input, timezone, enabled"),
        ({"enabled": "yes"}, "true or false"),
        ({"workflow": 3}, "a text"),
    ],
)
def test_a_schedule_that_could_start_nothing_is_refused_by_its_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(StartupError) as raised:
        Plan.of(Registry([totals]), Project.of({"schedules": {"nightly": {**SCHEDULE, **changes}}}))
    assert "tool.stepfast.schedules.nightly" in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("missing", ["workflow", "expression"])
def test_a_schedule_says_what_it_starts_and_when(missing: str) -> None:
    with pytest.raises(StartupError, match=f"nightly. has no {missing}"):
        Project.of({"schedules": {"nightly": {key: value for key, value in SCHEDULE.items() if key != missing}}})


def test_a_schedules_name_fits_into_the_ids_of_its_executions() -> None:
    with pytest.raises(StartupError, match="1 to 64 of A-Z"):
        Plan.of(Registry([totals]), Project.of({"schedules": {"every night": SCHEDULE}}))


NOW = datetime(2030, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("cron(0 6 1 1 ? 2029)", "UTC"),
        ("cron(0 6 * * ? 2020-2029)", "Europe/Berlin"),
        ("cron(30 0 1 1 ? 2030)", "Europe/Berlin"),
    ],
)
def test_a_cron_whose_last_time_has_passed_is_refused_at_synth(expression: str, zone: str) -> None:
    start = ScheduledStart("old", "totals", expression, timezone=zone)
    assert wrong_in(expression) is None
    with pytest.raises(StartupError, match=r"schedules\.old\] expression .* never comes again: give it a later year"):
        check_to_come(start, NOW)
    assert check_to_come(replace(start, enabled=False), NOW) is None


def test_a_time_that_has_passed_is_told_and_not_refused() -> None:
    passed = check_to_come(ScheduledStart("once", "totals", "at(2029-12-31T23:00:00)"), NOW)
    assert passed is not None
    assert "has passed: it starts nothing any more" in passed


@pytest.mark.parametrize("expression", ["cron(30 1 1 1 ? 2030)", "at(2030-01-01T01:30:00)", "rate(1 day)"])
def test_what_is_still_to_come_is_nothing_to_speak_of(expression: str) -> None:
    assert check_to_come(ScheduledStart("soon", "totals", expression, timezone="Europe/Berlin"), NOW) is None


def test_the_policies_of_a_schedule_are_in_its_message_where_they_are_not_the_default() -> None:
    plain = ScheduledStart("nightly", "totals", "rate(1 day)", [1])
    assert set(json.loads(event_of(plain))) == {"start", "schedule", "scheduled"}
    event = json.loads(event_of(replace(plain, overlap="wait", jitter=300)))
    assert (event["overlap"], event["jitter"]) == ("wait", 300)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"overlap": "never"}, "overlap is one of allow, skip, wait, replace"),
        ({"jitter": 3601}, "jitter is a whole number from 0 to 3600"),
        ({"jitter": 1.5}, "jitter is a whole number from 0 to 3600"),
        ({"expression": "rate(5 minutes)", "jitter": 300}, "300 is not less than the 300 seconds of its rate"),
    ],
)
def test_policies_that_make_no_sense_are_refused(fields: dict[str, Any], said: str) -> None:
    start = replace(ScheduledStart("nightly", "totals", "rate(1 day)", [1]), **fields)
    with pytest.raises(StartupError, match=re.escape(said)):
        check(start, Registry([totals]))
    if "expression" not in fields:
        with pytest.raises(StartupError, match=re.escape(said.split(" is ")[0])):
            Project.of({"schedules": {"nightly": {**SCHEDULE, **fields}}})


def test_jitter_spreads_moments_and_names_over_its_whole_length() -> None:
    offsets = [ScheduleTarget(f"s{name}", "w", jitter=600).offset(3600.0 * n) for name in range(20) for n in range(50)]
    assert all(0 <= offset < 600 for offset in offsets)
    tenths = [sum(tenth * 60 <= offset < (tenth + 1) * 60 for offset in offsets) for tenth in range(10)]
    assert min(tenths) > 60
    assert len({round(offset) for offset in offsets}) > 300
    assert ScheduleTarget("nightly", "w").offset(0.0) == 0.0
    # What is written here must not change: an update would shift the starts of all schedules.
    assert ScheduleTarget("nightly", "report", jitter=3600).offset(1_795_359_600.0) == pytest.approx(868.515172)
