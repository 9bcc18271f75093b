"""What steps in line go through, on both kits: changes of code and numbers, cancels, pauses and timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate
from typing import Any

import pytest

from stepfast import Limit, StepFailed, step, workflow
from stepfast.testing import Environment, MotoCloud
from stepfast.testing.memory import finished
from stepfast.testing.runs import Run

keys: dict[str, Any] = {}


def key_of(customer: str) -> str:
    """A function that a deployment has wrong."""
    if isinstance(keys.get(customer), Exception):
        raise keys[customer]
    return keys.get(customer, customer)  # type: ignore[no-any-return]


@step(limits=[Limit("per-customer", key=key_of, concurrency=1)], timeout=20)
async def serve(customer: str) -> str:
    return customer


@step(limits=[Limit("desk", concurrency=2)], timeout=20)
async def sit(number: int) -> int:
    await asyncio.sleep(10)
    return number


@workflow("serving")
async def serving(customer: str) -> str:
    return await serve(customer)


@workflow("sitting")
async def sitting(number: int) -> int:
    return await sit(number)


@workflow("hasty")
async def hasty(number: int) -> str:
    try:
        async with asyncio.timeout(15):
            await sit(number)
    except TimeoutError:
        return "gave up"
    return "sat"


@workflow("crowd")
async def crowd(count: int) -> int:
    return len(await asyncio.gather(*(sit(number) for number in range(count))))


@pytest.fixture(params=[Environment, MotoCloud])
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    keys.clear()
    with request.param(serving, sitting, hasty, crowd, limit=5000) as kit:
        yield kit


def most_at_once(runs: list[Run[Any]], called: Any = sit) -> int:
    calls = [call for run in runs for call in run.calls(called)]
    changes = sorted([(call.started_at, 1) for call in calls] + [(call.ended_at, -1) for call in calls])
    return max(accumulate(change for _, change in sorted(changes, key=lambda change: (change[0], change[1]))))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (KeyError("region"), "the key of limit 'per-customer' raised KeyError: 'region'"),
        (7, "the key of limit 'per-customer' is int, and must be a text"),
        (None, "the key of limit 'per-customer' is NoneType, and must be a text"),
        ("x" * 5000, "is a text of 5000 characters, and must be a text"),
    ],
)
def test_a_key_function_at_fault_fails_its_step_and_a_resume_goes_on_with_the_right_one(
    env: Any, wrong: Any, says: str
) -> None:
    keys["acme"] = wrong
    run, other = env.start(serving, "acme"), env.run(serving, "other")
    env.run_until(lambda: run.status == "FAILED")
    assert run.error.type == "LimitKeyFailed"
    assert says in run.error.message
    assert run.calls(serve) == []
    assert other.status == "SUCCEEDED"
    keys.clear()
    env.resume(run)
    assert env.run_until(run).result == "acme"


def test_what_waits_in_line_is_cancelled_and_the_line_goes_on(env: Any) -> None:
    runs = [env.start(sitting, number) for number in range(6)]
    env.advance(timedelta(seconds=5))
    waiting = [run for run in runs if not run.calls(sit)]
    assert len(waiting) == 4
    env.cancel(waiting[0])
    env.terminate(waiting[1])
    env.run_until(lambda: all(run.status != "RUNNING" for run in runs))
    assert [run.status for run in waiting] == ["CANCELLED", "CANCELLED", "SUCCEEDED", "SUCCEEDED"]
    assert waiting[0].calls(sit) == waiting[1].calls(sit) == []
    assert most_at_once(runs) == 2


def test_what_waits_in_line_is_paused_and_takes_a_slot_once_it_is_unpaused(env: Any) -> None:
    runs = [env.start(sitting, number) for number in range(5)]
    env.advance(timedelta(seconds=5))
    paused = next(run for run in runs if not run.calls(sit))
    env.pause(paused)
    env.run_until(lambda: all(run.status == "SUCCEEDED" for run in runs if run is not paused))
    env.advance(timedelta(minutes=10))
    assert (paused.status, paused.calls(sit)) == ("PAUSED", [])
    env.unpause(paused)
    env.run_until(lambda: paused.status == "SUCCEEDED")
    assert most_at_once(runs) == 2


def test_a_timeout_of_the_workflow_takes_a_step_out_of_the_line_and_its_own_does_not(env: Any) -> None:
    first = [env.start(sitting, number) for number in range(6)]
    env.advance(timedelta(seconds=1))
    late = env.start(hasty, 9)
    env.run_until(lambda: all(run.status == "SUCCEEDED" for run in [*first, late]))
    assert (late.result, late.calls(sit)) == ("gave up", [])
    # The sixth has waited for 20 s, as long as its step may run, and has had all its time.
    assert [len(run.calls(sit)) for run in first] == [1] * 6
    assert most_at_once(first) == 2


def test_a_limit_is_renamed_under_steps_that_run_and_wait(env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [env.start(sitting, number) for number in range(6)]
    env.advance(timedelta(seconds=5))
    monkeypatch.setattr(sit, "limits", (Limit("table", concurrency=2),))
    more = [env.start(sitting, number) for number in range(6, 9)]
    env.run_until(lambda: all(run.status == "SUCCEEDED" for run in [*runs, *more]))
    assert [len(run.calls(sit)) for run in [*runs, *more]] == [1] * 9
    # Those that run by the old name are not counted under the new one.
    assert most_at_once([*runs, *more]) <= 4


@pytest.mark.slow
def test_numbers_are_changed_while_a_thousand_wait(env: Any) -> None:
    # A thousand take minutes in the played account.
    count, slots = (1000, 50) if isinstance(env, Environment) else (100, 8)
    run = env.start(crowd, count)
    env.advance(timedelta(seconds=25))
    if isinstance(env, MotoCloud):
        assert env.request("PUT", "/v1/limits/desk", {"concurrency": slots}).status == 200
    else:
        finished(env._stage.operations.limits.set("desk", concurrency=slots))
    env.run_until(lambda: run.status == "SUCCEEDED")
    assert run.result == count
    assert most_at_once([run]) == slots
    calls = sorted(call.started_at for call in run.calls(sit))
    assert (calls[-1] - calls[0]).total_seconds() < 4 * count  # On two slots it would be 5 s for each.


@workflow("caught")
async def caught(customer: str) -> str:
    try:
        return await serve(customer)
    except StepFailed as failed:
        return failed.error_type


@pytest.mark.parametrize("kit", [Environment, MotoCloud])
def test_workflow_code_can_catch_a_key_at_fault(kit: Any) -> None:
    keys.clear()
    keys["acme"] = 7
    with kit(caught) as env:
        assert env.run(caught, "acme").result == "LimitKeyFailed"
