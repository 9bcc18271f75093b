"""What workflow code has taken back goes no further, in either home (rule *taken back*)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, StepFailed, current_step, step, workflow
from stepfast.testing import Environment, MotoCloud

HOMES = (Environment, MotoCloud)
EVERY_MINUTE = Retry(max_attempts=50, initial=60, backoff=1, jitter="none")
calls: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_called_yet() -> None:
    calls.clear()


@step(retry=EVERY_MINUTE)
async def charge() -> int:
    calls.append(f"charge {current_step().attempt}")
    raise ConnectionError("the provider is down")


@step
async def refund() -> None:
    calls.append("refund")


@step(retry=Retry(max_attempts=1))
async def breaks_after_two_minutes() -> None:
    await asyncio.sleep(130)
    raise ValueError("no")


@step
async def waits_two_minutes() -> None:
    await asyncio.sleep(130)


async def by_wait_for() -> None:
    try:
        await asyncio.wait_for(charge(), 130)
    except TimeoutError:
        await refund()


async def by_cancel() -> None:
    task = asyncio.create_task(charge_alone())
    await asyncio.sleep(130)
    task.cancel()
    await refund()


async def charge_alone() -> int:
    return await charge()


async def by_task_group() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge_alone())
            group.create_task(breaks_after_two_minutes())
    except* StepFailed:
        await refund()


async def by_race() -> None:
    racers = [asyncio.ensure_future(charge()), asyncio.ensure_future(waits_two_minutes())]
    _, losers = await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)
    for loser in losers:
        loser.cancel()
    await refund()


async def by_cancelled_gather() -> None:
    both = asyncio.gather(charge(), charge())
    await asyncio.sleep(130)
    both.cancel()
    await refund()


async def inside_a_timeout() -> None:
    try:
        async with asyncio.timeout(130):
            await asyncio.gather(charge(), waits_two_minutes(), asyncio.sleep(1000))
    except TimeoutError:
        await refund()


@workflow("takes-back")
async def takes_back(how: str) -> None:
    await WAYS[how]()
    await asyncio.sleep(3600)


WAYS: dict[str, Callable[[], Awaitable[None]]] = {
    one.__name__: one for one in (by_wait_for, by_cancel, by_task_group, by_race, by_cancelled_gather, inside_a_timeout)
}


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("how", sorted(WAYS))
def test_a_retry_that_was_taken_back_never_comes(home: Any, how: str) -> None:
    with home(takes_back) as env:
        assert env.run(takes_back, how).status == "SUCCEEDED"
    assert calls.count("charge 2") >= 1, "it was retried before"
    assert calls[-1] == "refund"


@step(retry=EVERY_MINUTE)
async def long() -> str:
    calls.append("begins")
    try:
        await asyncio.sleep(200)
        calls.append("went on")
    finally:
        calls.append("stopped")
    return "done"


@workflow("stops-it")
async def stops_it() -> None:
    try:
        await asyncio.wait_for(long(), 20)
    except TimeoutError:
        await refund()
    await asyncio.sleep(3600)


@pytest.mark.parametrize("home", HOMES)
def test_an_attempt_that_was_taken_back_is_cancelled_and_no_other_begins(home: Any) -> None:
    with home(stops_it) as env:
        run = env.run(stops_it)
        (call,) = run.calls(long)
        (stopped,) = [one for one in run.history if one.type == "attempt-stopped"]
    assert sorted(calls) == ["begins", "refund", "stopped"]
    assert call.ended_at is not None
    assert call.ended_at - call.started_at < timedelta(seconds=25)
    assert "taken this step back" in str(stopped.details["error"])


@step(retry=EVERY_MINUTE, timeout=300)
def in_a_thread() -> str:
    return "unused"


@workflow("leaves-a-thread")
async def leaves_a_thread() -> str:
    try:
        return await asyncio.wait_for(in_a_thread(), 20)
    except TimeoutError:
        await asyncio.sleep(3600)
    return "timed out"


@pytest.mark.parametrize("home", HOMES)
def test_what_a_thread_comes_to_is_recorded_and_changes_nothing(home: Any) -> None:
    with home(leaves_a_thread) as env:
        env.fake(in_a_thread, lambda: calls.append("ran") or "late", takes=timedelta(seconds=60))
        run = env.run(leaves_a_thread)
        ends = [one for one in run.history if one.command == "in_a_thread" and one.type == "step-succeeded"]
    assert (run.result, calls) == ("timed out", ["ran"])
    assert [one.details["output"] for one in ends] == ["late"]


@workflow("ends-first")
async def ends_first() -> str:
    running = asyncio.ensure_future(long())
    await asyncio.sleep(20)
    return "over" if not running.done() else "late"


@pytest.mark.parametrize("home", HOMES)
def test_what_is_outstanding_when_the_execution_ends_is_stopped_for_good(home: Any) -> None:
    with home(ends_first) as env:
        run = env.run(ends_first)
        env.advance(timedelta(hours=2))
        (call,) = run.calls(long)
        kinds = [one.type for one in run.history if one.command == "long"]
    assert run.result == "over"
    assert calls == ["begins", "stopped"]
    assert type(call.error).__name__ == "StepCancelled"
    assert kinds == ["attempt-started", "attempt-stopped", "step-cancelled"]


@workflow("goes-on")
async def goes_on() -> list[str]:
    """A gather that fails cancels nothing: as in plain asyncio, the other goes on and can still be awaited."""
    other = asyncio.ensure_future(long())
    try:
        await asyncio.gather(breaks_after_two_minutes(), other)
    except StepFailed:
        await refund()
    return [await other]


@pytest.mark.parametrize("home", HOMES)
def test_what_still_may_be_awaited_is_not_taken_back(home: Any) -> None:
    with home(goes_on) as env:
        assert env.run(goes_on).result == ["done"]
    assert calls == ["begins", "refund", "went on", "stopped"]


@workflow("cancelled-from-outside")
async def cancelled_from_outside() -> None:
    await asyncio.gather(long(), charge())


@pytest.mark.parametrize("home", HOMES)
def test_a_cancel_stops_what_runs_and_what_waits(home: Any) -> None:
    with home(cancelled_from_outside) as env:
        run = env.start(cancelled_from_outside)
        env.advance(timedelta(seconds=90))
        env.cancel(run)
        env.advance(timedelta(hours=1))
        assert run.status == "CANCELLED"
    assert calls == ["begins", "charge 1", "charge 2", "stopped"]
