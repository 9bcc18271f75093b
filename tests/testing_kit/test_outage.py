"""The PDF service is down for half an hour with reports under way: the gate's story, on both kits."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from stepfast import Gate, Limit, Retry, RetryAfter, step, workflow
from stepfast.errors import StepTimeout
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
NEVER = {"execution-failed", "execution-resumed"}
pdf = Limit("pdf", gate=Gate(failures=5, window=60, probe=30, ramp=2.0))
stumbled: set[int] = set()
once = Limit("once", gate=Gate(failures=2, window=60, probe=30))
tenants = Limit("tenants", gate=Gate(failures=1), key=lambda tenant: tenant)


@step(limits=[pdf], retry=Retry(max_attempts=3, initial=2.0, jitter="none"), timeout=20)
async def render(number: int) -> str:
    return f"report {number}"


@step(limits=[once], retry=Retry(max_attempts=1), timeout=20)
async def only_try(number: int) -> int:
    return number


@step(limits=[once], retry=Retry(max_attempts=4, initial=1.0, jitter="none", max_elapsed=20), timeout=5)
async def hasty(number: int) -> int:
    if number > 0 and number not in stumbled:
        stumbled.add(number)
        raise ValueError("once, and not because of the outage")
    return number


@step(limits=[once], at_most_once=True, retry=Retry(max_attempts=1), timeout=20)
async def charge(number: int) -> int:
    return number


@step(limits=[tenants], timeout=20)
async def fetch(tenant: str) -> str:
    return tenant


@workflow("report")
async def report(number: int) -> str:
    return await render(number)


@workflow("single")
async def single(number: int) -> int:
    return await only_try(number)


@workflow("hurrying")
async def hurrying(number: int) -> int:
    return await hasty(number)


@workflow("charging")
async def charging(number: int) -> int:
    return await charge(number)


@workflow("fetching")
async def fetching(tenant: str) -> str:
    return await fetch(tenant)


def per_window(times: Sequence[datetime], began: datetime) -> Counter[int]:
    """Calls in each 30 s."""
    return Counter(int((at - began).total_seconds() // 30) for at in times)


@pytest.mark.parametrize("kit", [Environment, pytest.param(MotoCloud, marks=pytest.mark.slow)])
def test_an_outage_is_probed_and_followed_by_a_ramp_and_nobody_resumes_anything(kit: Any) -> None:
    count, outage, probe = 200, timedelta(minutes=30), timedelta(seconds=30)
    with kit(report) as env:
        began = env.now
        env.outage(render, outage)
        runs = [env.start(report, number) for number in range(count)]
        env.advance(outage - timedelta(seconds=1))
        assert Counter(run.status for run in runs) == {"RUNNING": count}
        env.advance(10 * probe)
        assert Counter(run.status for run in runs) == {"SUCCEEDED": count}
        assert {event.type for run in runs for event in run.history} & {
            "execution-failed",
            "execution-resumed",
        } == set()
        calls = [call for run in runs for call in run.calls(render)]
        down = sorted(call.started_at for call in calls if call.error is not None)
        served = sorted(call.started_at for call in calls if call.error is None)
        probes = [at for at in down if at > down[0] + probe / 2]
        assert len(down) - len(probes) <= 20  # Those that were under way when the fifth failure closed the gate.
        pauses = [after - before for before, after in pairwise(probes)]
        assert 57 <= len(probes) <= 60
        assert probe <= min(pauses)
        assert max(pauses) <= probe + timedelta(seconds=2)
        assert began + outage <= served[0] <= began + outage + probe + timedelta(seconds=2)
        ramp = per_window(served, served[0])
        for window in range(max(ramp) + 1):
            assert 0 < ramp[window] <= 2 ** (window + 1) + 1  # The probe that succeeds comes before the ramp.


@pytest.mark.parametrize("kit", KITS)
def test_what_failed_before_the_gate_closed_is_resumed_and_what_it_held_is_not_failed(kit: Any) -> None:
    with kit(single) as env:
        env.outage(only_try, timedelta(seconds=50))
        first = env.run(single, 1)
        assert first.status == "FAILED"
        second = env.start(single, 2)
        env.advance(timedelta(seconds=20))
        assert second.status == "RUNNING"
        env.run_until(lambda: (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED"))


def test_who_was_cancelled_meanwhile_is_left_alone_and_waiting_can_be_cancelled() -> None:
    with Environment(single) as env:
        env.outage(only_try, timedelta(minutes=5))
        first = env.run(single, 1)
        env.restore(only_try)
        env.resume(first)
        env.run_until(first)
        env.outage(only_try, timedelta(minutes=5))
        runs = [env.start(single, number) for number in range(3)]
        env.advance(timedelta(minutes=2))
        env.cancel(runs[1])
        env.run_until(lambda: all(run.status != "RUNNING" for run in runs))
        assert [run.status for run in runs] == ["SUCCEEDED", "CANCELLED", "SUCCEEDED"]
        assert len([call for call in first.calls(only_try) if call.error is None]) == 1


@pytest.mark.parametrize("kit", KITS)
def test_the_time_that_a_step_waits_at_a_gate_is_none_of_its_time_for_tries(kit: Any) -> None:
    stumbled.clear()
    with kit(hurrying) as env:
        env.outage(hasty, timedelta(minutes=3))
        runs = [env.start(hurrying, number) for number in range(3)]
        env.advance(timedelta(minutes=2))
        assert {run.status for run in runs} == {"RUNNING"}
        env.run_until(lambda: all(run.status != "RUNNING" for run in runs))
        assert [run.status for run in runs] == ["SUCCEEDED"] * 3
        assert stumbled == {1, 2}


@pytest.mark.parametrize("kit", KITS)
def test_a_step_that_runs_at_most_once_and_timed_out_is_not_tried_by_a_gate(kit: Any) -> None:
    with kit(charging) as env:
        env.outage(charge, timedelta(hours=1), StepTimeout("nobody knows"))
        runs = [env.run(charging, number) for number in range(2)]
        assert [run.status for run in runs] == ["FAILED", "FAILED"]
        third = env.start(charging, 3)
        env.advance(timedelta(seconds=10))
        assert third.calls(charge) == []
        assert third.status == "RUNNING"


@pytest.mark.parametrize("kit", KITS)
def test_retry_after_closes_the_gate_of_its_key_only_until_then(kit: Any) -> None:
    with kit(fetching) as env:
        began = env.now
        env.fail(fetch, 1, RetryAfter(90))
        first = env.start(fetching, "a")
        env.advance(timedelta(seconds=5))
        other = env.start(fetching, "a")
        env.advance(timedelta(seconds=5))
        assert env.run(fetching, "b").status == "SUCCEEDED"
        env.run_until(lambda: (first.status, other.status) == ("SUCCEEDED", "SUCCEEDED"))
        calls = [*first.calls(fetch), *other.calls(fetch)]
        assert sorted((call.started_at - began).total_seconds() >= 90 for call in calls) == [False, True, True]


def test_an_outage_ends_by_itself_or_by_restore_and_refuses_wrong_values() -> None:
    with Environment(report) as env:
        env.outage(render)
        with pytest.raises(ValueError, match="lasts some time"):
            env.outage(render, timedelta())
        with pytest.raises(TypeError, match="error is an exception"):
            env.outage(render, timedelta(1), "down")  # type: ignore[arg-type]
        env.restore(render)
        assert env.run(report, 2).status == "SUCCEEDED"
