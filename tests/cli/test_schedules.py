"""`stepfast schedules`, and the same by both clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stepfast import AsyncClient, Client, workflow
from stepfast.cli.app import app
from stepfast.deployment.schedules import ScheduledStart
from stepfast.errors import UnknownName
from stepfast.http.api import build
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime
from tests.http.serving import served


@workflow("report")
async def report(n: int) -> int:
    return n


NIGHTLY = ScheduledStart("nightly", "report", "cron(30 2 * * ? *)", 7, timezone="Europe/Berlin", jitter=10)
MANUAL = ScheduledStart("manual", "report", "rate(1 hour)", 7, enabled=False, overlap="skip")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    registry = Registry([report])
    with Runtime(registry, tmp_path / "test.db", durability="process", schedules=[NIGHTLY, MANUAL]) as runtime:
        handler = build(runtime.operations, registry, runtime.call)
        with served(handler) as address:
            yield address


def cli(url: str, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, args, env={"STEPFAST_URL": url, "STEPFAST_API_KEY": None, "COLUMNS": "200"})
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def test_schedules_are_listed_shown_paused_and_unpaused(url: str) -> None:
    listed = cli(url, "schedules", "list").stdout
    assert "cron(30 2 * * ? *)" in listed
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["manual", "nightly"]
    shown = cli(url, "schedules", "show", "nightly").stdout
    assert shown.startswith(
        "nightly starts report by cron(30 2 * * ? *) in Europe/Berlin: on; overlap allow, jitter 10 s"
    )
    assert shown.count("next  ") == 5
    paused = cli(url, "schedules", "pause", "nightly", "--why", "a holiday").stdout
    assert "paused since" in paused
    assert ": a holiday" in paused
    assert "next  " not in paused
    assert "paused since" not in cli(url, "schedules", "unpause", "nightly").stdout
    assert "have no schedule named 'x'; there are: manual, nightly" in cli(url, "schedules", "show", "x", code=2).stderr


def test_one_is_started_now_and_made_up_for(url: str) -> None:
    assert cli(url, "schedules", "trigger", "manual", "--id", "mine").stdout == "mine: started\n"
    assert cli(url, "schedules", "trigger", "manual", "--id", "mine").stdout == "mine: started before\n"
    days = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-03T00:00:00Z")
    runs = json.loads(cli(url, "schedules", "backfill", "nightly", *days, "--json").stdout)["runs"]
    assert [(run["execution_id"], run["created"]) for run in runs] == [
        ("nightly-2026-11-01T013000Z", True),
        ("nightly-2026-11-02T013000Z", True),
    ]
    assert cli(url, "schedules", "backfill", "nightly", *days).stdout.count("started before") == 2
    assert "backfill by" not in cli(url, "schedules", "show", "nightly").stdout
    assert "not in the future" in cli(url, "schedules", "backfill", "nightly", *days[:3], "2990-01-01", code=2).stderr


def test_both_clients_do_the_same(url: str) -> None:
    since, until = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)
    with Client(url) as client:
        page = client.schedules(limit=1)
        assert (page["schedules"][0]["name"], page["next"]) == ("manual", "manual")
        assert client.schedules(cursor=page["next"])["schedules"][0]["name"] == "nightly"
        assert client.pause_schedule("manual", why="x")["paused"]["why"] == "x"
        assert client.schedule("manual")["paused"]["why"] == "x"
        assert client.unpause_schedule("manual")["paused"] is None
        assert client.trigger_schedule("manual", overlap="allow")["outcome"] == "started"
        assert client.trigger_schedule("manual", execution_id="two", overlap="wait")["execution_id"] == "two"
        (run,) = client.backfill_schedule("nightly", since, until)
        assert (run["outcome"], run["created"]) == ("started", True)
        with pytest.raises(UnknownName, match="no schedule named"):
            client.schedule("other")

    async def asked() -> None:
        async with AsyncClient(url) as client:
            assert len((await client.schedules())["schedules"]) == 2
            (run,) = await client.backfill_schedule("nightly", since.timestamp(), until.timestamp(), overlap="wait")
            assert not run["created"]
            assert (await client.trigger_schedule("manual"))["outcome"] in ("started", "skipped")

    asyncio.run(asked())
