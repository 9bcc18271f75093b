"""What schedules do in both homes: pauses, overlaps, jitter, starts by hand, backfills (rules *moment*, *overlap*)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stepfast.deployment.schedules import ScheduledStart
from stepfast.engine.schedule_items import Moment, Pause, ScheduleItem, ScheduleTarget
from tests.contract.scheduled import BEGINS, CloudHome, EmbeddedHome, Scheduled, at, start

Make = Callable[..., Scheduled]
HOMES = {"embedded": EmbeddedHome, "aws": CloudHome}


@pytest.fixture(params=HOMES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[Scheduled] = []

    def build(*starts: ScheduledStart, begins: datetime = BEGINS) -> Scheduled:
        home: Any = HOMES[request.param]
        made.append(Scheduled(home(tmp_path / "schedules.db", starts, begins)))
        return made[-1]

    yield build
    for scheduled in made:
        scheduled.home.close()


# -- what is stored ------------------------------------------------------------------------------------------------


def test_an_item_is_written_by_whoever_has_read_its_last_version(backend: Any) -> None:
    schedules = backend.store.schedules
    empty = backend.run(schedules.read("nightly"))
    assert empty == ScheduleItem("nightly")
    moment = Moment("nightly-1", 1000.0, "backfill", 1001.5, "ann", replaces=("a", "b"), why="x")
    item = replace(empty, pause=Pause(1.5, "ann", "why", None), phase=60.0, started=(moment,), waiting=(moment,))
    first = backend.run(schedules.write(item, ""))
    assert first is not None
    assert backend.run(schedules.write(item, "")) is None
    assert backend.run(schedules.read("nightly")) == first == replace(item, version=first.version)
    second = backend.run(schedules.write(replace(first, pause=None), first.version))
    assert second is not None
    assert backend.run(schedules.write(first, first.version)) is None
    assert backend.run(schedules.read("nightly")) == second


def test_of_many_writes_at_once_one_wins(backend: Any) -> None:
    schedules = backend.store.schedules
    items = [replace(ScheduleItem("nightly"), phase=float(number + 1)) for number in range(8)]
    written = backend.run_all(*(lambda item=item: schedules.write(item, "") for item in items))
    assert sum(one is not None for one in written) == 1


# -- overlaps ------------------------------------------------------------------------------------------------------


def test_by_default_a_moment_starts_beside_what_runs(make: Make) -> None:
    home = make(start("each"))
    home.advance(hours=2, minutes=5)
    assert home.statuses() == {at(1): "RUNNING", at(2): "RUNNING"}
    shown = home.schedule()
    assert [(one["execution_id"], one["cause"]) for one in shown["started"]] == [(at(2), "clock"), (at(1), "clock")]
    assert (shown["overlap"], shown["skipped"], shown["waiting"]) == ("allow", [], 0)


def test_skip_starts_nothing_while_the_earlier_one_runs(make: Make) -> None:
    home = make(start("each", overlap="skip"))
    home.advance(hours=2, minutes=5)
    assert home.statuses() == {at(1): "RUNNING"}
    assert [(one["execution_id"], one["why"]) for one in home.schedule()["skipped"]] == [(at(2), f"{at(1)} is RUNNING")]
    home.cancel(at(1))
    home.advance(hours=1)
    assert home.statuses() == {at(1): "CANCELLED", at(3): "RUNNING"}


def test_wait_starts_once_the_earlier_one_has_ended_and_in_order(make: Make) -> None:
    home = make(start("each", overlap="wait"))
    home.advance(hours=3, minutes=5)
    assert home.statuses() == {at(1): "RUNNING"}
    assert home.schedule()["waiting"] == 2
    home.cancel(at(1))
    home.advance(minutes=3)
    assert home.statuses() == {at(1): "CANCELLED", at(2): "RUNNING"}
    home.cancel(at(2))
    home.advance(minutes=3)
    assert home.statuses() == {at(1): "CANCELLED", at(2): "CANCELLED", at(3): "RUNNING"}
    assert home.schedule()["waiting"] == 0


def test_replace_cancels_the_earlier_one(make: Make) -> None:
    home = make(start("each", overlap="replace"))
    home.advance(hours=3, minutes=5)
    assert home.statuses() == {at(1): "CANCELLED", at(2): "CANCELLED", at(3): "RUNNING"}


@pytest.mark.parametrize("overlap", ["skip", "wait", "replace"])
def test_what_has_ended_is_in_nobodys_way(make: Make, overlap: str) -> None:
    home = make(start("each", overlap=overlap))
    for hour in (1, 2, 3):
        home.advance(hours=1)
        home.advance(minutes=1 if hour == 1 else 0)
        home.cancel(at(hour))
    assert list(home.statuses()) == [at(1), at(2), at(3)]
    assert home.schedule()["skipped"] == []


def test_what_waits_survives_a_restart(make: Make) -> None:
    home = make(start("each", overlap="wait"))
    home.advance(hours=2, minutes=5)
    home.home.restart()
    home.cancel(at(1))
    home.advance(minutes=3)
    assert home.statuses() == {at(1): "CANCELLED", at(2): "RUNNING"}


# -- pauses --------------------------------------------------------------------------------------------------------


def test_a_paused_schedule_starts_nothing_and_makes_nothing_up(make: Make) -> None:
    home = make(start("each"))
    home.advance(hours=1, minutes=5)
    paused = home.act("pause", {"why": "a holiday"})
    assert paused["paused"]["why"] == "a holiday"
    assert paused["next"] == []
    home.home.restart()
    home.advance(hours=2)
    assert home.act("pause", {"why": "again"})["paused"]["why"] == "a holiday"  # the first pause stands
    unpaused = home.act("unpause")
    assert unpaused["paused"] is None
    assert unpaused["next"][0]["at"] == "2030-01-01T04:00:00.000000Z"
    home.advance(hours=1)
    assert list(home.statuses()) == [at(1), at(4)]
    assert home.act("unpause")["paused"] is None


def test_who_has_paused_it_is_shown(make: Make) -> None:
    home = make(start("each"))
    shown = home.act("pause")
    by = shown["paused"]["by"]
    assert by == ("MotoCloud" if isinstance(home.home, CloudHome) else "")
    assert shown["paused"]["since"].startswith("2030-01-01T00:01:3")


def test_what_waits_goes_on_waiting_while_it_is_paused(make: Make) -> None:
    home = make(start("each", overlap="wait"))
    home.advance(hours=2, minutes=5)
    home.act("pause")
    home.cancel(at(1))
    home.advance(minutes=5)
    assert home.statuses() == {at(1): "CANCELLED"}
    home.act("unpause")
    home.advance(minutes=2)
    assert home.statuses() == {at(1): "CANCELLED", at(2): "RUNNING"}


# -- by hand -------------------------------------------------------------------------------------------------------


def test_a_trigger_starts_now_once_for_its_id_and_also_while_it_is_paused(make: Make) -> None:
    home = make(start("each", enabled=False))
    home.act("pause")
    first = home.act("trigger", {"execution_id": "by-hand"})
    assert first == {"outcome": "started", "execution_id": "by-hand", "created": True, "why": ""}
    assert home.act("trigger", {"execution_id": "by-hand"}) | {"created": True} == first
    other = home.act("trigger")
    assert other["created"]
    assert home.statuses() == {"by-hand": "RUNNING", other["execution_id"]: "RUNNING"}
    execution = home.ask("GET", "/v1/executions/by-hand")
    assert (execution["labels"], execution["input"]) == ({"schedule": "each"}, "x")
    assert {one["cause"] for one in home.schedule()["started"]} == {"trigger"}


def test_a_trigger_goes_by_the_policy_or_by_another(make: Make) -> None:
    home = make(start("each", overlap="skip"))
    home.act("trigger", {"execution_id": "one"})
    skipped = home.act("trigger", {"execution_id": "two"})
    assert (skipped["outcome"], skipped["why"]) == ("skipped", "one is RUNNING")
    assert home.act("trigger", {"execution_id": "three", "overlap": "wait"})["outcome"] == "waiting"
    assert home.act("trigger", {"execution_id": "four", "overlap": "allow"})["outcome"] == "started"
    home.cancel("one")
    home.cancel("four")
    home.advance(minutes=2)
    assert home.statuses() == {"one": "CANCELLED", "four": "CANCELLED", "three": "RUNNING"}
    assert home.act("trigger", {"execution_id": "five", "overlap": "replace"})["outcome"] == "started"
    assert home.statuses()["three"] == "CANCELLED"


DAY = {"from": "2029-12-31T20:00:00Z", "to": "2030-01-01T00:00:00Z"}
BEFORE = [f"each-2029-12-31T{hour}0000Z" for hour in (20, 21, 22, 23)]


def test_a_backfill_starts_each_moment_once_however_often_it_is_asked_for(make: Make) -> None:
    home = make(start("each"))
    runs = home.act("backfill", DAY)["runs"]
    assert [(one["execution_id"], one["outcome"], one["created"]) for one in runs] == [
        (id, "started", True) for id in BEFORE
    ]
    assert runs[0]["at"] == "2029-12-31T20:00:00.000000Z"
    again = home.act("backfill", {**DAY, "from": "2029-12-31T19:00:00Z"})["runs"]
    assert [one["created"] for one in again] == [True, False, False, False, False]
    assert len(home.statuses()) == 5
    assert {one["cause"] for one in home.schedule()["started"]} == {"backfill"}


def test_a_backfill_waits_its_turn_where_overlaps_are_not_allowed(make: Make) -> None:
    home = make(start("each", overlap="skip"))
    runs = home.act("backfill", DAY)["runs"]
    assert [one["outcome"] for one in runs] == ["started", "waiting", "waiting", "waiting"]
    for place, id in enumerate(BEFORE):
        assert home.statuses() == {**dict.fromkeys(BEFORE[:place], "CANCELLED"), id: "RUNNING"}
        home.act("backfill", DAY)  # changes nothing
        home.cancel(id)
        home.advance(minutes=2)
    assert home.schedule()["waiting"] == 0


def test_what_was_skipped_or_missed_is_backfilled(make: Make) -> None:
    home = make(start("each", overlap="skip"))
    home.advance(hours=2, minutes=5)
    home.act("pause")
    home.advance(hours=1)
    home.cancel(at(1))
    runs = home.act("backfill", {"from": "2030-01-01T01:00:00Z", "to": "2030-01-01T03:00:01Z"})["runs"]
    assert [(one["execution_id"], one["outcome"]) for one in runs] == [
        (at(1), "started"),
        (at(2), "started"),
        (at(3), "waiting"),
    ]
    home.cancel(at(2))
    home.advance(minutes=2)
    assert home.statuses() == {at(1): "CANCELLED", at(2): "CANCELLED", at(3): "RUNNING"}
    assert home.schedule()["skipped"] == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"from": "2029-12-01", "to": "2030-01-01"}, "more than 100 moments: end at 2029-12-05T04:00:00Z"),
        ({"from": "2029-12-31T20:10:00Z", "to": "2029-12-31T20:50:00Z"}, "never due in this time"),
        ({"from": "2029-12-31", "to": "2029-12-31"}, "`from` is before `to`"),
        ({"from": "2029-12-31", "to": "2031-01-01"}, "not in the future"),
        ({"from": "yesterday", "to": "2030-01-01"}, "a time is ISO 8601"),
        ({"from": "2029-12-31"}, "to"),
        ({**DAY, "overlap": "skip"}, "overlap"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(make: Make, body: dict[str, Any], says: str) -> None:
    home = make(start("each"))
    assert says in json.dumps(home.act("backfill", body, status=422))
    assert home.statuses() == {}


def test_a_backfill_does_not_make_the_line_longer_than_it_may_be(make: Make) -> None:
    home = make(start("each", overlap="wait"))
    home.act("backfill", {"from": "2029-12-31T20:00:00Z", "to": "2030-01-01T00:00:00Z"})
    home.act("backfill", {"from": "2029-12-01T00:00:00Z", "to": "2029-12-05T00:00:00Z"})
    home.act("backfill", {"from": "2029-12-05T00:00:00Z", "to": "2029-12-09T00:00:00Z"})
    refused = home.act("backfill", {"from": "2029-12-09T00:00:00Z", "to": "2029-12-12T00:00:00Z"}, status=422)
    assert "195 moments of schedule 'each' wait, and 200 may" in refused["detail"]


# -- jitter and looking --------------------------------------------------------------------------------------------


def test_jitter_delays_each_moment_by_the_same_offset_in_both_homes(make: Make) -> None:
    home = make(start("each", jitter=1800))
    offset = ScheduleTarget("each", "hold", jitter=1800).offset(BEGINS.timestamp() + 3600)
    assert 60 < offset < 1740, "another name would make a better test"
    (shown, *_) = home.schedule()["next"]
    assert datetime.fromisoformat(shown["starts_at"]).timestamp() == pytest.approx(
        BEGINS.timestamp() + 3600 + offset, abs=0.01
    )
    home.advance(seconds=BEGINS.timestamp() + 3600 + offset - 20 - home.home.now)
    assert at(1) not in home.statuses()
    home.advance(seconds=90)
    assert home.statuses()[at(1)] == "RUNNING"
    created = home.ask("GET", f"/v1/executions/{at(1)}")["created_at"]
    late = datetime.fromisoformat(created).timestamp() - BEGINS.timestamp() - 3600
    assert offset - 0.001 <= late < offset + 61


def test_schedules_are_listed_by_the_page_with_their_next_five_times(make: Make) -> None:
    daily = start("b", "cron(30 2 * * ? *)", timezone="Europe/Berlin", jitter=10)
    home = make(daily, start("a"), start("c", enabled=False), start("d", "at(2030-01-01T12:00:00)"))
    first = home.ask("GET", "/v1/schedules?limit=3")
    assert [one["name"] for one in first["schedules"]] == ["a", "b", "c"]
    second = home.ask("GET", f"/v1/schedules?limit=3&cursor={first['next']}")
    assert ([one["name"] for one in second["schedules"]], second["next"]) == (["d"], None)
    a, b, c = first["schedules"]
    assert [one["at"][11:16] for one in a["next"]] == ["01:00", "02:00", "03:00", "04:00", "05:00"]
    assert [one["at"][5:16] for one in b["next"]] == [f"01-{day:02}T01:30" for day in (1, 2, 3, 4, 5)]
    assert (b["timezone"], b["workflow"], b["expression"], b["jitter"]) == (
        "Europe/Berlin",
        "hold",
        "cron(30 2 * * ? *)",
        10,
    )
    assert (c["enabled"], c["next"]) == (False, [])
    assert len(second["schedules"][0]["next"]) == 1


def test_the_times_of_a_rate_go_by_when_it_was_due(make: Make) -> None:
    home = make(start("each", "rate(2 hours)"))
    home.advance(hours=2, minutes=5)
    ids = list(home.statuses())
    shown = home.schedule()
    (first, *_) = (datetime.fromisoformat(one["at"]) for one in shown["next"])
    last = datetime.strptime(ids[-1], "each-%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
    assert (first - last).total_seconds() == 7200
    home.advance(hours=2)
    assert list(home.statuses())[-1] == f"each-{first:%Y-%m-%dT%H%M%SZ}"


@pytest.mark.parametrize("action", ["pause", "unpause", "trigger", "backfill"])
def test_a_schedule_that_is_not_declared_is_refused_by_its_name(make: Make, action: str) -> None:
    home = make(start("each"))
    body = DAY if action == "backfill" else None
    refused = home.act(action, body, name="nightly", status=404)
    assert refused["detail"] == "the settings have no schedule named 'nightly'; there are: each"
    if action != "unpause":  # which takes no body
        assert home.act(action, {"x": 1, **(body or {})}, status=422)["errors"][0]["field"] == "x"


@pytest.mark.parametrize(
    ("zone", "begins", "expression", "moments"),
    [
        # 02:30 does not exist on the 29th; on the 25th it exists twice.
        ("Europe/Berlin", "2026-03-27T12:00", "cron(30 2 * * ? *)", ["2026-03-28T0130", "2026-03-30T0030"]),
        ("Europe/Berlin", "2026-10-24T12:00", "cron(30 2 * * ? *)", ["2026-10-25T0030", "2026-10-26T0130"]),
        # The day begins at 01:00, and 23:30 exists twice the evening before the 5th.
        ("Africa/Cairo", "2026-04-22T12:00", "cron(0 0 * * ? *)", ["2026-04-22T2200", "2026-04-24T2100"]),
        ("America/Santiago", "2026-04-04T12:00", "cron(30 23 * * ? *)", ["2026-04-05T0230", "2026-04-06T0330"]),
        # Clocks change by half an hour.
        ("Australia/Lord_Howe", "2026-10-02T14:00", "cron(15 2 * * ? *)", ["2026-10-02T1545", "2026-10-04T1515"]),
    ],
)
def test_both_homes_start_the_same_over_a_change_of_the_clock(
    make: Make, zone: str, begins: str, expression: str, moments: list[str]
) -> None:
    begin = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    home = make(start("each", expression, timezone=zone), begins=begin)
    shown = [datetime.fromisoformat(one["at"]) for one in home.schedule()["next"]]
    home.advance(days=3)
    started = list(home.statuses())
    assert started[:2] == [f"each-{moment}00Z" for moment in moments]
    assert started == [f"each-{at:%Y-%m-%dT%H%M%SZ}" for at in shown[: len(started)]]
    runs = home.act("backfill", {"from": begins, "to": datetime.fromtimestamp(home.home.now, UTC).isoformat()})["runs"]
    assert [(run["execution_id"], run["created"]) for run in runs] == [(id, False) for id in started]
