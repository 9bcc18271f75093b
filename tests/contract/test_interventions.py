"""Executions that are paused, closed and ended by hand: the same in both homes (rules *pause*, *close*)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, child, current_step, signal, step, workflow
from stepfast.errors import ExecutionNotFound, WrongStatus
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
ONCE = Retry(max_attempts=1)
LATER = timedelta(hours=5)


@step
def begin(order: str) -> str:
    return order


@step
def follow(order: str) -> str:
    return f"{order} followed"


@step(retry=ONCE)
def fail(order: str) -> str:
    raise ValueError("no")


@step(retry=Retry(max_attempts=9, initial=600, jitter="none", max_delay=600))
def stubborn(order: str) -> int:
    if current_step().attempt < 3:
        raise ConnectionError("not yet")
    return current_step().attempt


@workflow("waits")
async def waits(order: str) -> str:
    await begin(order)
    await signal("go", str)
    return await follow(order)


@workflow("sleeps")
async def sleeps(order: str) -> str:
    await asyncio.sleep(600)
    return await follow(order)


@workflow("retries")
async def retries(order: str) -> int:
    return await stubborn(order)


@workflow("wide")
async def wide(order: str) -> list[Any]:
    return list(await asyncio.gather(stubborn(order), signal("go", str), asyncio.sleep(600, "slept"), stubborn(order)))


@workflow("chained")
async def chained(order: str) -> str:
    return await follow(await begin(order))


@workflow("fails")
async def fails(order: str) -> str:
    return await fail(order)


@workflow("parent")
async def parent(order: str) -> list[Any]:
    return list(await asyncio.gather(child(waits, order, id=f"{order}-a"), child(sleeps, order, id=f"{order}-b")))


@workflow("grandparent")
async def grandparent(order: str) -> Any:
    return await child(parent, order, id=f"{order}-p")


@workflow("fails-below")
async def fails_below(order: str) -> Any:
    return await child(fails, order, id=f"{order}-f")


WORKFLOWS = (waits, sleeps, retries, wide, chained, fails, parent, grandparent, fails_below)


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(*WORKFLOWS) as made:
        yield made


def begun(env: Any, workflow: Any, seconds: float = 60, id: str = "one") -> Any:
    run = env.start(workflow, "a", execution_id=id)
    env.advance(timedelta(seconds=seconds))
    return run


def names(run: Any) -> list[str]:
    return [call.step for call in run.steps]


def tree(run: Any) -> list[Any]:
    """The execution with all below it, parents first."""
    return [run, *(below for child in run.children for below in tree(child))]


# -- pause -------------------------------------------------------------------------------------------------


def test_a_signal_is_kept_while_an_execution_is_paused_and_taken_after_it(env: Any) -> None:
    run = begun(env, waits)
    env.pause(run, "look first")
    env.signal(run, "go", "now")
    env.advance(LATER)
    assert (run.status, names(run)) == ("PAUSED", ["begin"])
    env.unpause(run)
    assert env.run_until(run).result == "a followed"
    assert names(run) == ["begin", "follow"]


def test_a_timer_that_comes_due_starts_nothing_until_the_pause_is_over(env: Any) -> None:
    run = begun(env, sleeps)
    env.pause(run)
    env.advance(LATER)
    assert (run.status, names(run)) == ("PAUSED", [])
    env.unpause(run)
    env.advance(timedelta(seconds=30))
    assert (run.status, run.result) == ("SUCCEEDED", "a followed")


def test_a_timer_that_is_not_due_yet_goes_on(env: Any) -> None:
    run = begun(env, sleeps)
    env.pause(run)
    env.advance(timedelta(seconds=60))
    env.unpause(run)
    env.advance(timedelta(seconds=420))
    assert run.status == "RUNNING"
    env.advance(timedelta(seconds=120))
    assert run.status == "SUCCEEDED"


def test_no_retry_comes_while_it_is_paused_and_the_tries_go_on_where_they_were(env: Any) -> None:
    run = begun(env, retries)
    assert len(run.calls(stubborn)) == 1
    env.pause(run)
    env.advance(LATER)
    assert len(run.calls(stubborn)) == 1
    env.unpause(run)
    env.advance(timedelta(seconds=60))
    assert len(run.calls(stubborn)) == 2  # it was due in the meantime
    assert env.run_until(run).result == 3


def test_a_retry_that_is_not_due_yet_waits_its_time(env: Any) -> None:
    run = begun(env, retries)
    env.pause(run)
    env.advance(timedelta(seconds=60))
    env.unpause(run)
    env.advance(timedelta(seconds=300))
    assert len(run.calls(stubborn)) == 1
    assert env.run_until(run).result == 3


def test_all_of_a_wide_execution_goes_on(env: Any) -> None:
    run = begun(env, wide)
    for _ in range(2):
        env.pause(run)
        env.advance(timedelta(seconds=450))
        calls = len(run.steps)
        env.advance(LATER)
        assert len(run.steps) == calls
        env.unpause(run)
        env.advance(timedelta(seconds=60))
    env.signal(run, "go", "now")
    assert env.run_until(run).result == [3, "now", "slept", 3]
    assert len(run.calls(stubborn)) == 6


def test_what_runs_ends_and_its_outcome_is_recorded(env: Any) -> None:
    env.when(after=begin).do(lambda: env.pause("one"))
    run = begun(env, chained)
    env.advance(LATER)
    assert run.status == "PAUSED"
    first = [event for event in run.history if event.type == "step-succeeded"]
    assert [event.command for event in first][:1] == ["begin"]
    env.unpause(run)
    assert env.run_until(run).result == "a followed"
    assert names(run) == ["begin", "follow"]


def test_pausing_twice_is_pausing_once_and_so_is_unpausing(env: Any) -> None:
    run = begun(env, waits)
    for act in (env.pause, env.pause, env.unpause, env.unpause):
        act(run)
    types = [event.type for event in run.history]
    assert [types.count(f"execution-{done}") for done in ("paused", "unpaused")] == [1, 1]


def test_the_history_says_when_and_why(env: Any) -> None:
    run = begun(env, waits)
    env.pause(run, "look first")
    (paused,) = [event for event in run.history if event.type == "execution-paused"]
    assert paused.details["why"] == "look first"
    env.unpause(run, "all is well")
    env.pause(run, "once more")
    whys = [(event.type, event.details.get("why")) for event in run.history if "paused" in event.type]
    assert whys == [
        ("execution-paused", "look first"),
        ("execution-unpaused", "all is well"),
        ("execution-paused", "once more"),
    ]


def test_only_what_runs_is_paused_and_only_what_is_paused_is_unpaused(env: Any) -> None:
    run = env.run(fails, "a", execution_id="one")
    for act in (env.pause, env.unpause):
        with pytest.raises(WrongStatus, match="FAILED"):
            act(run)
    with pytest.raises(ExecutionNotFound):
        env.pause("nobody")


def test_a_paused_one_can_be_ended_and_stays_so(env: Any) -> None:
    run = begun(env, wide)
    env.pause(run)
    env.terminate(run, "no more")
    assert run.status == "CANCELLED"
    for act in (env.pause, env.unpause):
        with pytest.raises(WrongStatus, match="CANCELLED"):
            act(run)
    env.advance(LATER)
    (end,) = [event for event in run.history if event.type == "execution-cancelled"]
    assert end.details["why"] == "no more"


# -- children ----------------------------------------------------------------------------------------------


def test_the_tree_below_is_paused_and_goes_on(env: Any) -> None:
    run = begun(env, grandparent)
    env.pause(run, "maintenance")
    env.advance(timedelta(seconds=60))
    below = tree(run)[1:]
    assert [each.status for each in below] == ["PAUSED"] * 3
    env.signal("a-a", "go", "now")
    env.advance(LATER)
    assert [name for each in below for name in names(each)] == ["begin"]
    env.unpause(run)
    assert env.run_until(run).result == ["a followed", "a followed"]


def test_a_child_that_was_paused_with_its_parent_goes_on_with_it_alone(env: Any) -> None:
    run = begun(env, grandparent)
    env.pause(run)
    env.advance(timedelta(seconds=60))
    with pytest.raises(WrongStatus, match="paused with 'a-p'"):
        env.unpause("a-a")


def test_a_child_that_was_paused_by_itself_stays_so(env: Any) -> None:
    run = begun(env, grandparent)
    env.pause("a-b")
    env.pause(run)
    env.advance(timedelta(seconds=60))
    env.unpause(run)
    env.advance(LATER)
    assert [each.status for each in tree(run)] == ["RUNNING"] * 3 + ["PAUSED"]
    env.unpause("a-b")
    env.signal("a-a", "go", "now")
    assert env.run_until(run).status == "SUCCEEDED"


def test_a_child_that_ends_while_its_parent_is_paused_is_reported_after_it(env: Any) -> None:
    run = begun(env, grandparent)
    env.pause("a-p")
    env.unpause("a-p")
    env.pause("one")
    env.advance(timedelta(seconds=60))
    env.terminate("a-a")
    env.unpause(run)
    env.run_until(run)
    assert run.status == "FAILED"  # its child was cancelled


def test_the_end_of_a_paused_parent_ends_its_paused_children(env: Any) -> None:
    run = begun(env, grandparent)
    env.pause(run)
    env.advance(timedelta(seconds=60))
    env.terminate(run)
    env.advance(timedelta(seconds=60))
    assert {each.status for each in tree(run)} == {"CANCELLED"}


# -- close -------------------------------------------------------------------------------------------------


def test_a_closed_one_is_kept_and_not_resumed_until_it_is_reopened(env: Any) -> None:
    run = env.run(fails, "a", execution_id="one")
    env.close(run, "a duplicate")
    assert run.status == "CLOSED"
    with pytest.raises(WrongStatus, match="reopen it first"):
        env.resume(run)
    with pytest.raises(WrongStatus, match="CLOSED"):
        env.repair(run, "fail", result="x")
    with pytest.raises(WrongStatus, match="CLOSED"):
        env.signal(run, "go", 1)
    env.advance(LATER)
    assert (run.status, len(run.steps)) == ("CLOSED", 1)
    env.reopen(run, "it was none")
    assert run.status == "FAILED"
    env.resume(run)
    env.run_until(run)
    assert (run.status, len(run.steps)) == ("FAILED", 2)
    types = [event.type for event in run.history if event.type.startswith("execution-")]
    assert types == [
        "execution-started",
        "execution-failed",
        "execution-closed",
        "execution-reopened",
        "execution-resumed",
        "execution-failed",
    ]


def test_closing_and_reopening_twice_change_nothing_more(env: Any) -> None:
    run = env.run(fails, "a", execution_id="one")
    for act in (env.close, env.close, env.reopen, env.reopen, env.close):
        act(run)
    shown = [event.type.removeprefix("execution-") for event in run.history if event.command is None]
    assert shown == ["started", "failed", "closed", "reopened", "closed"]


def test_only_a_failed_root_is_closed(env: Any) -> None:
    run = begun(env, waits)
    with pytest.raises(WrongStatus, match="only a FAILED one"):
        env.close(run)
    with pytest.raises(WrongStatus, match="only a CLOSED one"):
        env.reopen(run)
    root = env.run(fails_below, "b", execution_id="two")
    assert root.status == "FAILED"
    with pytest.raises(WrongStatus, match="close 'two'"):
        env.close("b-f")
    env.close(root)
    with pytest.raises(WrongStatus, match="reopen that one first"):
        env.resume("b-f")
