"""The PDF service is down for half an hour with reports under way: the gate's story, on both kits."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from stepfast import Gate, GiveUp, Limit, Retry, RetryAfter, step, workflow
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
pdf = Limit("pdf", gate=Gate(failures=5, window=60, probe=30, ramp=2.0))
once = Limit("once", gate=Gate(failures=2, window=60, probe=30))
tenants = Limit("tenants", gate=Gate(failures=1), key=lambda tenant: tenant)


@step(limits=[pdf], retry=Retry(max_attempts=3, initial=2.0, jitter="none"), timeout=20)
async def render(number: int) -> str:
    return f"report {number}"


@step(limits=[once], retry=Retry(max_attempts=1), timeout=20)
async def only_try(number: int) -> int:
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


@workflow("charging")
async def charging(number: int) -> int:
    return await charge(number)


@workflow("fetching")
async def fetching(tenant: str) -> str:
    return await fetch(tenant)


def per_window(times: Sequence[datetime], began: datetime) -> Counter[int]:
    """Calls in each 30 s."""
    return Counter(int((at - began).total_seconds() // 30) for at in times)


@pytest.mark.parametrize(("kit", "count", "minutes"), [(Environment, 200, 30), (MotoCloud, 12, 30)])
def test_an_outage_is_probed_and_followed_by_a_ramp_and_nobody_resumes_anything(
    kit: Any, count: int, minutes: int
) -> None:
    with kit(report) as env:
        began = env.now
        env.outage(render, timedelta(minutes=minutes))
        runs = [env.start(report, number) for number in range(count)]
        env.run_until(lambda: all(run.status != "RUNNING" for run in runs))
        assert Counter(run.status for run in runs) == {"SUCCEEDED": count}
        calls = [call.started_at for run in runs for call in run.calls(render)]
        windows = per_window(calls, began)
        down = {window: calls for window, calls in windows.items() if window < 2 * minutes}
        assert down.pop(0) <= 6
        assert len(down) >= 2 * minutes - 3
        assert set(down.values()) <= {1, 2}
        ramp = [windows[window] for window in range(2 * minutes, max(windows) + 1)]
        assert all(calls <= 2 ** (place + 2) + 2 for place, calls in enumerate(ramp))
