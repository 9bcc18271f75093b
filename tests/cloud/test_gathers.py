"""Gathers of everything at once, on messages that come twice and in disorder: no wake is lost, no step runs again.

The sweep comes too late to help: an execution that only the sweep would wake makes the test fail.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.backends.aws import messages
from stepfast.deployment.project import Project
from stepfast.testing import MotoCloud, Rules
from tests.cloud.conftest import MakeCloud
from tests.lanes import seeds

RULES = Rules(duplicates=0.3, reorder=True, late=5.0)
PROJECT = Project(sweep_minutes=600)
SOON = timedelta(minutes=60)


@step(retry=Retry(max_attempts=4, initial=1.0, backoff=2.0, jitter="full"))
def work(number: int) -> int:
    return number


@step(at_most_once=True)
def pay(number: int) -> int:
    return 2 * number


@step(retry=Retry(max_attempts=1))
def break_down(number: int) -> int:
    return number


@step(timeout=600)
async def linger(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def branch(number: int) -> int:
    return await pay(await work(number))


async def impatient() -> str:
    try:
        async with asyncio.timeout(5):
            return str(await linger(200.0))
    except TimeoutError:
        return "out of time"


async def race() -> bool:
    tasks = [asyncio.ensure_future(linger(2.0)), asyncio.ensure_future(linger(150.0))]
    done, losers = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for loser in losers:
        loser.cancel()
    return bool(done)


async def inner() -> list[Any]:
    return list(await asyncio.gather(branch(100), asyncio.sleep(30, "slept"), signal("inner", str)))


@workflow("medley")
async def medley(count: int) -> list[Any]:
    parts = (impatient(), race(), inner(), signal("outer", str), asyncio.sleep(20, "slept"), break_down(7))
    return [*await asyncio.gather(*(branch(number) for number in range(count)), *parts), await work(count)]


def expected(count: int) -> list[Any]:
    return [*range(0, 2 * count, 2), "out of time", True, [200, "slept", "in"], "out", "slept", 7, count]


def give(cloud: MotoCloud, execution_id: str) -> None:
    cloud.signal(execution_id, "outer", "out")
    cloud.signal(execution_id, "inner", "in")


def ran_once(run: Any) -> None:
    """A step that may run at most once did; duplicates have made nothing run that was recorded (conftest.py)."""
    calls = Counter(call.step_id for call in run.calls(pay))
    assert set(calls.values()) == {1}, calls


@pytest.mark.parametrize("seed", [seed + 1 for seed in seeds(1, 40)])
def test_a_gather_of_everything_comes_to_its_end_without_the_sweep(make_cloud: MakeCloud, seed: int) -> None:
    cloud = make_cloud(medley, seed=seed, rules=RULES, project=PROJECT)
    cloud.fail(work, times=3)
    run, start = cloud.start(medley, 5, "m"), cloud.now
    cloud.advance(timedelta(seconds=seed))
    give(cloud, "m")
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert cloud.now - start < SOON
    assert run.result == expected(5)
    ran_once(run)
    assert cloud.undelivered == []


def test_messages_of_the_version_before_which_carry_no_input_lead_to_the_same_end(
    make_cloud: MakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment replaces the functions while such messages are in the queues, and sends others from then on."""
    cloud = make_cloud(medley, seed=1, rules=RULES, project=PROJECT)
    with monkeypatch.context() as before:
        before.setattr(messages, "MAX_INPUT", -1)
        run = cloud.start(medley, 2, "m")
        cloud.advance(timedelta(seconds=1))
    give(cloud, "m")
    start = cloud.now
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert cloud.now - start < SOON
    assert run.result == expected(2)
    ran_once(run)


@pytest.mark.parametrize("seed", [seed + 1 for seed in seeds(1, 40)])
def test_a_resume_in_the_middle_of_a_gather_runs_what_had_failed_and_nothing_else(
    make_cloud: MakeCloud, seed: int
) -> None:
    cloud = make_cloud(medley, seed=seed, rules=RULES, project=PROJECT)
    cloud.fail(break_down, times=2)
    run = cloud.start(medley, 2, "m")
    cloud.advance(timedelta(seconds=seed % 7))
    give(cloud, "m")
    for _ in range(2):
        cloud.run_until(lambda: run.status == "FAILED")
        cloud.advance(timedelta(seconds=seed % 3))
        resumed = cloud.now
        cloud.resume("m")
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert cloud.now - resumed < SOON
    assert run.result == expected(2)
    assert len(run.calls(break_down)) == 3
    ran_once(run)


@pytest.mark.parametrize("seed", [seed + 1 for seed in seeds(1, 40)])
def test_after_a_cancel_in_the_middle_of_a_gather_nothing_begins(make_cloud: MakeCloud, seed: int) -> None:
    cloud = make_cloud(medley, seed=seed, rules=RULES, project=PROJECT)
    run = cloud.start(medley, 6, "m")
    cloud.advance(timedelta(seconds=2 + seed % 3))
    cloud.cancel("m")
    cloud.advance(timedelta(seconds=1))
    begun = len(run.steps)
    cloud.advance(timedelta(hours=1))
    assert (run.status, len(run.steps)) == ("CANCELLED", begun)
    assert cloud.undelivered == []
