"""A cancel lets the code clean up, as asyncio does, for a limited time: the same in both homes (rule *clean up*)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, child, signal, step, workflow
from stepfast.errors import WrongStatus
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
DAY = 86400.0
calls: list[str] = []


@step(retry=Retry(max_attempts=1))
async def do(what: str) -> str:
    calls.append(what)
    if what.startswith("bad"):
        raise ValueError(what)
    return what


# -- shapes: each waits in a sleep of a day, where it is cancelled --------------------------------------------


@workflow("compensates")
async def compensates() -> None:
    booked = await do("book")
    try:
        await asyncio.sleep(DAY)
    except asyncio.CancelledError:
        await do(f"refund {booked}")
        await do("tell")
        raise


@workflow("finally")
async def with_finally() -> None:
    try:
        try:
            await do("open")
            await asyncio.sleep(DAY)
        finally:
            await do("close")
        await do("never")
    finally:
        await do("leave")


@workflow("groups")
async def groups() -> None:
    async def part(name: str) -> None:
        try:
            await do(f"begin {name}")
            await asyncio.sleep(DAY)
        finally:
            await do(f"end {name}")

    async with asyncio.TaskGroup() as group:
        group.create_task(part("a"))
        group.create_task(part("b"))


@workflow("gathers")
async def gathers() -> None:
    async def part(name: str) -> None:
        try:
            await asyncio.sleep(DAY)
        except asyncio.CancelledError:
            await do(f"undo {name}")
            raise

    await asyncio.gather(part("a"), part("b"), return_exceptions=True)


@workflow("shields")
async def shields() -> None:
    async def inner() -> str:
        await asyncio.sleep(5)
        return await do("kept")

    task = asyncio.create_task(inner())
    try:
        await asyncio.shield(task)
        await asyncio.sleep(DAY)
    except asyncio.CancelledError:
        await do(f"after {await task}")
        raise


@workflow("swallows")
async def swallows() -> str:
    try:
        await asyncio.sleep(DAY)
    except asyncio.CancelledError:
        await do("swallowed")
    return await do("goes on")


@workflow("fails-to-clean")
async def fails_to_clean() -> None:
    try:
        await asyncio.sleep(DAY)
    finally:
        await do("bad refund")


@workflow("plain")
async def plain() -> None:
    await do("book")
    await asyncio.sleep(DAY)


@workflow("lingers")
async def lingers() -> None:
    try:
        await asyncio.sleep(DAY)
    finally:
        await do("begin to clean")
        await signal("never")
        await do("never")


@workflow("within")
async def within() -> None:
    await child(compensates, id="below")


@step(retry=Retry(max_attempts=1))
async def once() -> str:
    calls.append("once" if calls else "bad once")
    if len(calls) == 1:
        raise ValueError("the first time")
    return "once"


@workflow("fails-first")
async def fails_first() -> None:
    await once()
    try:
        await asyncio.sleep(DAY)
    finally:
        await do("undo")


SHAPES = (compensates, with_finally, groups, gathers, shields, swallows, fails_to_clean)
WORKFLOWS = (*SHAPES, plain, lingers, within, fails_first)


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    calls.clear()
    with request.param(*WORKFLOWS) as made:
        yield made


def begun(env: Any, flow: Any, seconds: float = 2) -> Any:
    run = env.start(flow, execution_id="one")
    env.advance(timedelta(seconds=seconds))
    return run


def on_plain_asyncio(flow: Any) -> list[str]:
    """What the same function does when its task is cancelled."""
    calls.clear()
    sleep = asyncio.sleep

    async def cancelled() -> None:
        task = asyncio.ensure_future(flow.function())
        await sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        task.cancelled() or task.exception()

    async def shorter(seconds: float, result: Any = None) -> Any:
        return await sleep(0.05 if seconds < DAY else seconds, result)

    patch = pytest.MonkeyPatch()
    patch.setattr(asyncio, "sleep", shorter)
    try:
        asyncio.run(cancelled())
    finally:
        patch.undo()
    return list(calls)


@pytest.mark.parametrize("flow", SHAPES, ids=lambda flow: flow.name)
def test_code_is_cancelled_as_asyncio_cancels_it(env: Any, flow: Any) -> None:
    expected = on_plain_asyncio(flow)
    calls.clear()
    run = begun(env, flow)
    env.cancel(run)
    assert run.status == "RUNNING"
    env.run_until(run)
    assert run.status == "CANCELLED"
    assert sorted(calls) == sorted(expected)
    assert [what for what in calls if " " not in what] == [what for what in expected if " " not in what]


def test_code_without_anything_to_clean_up_ends_at_once(env: Any) -> None:
    run = begun(env, plain)
    env.cancel(run)
    assert (run.status, run.generation, calls) == ("CANCELLED", 0, ["book"])


def test_a_failure_of_the_clean_up_is_the_error_of_the_cancelled_execution(env: Any) -> None:
    run = begun(env, fails_to_clean)
    env.cancel(run)
    env.run_until(run)
    assert run.status == "CANCELLED"
    assert (run.error.type, run.error.message, run.error.step) == ("ValueError", "bad refund", "do")


def test_a_clean_up_that_takes_too_long_is_ended(env: Any) -> None:
    run = begun(env, lingers)
    env.cancel(run)
    env.advance(timedelta(seconds=30))
    assert (run.status, calls) == ("RUNNING", ["begin to clean"])
    env.advance(timedelta(seconds=60))
    assert (run.status, run.error.type, calls) == ("CANCELLED", "TimeoutError", ["begin to clean"])


def test_a_cancel_is_one_however_often_it_is_sent(env: Any) -> None:
    run = begun(env, lingers)
    for _ in range(3):
        env.cancel(run)
        env.advance(timedelta(seconds=5))
    assert (run.status, calls) == ("RUNNING", ["begin to clean"])
    assert [event.type for event in run.history].count("execution-cancelling") == 1


def test_a_terminate_ends_the_clean_up(env: Any) -> None:
    run = begun(env, lingers)
    env.cancel(run)
    env.advance(timedelta(seconds=5))
    env.terminate(run, "enough")
    assert run.status == "CANCELLED"
    (end,) = [event for event in run.history if event.type == "execution-cancelled"]
    assert end.details["why"] == "enough"


def test_a_paused_one_cleans_up_and_a_clean_up_can_be_paused(env: Any) -> None:
    run = begun(env, lingers)
    env.pause(run)
    env.cancel(run)
    env.advance(timedelta(seconds=5))
    assert (run.status, calls) == ("RUNNING", ["begin to clean"])
    env.pause(run)
    env.advance(timedelta(hours=1))
    assert run.status == "PAUSED"
    env.unpause(run)
    env.advance(timedelta(seconds=5))
    assert run.status == "CANCELLED"


def test_what_has_been_cancelled_is_not_resumed(env: Any) -> None:
    run = begun(env, compensates)
    env.cancel(run)
    env.run_until(run)
    with pytest.raises(WrongStatus, match="CANCELLED"):
        env.resume(run)
    assert run.calls(do)[-1].input == {"what": "tell"}


def test_what_was_resumed_before_cleans_up_and_is_read_without_waiting(
    env: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run = env.run(fails_first, execution_id="one")
    assert run.status == "FAILED"
    env.resume(run)
    env.advance(timedelta(seconds=30))
    env.cancel(run)
    env.run_until(run)
    assert (run.status, calls) == ("CANCELLED", ["bad once", "once", "undo"])
    assert "do not tell of its last resume" not in caplog.text


def test_crashes_in_the_clean_up_do_it_once_more_and_no_step_that_has_ended() -> None:
    calls.clear()
    with Environment(*WORKFLOWS) as env:
        run = begun(env, compensates)
        env.when(before=do).crash()
        env.cancel(run)
        env.when(after=do, attempt=2).crash()
        env.run_until(run)
        assert run.status == "CANCELLED"
        assert list(dict.fromkeys(calls)) == ["book", "refund book", "tell"]
        assert calls.count("tell") == 1
