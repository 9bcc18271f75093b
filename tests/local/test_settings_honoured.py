"""Settings of pyproject.toml in the embedded runtime: limits of pools, starts by the clock, and what is ignored."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.deployment.schedules import ScheduledStart
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Query
from stepfast.errors import Unavailable
from stepfast.language.registry import Registry
from stepfast.local import dev
from stepfast.local.schedules import EmbeddedSchedules, following
from tests.local.conftest import Embedded
from tests.waiting import until

running: list[str] = []
most: dict[str, int] = {}
wanted: dict[str, int] = {}
changed = threading.Condition()


def meets(pool: str) -> None:
    """Returns once so many steps of the pool as the test wants have run at once; after 20 s all the same."""
    with changed:
        changed.wait_for(lambda: most[pool] >= wanted.get(pool, 0), 20)


def count(pool: str, change: int) -> None:
    with changed:
        if change > 0:
            running.append(pool)
        else:
            running.remove(pool)
        most[pool] = max(most.get(pool, 0), running.count(pool))
        changed.notify_all()


@step(pool="slow", retry=Retry(max_attempts=2, initial=0.01, jitter="none"))
async def limited(number: int) -> int:
    count("slow", 1)
    try:
        await asyncio.to_thread(meets, "slow")
        await asyncio.sleep(0.01)  # in which another step of the pool would show
        if number % 5 == 0:
            raise ConnectionError("again")
        return number
    finally:
        count("slow", -1)


@step(pool="slow")
def limited_in_thread(number: int) -> int:
    count("slow", 1)
    try:
        meets("slow")
        threading.Event().wait(0.01)  # in which another step of the pool would show
        return number
    finally:
        count("slow", -1)


@step
async def free(number: int) -> int:
    count("default", 1)
    try:
        await asyncio.to_thread(meets, "default")
        return number
    finally:
        count("default", -1)


@workflow("spread")
async def spread(number: int) -> int:
    both = [limited_in_thread(n) for n in range(6)] + [limited(n) for n in range(1, 5)] + [free(n) for n in range(8)]
    results = await asyncio.gather(*both, limited(5), return_exceptions=True)
    return len(results)


@pytest.fixture(autouse=True)
def nothing_runs() -> None:
    running.clear()
    most.clear()
    wanted.clear()


def test_no_more_steps_of_a_pool_run_at_once_than_its_settings_say(embedded: Callable[..., Embedded]) -> None:
    wanted.update(slow=2, default=3)
    made = embedded(spread, limits={"slow": 2})
    for id in ("a", "b", "c"):
        made.start("spread", 1, id)
    for id in ("a", "b", "c"):
        assert made.ends(id=id).result == "19"
    assert most["slow"] == 2, "both places are used, and no third"
    assert most["default"] > 2
    assert made.runtime._limits.waits() == set()


def test_without_a_limit_they_all_run(embedded: Callable[..., Embedded]) -> None:
    wanted.update(slow=3)
    embedded(spread).run("spread", 1)
    assert most["slow"] > 2


# -- schedules ---------------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self, time: float) -> None:
        self.time = time

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@workflow("tick")
async def tick(text: str) -> str:
    return text


class Ticking:
    """Schedules on a file, in simulated time; `restart` is another process on the same file."""

    def __init__(self, path: Path, *schedules: ScheduledStart, at: float = NOON + 30) -> None:
        self.schedules, self.clock = schedules, Clock(at)
        self.store = SqliteBackend(SqliteFile(path, "process"), self.clock)
        registry: Any = Registry([tick])
        self.operations = Operations(self.store, self.clock, registry, None)  # type: ignore[arg-type]
        self.restart()

    def restart(self) -> None:
        self.made = EmbeddedSchedules(self.schedules, self.operations, self.clock)

    def run_for(self, seconds: float) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            wait = asyncio.run(self.made.start_due())
            self.clock.time = min(end, self.clock.time + wait)
        asyncio.run(self.made.start_due())

    def started(self) -> list[str]:
        page = asyncio.run(self.store.page(Query()))
        return sorted(execution.execution_id for execution in page.executions)


def every(expression: str, **fields: Any) -> ScheduledStart:
    return ScheduledStart("each", "tick", expression, "x", **fields)


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[Callable[..., Ticking]]:
    made: list[Ticking] = []

    def make(*schedules: ScheduledStart, **options: Any) -> Ticking:
        made.append(Ticking(tmp_path / "test.db", *schedules, **options))
        return made[-1]

    yield make
    for runtime in made:
        runtime.store.close()


def test_each_scheduled_time_starts_once_by_the_id_of_a_deployment(ticking: Callable[..., Ticking]) -> None:
    made = ticking(every("rate(1 minute)"))
    made.run_for(100)
    assert made.started() == ["each-2026-11-27T120000Z", "each-2026-11-27T120100Z", "each-2026-11-27T120200Z"]
    execution = asyncio.run(made.operations.read("each-2026-11-27T120100Z"))
    assert (execution.labels, execution.input, execution.workflow) == ({"schedule": "each"}, '"x"', "tick")


def test_a_restart_neither_repeats_nor_skips_one(ticking: Callable[..., Ticking]) -> None:
    made = ticking(every("rate(1 minute)"))
    for _ in range(10):
        made.run_for(9)
        made.clock.time += 3  # down for three seconds
        made.restart()
    made.run_for(1)
    assert made.started() == [f"each-2026-11-27T120{n}00Z" for n in range(3)]


def test_cron_and_at_come_in_their_zone_and_what_is_disabled_never(ticking: Callable[..., Ticking]) -> None:
    cron = every("cron(15 13 * * ? *)", timezone="Europe/Berlin")
    once = ScheduledStart("once", "tick", "at(2026-11-27T12:10:00)", "x")
    off = ScheduledStart("off", "tick", "rate(1 minute)", "x", enabled=False)
    made = ticking(cron, once, off)
    made.run_for(3600)
    assert made.started() == ["each-2026-11-27T121500Z", "once-2026-11-27T121000Z"]


def test_what_a_sleeping_machine_has_missed_for_long_is_not_made_up(ticking: Callable[..., Ticking]) -> None:
    made = ticking(every("rate(1 minute)"))
    made.run_for(1)
    made.clock.time += 3600
    made.run_for(1)
    assert len(made.started()) <= 7


def test_a_store_that_is_away_delays_a_start(ticking: Callable[..., Ticking]) -> None:
    made = ticking(every("rate(1 minute)"))
    start = made.operations.start
    calls: list[str] = []

    async def away(*arguments: Any) -> Any:
        calls.append(arguments[2])
        if len(calls) < 3:
            raise Unavailable("no room")
        return await start(*arguments)

    made.operations.start = away  # type: ignore[method-assign]
    made.run_for(20)
    assert calls == ["each-2026-11-27T120000Z"] * 3
    assert made.started() == ["each-2026-11-27T120000Z"]


def test_a_rate_does_not_depend_on_when_the_process_was_started() -> None:
    comes = following(every("rate(2 hours)"))
    assert comes(NOON) == NOON + 7200
    assert comes(NOON + 7199) == NOON + 7200


def test_the_runtime_starts_by_the_clock(embedded: Callable[..., Embedded]) -> None:
    made = embedded(tick, schedules=[every("rate(1 minute)")])
    page = until(lambda: made.runtime.call(made.runtime._backend.page(Query())).executions)
    assert page[0].execution_id.startswith("each-2")


def test_it_ends_when_it_is_told_to(ticking: Callable[..., Ticking]) -> None:
    stopping = Event()
    stopping.set()
    asyncio.run(ticking(every("rate(1 minute)")).made.keep(stopping))


# -- what is said at the start -----------------------------------------------------------------------------------

SETTINGS = """
[tool.stepfast]
retention_days = 3
memory = 1024
[tool.stepfast.pools.slow]
max_concurrency = 3
timeout = 100
[tool.stepfast.schedules.each]
workflow = "tick"
expression = "rate(1 minute)"
input = "x"
[tool.stepfast.schedules.wrong]
workflow = "nope"
expression = "rate(1 minute)"
[tool.stepfast.schedules.over]
workflow = "tick"
expression = "at(2020-01-01T00:00:00)"
input = "x"
"""


def test_it_says_what_it_ignores_and_starts_what_it_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stepfast")
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    project, schedules = dev.settings_of(Registry([tick, spread]), tmp_path / "pyproject.toml")
    assert [schedule.name for schedule in schedules] == ["each"]
    assert project.pools["slow"].max_concurrency == 3
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.endswith("without effect here: memory, pools.slow.timeout") for line in lines)
    assert any("'nope'" in line for line in lines)
    assert any("has passed" in line for line in lines)
    assert "started by the clock: each (rate(1 minute))" in lines


def test_without_settings_it_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stepfast")
    dev.settings_of(Registry([tick]), tmp_path / "pyproject.toml")
    assert caplog.records == []
