"""A resume is held up by nothing that the engine has stopped, and repeats nothing that has ended, in either home."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from stepfast import Retry, current_step, step, workflow
from stepfast.testing import Environment, MotoCloud

HOMES = (Environment, MotoCloud)
ONCE = Retry(max_attempts=1)
NEAR = timedelta(seconds=3)
"""What deliveries and streams take on AWS."""
mended = False
begun: list[int] = []
ended: list[str] = []


@pytest.fixture(autouse=True)
def _broken() -> None:
    global mended
    mended = False
    begun.clear()
    ended.clear()


def mend() -> None:
    global mended
    mended = True


@step(retry=ONCE)
async def bad() -> int:
    if not mended:
        await asyncio.sleep(5)
        raise ValueError("bad")
    return 1


@step(timeout=800)
async def slow() -> int:
    begun.append(current_step().attempt)
    await asyncio.sleep(60)
    return 2


@step(timeout=800)
def in_a_thread() -> int:
    begun.append(current_step().attempt)
    return 3


@step(at_most_once=True, timeout=800)
async def only_once() -> int:
    begun.append(current_step().attempt)
    await asyncio.sleep(60)
    return 4


@step(retry=Retry(max_attempts=20, initial=7200, max_delay=7200, jitter="none"))
async def quote() -> int:
    begun.append(current_step().attempt)
    if not mended:
        raise ConnectionError("down")
    return 5


@step(timeout=800)
async def tidies_up() -> int:
    begun.append(current_step().attempt)
    try:
        await asyncio.sleep(0 if mended else 60)
    finally:
        await asyncio.sleep(0 if mended else 30)
        ended.append(f"tidied {current_step().attempt}")
    return 6


STEPS = {one.name: one for one in (slow, in_a_thread, only_once, quote, tidies_up)}


@workflow("beside")
async def beside(name: str) -> int:
    found = await asyncio.gather(bad(), STEPS[name]())
    return int(found[1])


@workflow("in-time")
async def in_time(name: str) -> int:
    async with asyncio.timeout(100):
        return int(await STEPS[name]())


def begins(run: Any, name: str) -> list[datetime]:
    return [one.started_at for one in run.steps if one.step == name]


def failed(env: Any, name: str, after: float = 20) -> tuple[Any, datetime]:
    """An execution that failed, and was resumed this many seconds later, with what was bad mended."""
    run = env.run(beside, name)
    assert run.status == "FAILED"
    env.advance(timedelta(seconds=after))
    mend()
    env.resume(run)
    return run, env.now


@pytest.mark.parametrize("home", HOMES)
def test_what_was_cut_off_is_tried_again_at_once(home: Any) -> None:
    with home(beside) as env:
        run, resumed = failed(env, "slow")
        env.run_until(run)
        stops = [one.type for one in run.history if one.command == "slow" and one.type.startswith("attempt-")]
        assert (run.result, begun) == (2, [1, 2])
        assert begins(run, "slow")[1] - resumed < NEAR
    assert stops == ["attempt-started", "attempt-stopped", "attempt-started"]


@pytest.mark.parametrize("home", HOMES)
def test_what_waits_for_its_next_try_is_tried_at_once(home: Any) -> None:
    with home(beside) as env:
        run, resumed = failed(env, "quote")
        env.run_until(run)
        assert (run.result, begun) == (5, [1, 2])
        assert begins(run, "quote")[1] - resumed < NEAR


@pytest.mark.parametrize("home", HOMES)
def test_a_redriven_dead_letter_does_not_wait_either(home: Any) -> None:
    with home(beside) as env:
        run = env.run(beside, "quote")
        env.advance(timedelta(seconds=20))
        mend()
        redriven = env.now
        if isinstance(env, MotoCloud):
            env.redrive()
        else:
            env.resume(run)
        env.run_until(lambda: run.status == "SUCCEEDED")
        assert begins(run, "quote")[1] - redriven < timedelta(seconds=10)


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("name", ["quote", "slow"])
def test_the_step_that_timed_the_workflow_out_is_run_by_the_first_resume(home: Any, name: str) -> None:
    with home(in_time, beside) as env:
        if name == "slow":
            env.fake(slow, _hangs)
        run = env.run(in_time, name)
        assert run.error is not None
        assert run.error.type == "TimeoutError"
        env.advance(timedelta(seconds=10))
        mend()
        env.resume(run)
        resumed = env.now
        env.run_until(run)
        assert run.status == "SUCCEEDED"
        assert begins(run, name)[-1] - resumed < NEAR


async def _hangs() -> int:
    await asyncio.sleep(0 if mended else 700)
    return 2


@pytest.mark.parametrize("home", HOMES)
def test_a_thread_that_ends_well_after_the_failure_is_not_run_again(home: Any) -> None:
    with home(beside) as env:
        env.fake(in_a_thread, lambda: begun.append(1) or 3, takes=timedelta(seconds=12))
        run, _ = failed(env, "in_a_thread", after=30)
        env.run_until(run)
        assert (run.result, begun) == (3, [1])
        assert len(begins(run, "in_a_thread")) == 1


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("name", ["in_a_thread", "only_once"])
def test_what_still_runs_when_it_is_resumed_counts_and_the_wait_for_it_is_named(home: Any, name: str) -> None:
    with home(beside) as env:
        if name == "in_a_thread":
            env.fake(in_a_thread, lambda: begun.append(1) or 3, takes=timedelta(seconds=60))
        run, resumed = failed(env, name)
        if isinstance(env, Environment):
            (held,) = asyncio.run(env._stage.operations.held_up(run.execution_id))
            assert (held.command_id, held.attempt) == (name, 1)
            assert held.until > resumed.timestamp() + 600
        env.run_until(run)
        assert run.status == "SUCCEEDED", run.error
        assert len(begins(run, name)) == 1
        assert env.now - resumed < timedelta(seconds=60)


@pytest.mark.parametrize("home", HOMES)
def test_many_stops_are_no_crashes(home: Any) -> None:
    with home(beside) as env:
        run = env.run(beside, "slow")
        for _ in range(11):
            env.advance(timedelta(seconds=10))
            env.resume(run)
            env.run_until(run)
            assert run.error is not None
            assert run.error.type == "ValueError"
        env.advance(timedelta(seconds=10))
        mend()
        env.resume(run)
        env.run_until(run)
        assert (run.status, len(begun)) == ("SUCCEEDED", 13)


@pytest.mark.parametrize("home", HOMES)
def test_an_attempt_that_tidies_up_when_it_is_resumed_is_followed_at_its_end(home: Any) -> None:
    with home(beside) as env:
        run, resumed = failed(env, "tidies_up", after=5)
        env.run_until(run)
        first, second = [one for one in run.steps if one.step == "tidies_up"]
        assert first.ended_at is not None
        assert first.ended_at <= second.started_at < first.ended_at + NEAR
        assert second.started_at > resumed


@step(timeout=5, retry=Retry(max_attempts=2, initial=0.5, jitter="none"))
async def late() -> str:
    begun.append(current_step().attempt)
    try:
        await asyncio.sleep(0 if current_step().attempt == 2 else 60)
    finally:
        if current_step().attempt == 1:
            await asyncio.sleep(4)
        ended.append(f"{current_step().attempt} after {len(begun)} begun")
    return "done"


@workflow("times-out")
async def times_out() -> str:
    return await late()


@pytest.mark.parametrize("home", HOMES)
def test_the_next_attempt_waits_for_the_finally_of_the_one_before(home: Any) -> None:
    with home(times_out) as env:
        assert env.run(times_out).result == "done"
    assert ended == ["1 after 1 begun", "2 after 2 begun"]


@step(timeout=5, retry=Retry(max_attempts=2, initial=0.5, jitter="none"))
async def endless() -> str:
    begun.append(current_step().attempt)
    if current_step().attempt == 2:
        return "done"
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(10_000)
    return "never"


@workflow("never-tidy")
async def never_tidy() -> str:
    return await endless()


@pytest.mark.parametrize("home", HOMES)
def test_a_finally_without_end_is_waited_for_within_the_lease_and_logged(
    home: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with home(never_tidy) as env:
        run = env.run(never_tidy)
        first, second = begins(run, "endless")
        assert timedelta(seconds=10) < second - first < timedelta(seconds=20)
    assert "was cancelled and still runs" in caplog.text
