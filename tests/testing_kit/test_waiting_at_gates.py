"""What waits at a closed gate is cancelled, paused or runs out of time, on both kits; the gate goes on for others."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Gate, Limit, Retry, step, workflow
from stepfast.testing import Environment, MotoCloud

OUTAGE = timedelta(minutes=5)
press = Limit("press", gate=Gate(failures=1, window=60, probe=30))


@step(limits=[press], retry=Retry(max_attempts=1), timeout=20)
async def stamp(number: int) -> int:
    return number


@workflow("stamping")
async def stamping(number: int) -> int:
    return await stamp(number)


@workflow("impatient")
async def impatient(number: int) -> str:
    try:
        async with asyncio.timeout(100):
            return str(await stamp(number))
    except TimeoutError:
        return "gave up"


@pytest.fixture(params=[Environment, MotoCloud])
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    """With a gate that is closed by an outage, of which one execution waits to be the probe."""
    with request.param(stamping, impatient) as env:
        env.outage(stamp, OUTAGE)
        env.start(stamping, 0, "first")
        env.advance(timedelta(seconds=10))
        yield env


def test_a_cancel_and_a_terminate_reach_what_waits_at_a_closed_gate(env: Any) -> None:
    runs = [env.start(stamping, number) for number in range(1, 5)]
    env.advance(timedelta(seconds=5))
    env.cancel(runs[0])
    env.terminate(runs[1])
    env.advance(timedelta(seconds=5))
    assert [run.status for run in runs] == ["CANCELLED", "CANCELLED", "RUNNING", "RUNNING"]
    env.run_until(lambda: all(run.status == "SUCCEEDED" for run in runs[2:]))
    assert [run.calls(stamp) for run in runs[:2]] == [[], []]


def test_what_is_paused_at_a_closed_gate_is_no_probe_and_begins_once_it_is_unpaused(env: Any) -> None:
    paused, other = env.start(stamping, 1), env.start(stamping, 2)
    env.advance(timedelta(seconds=5))
    env.pause(paused)
    env.run_until(lambda: other.status == "SUCCEEDED")
    env.advance(timedelta(minutes=10))
    assert (paused.status, paused.calls(stamp)) == ("PAUSED", [])
    env.unpause(paused)
    env.run_until(lambda: paused.status == "SUCCEEDED")
    assert len(paused.calls(stamp)) == 1


def test_a_timeout_of_the_workflow_takes_a_step_from_a_closed_gate_and_its_own_does_not(env: Any) -> None:
    others = [env.start(stamping, number) for number in range(1, 3)]
    late = [env.start(impatient, number) for number in range(3, 6)]
    env.run_until(lambda: all(run.status == "SUCCEEDED" for run in [*others, *late]))
    assert [run.result for run in late] == ["gave up"] * 3
    # They have waited for minutes, longer than their steps may run, and were called as probes at most before.
    for run in others:
        *probes, last = run.calls(stamp)
        assert last.error is None
        assert all("Timeout" not in str(call.error) for call in probes)
