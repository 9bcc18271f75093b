"""The PDF service is down for half an hour with 200 reports under way: the gate's story, on both kits."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Gate, Limit, Retry, step, workflow
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
pdf = Limit("pdf", gate=Gate(failures=5, window=60, probe=30, ramp=2.0))


@step(limits=[pdf], retry=Retry(max_attempts=3, initial=2.0, jitter="none"), timeout=20)
async def render(number: int) -> str:
    return f"report {number}"


@workflow("report")
async def report(number: int) -> str:
    return await render(number)


@pytest.mark.parametrize(("kit", "count"), [(Environment, 200), (MotoCloud, 40)])
def test_half_an_hour_without_the_service(kit: Any, count: int) -> None:
    with kit(report) as env:
        began = env.now
        env.outage(render, timedelta(minutes=30))
        runs = [env.start(report, number) for number in range(count)]
        env.run_until(lambda: all(run.status != "RUNNING" for run in runs))
        assert Counter(run.status for run in runs) == {"SUCCEEDED": count}
        calls = [call.started_at for run in runs for call in run.calls]
        windows = Counter(int((at - began).total_seconds() // 30) for at in calls)
        print(sorted(windows.items()), env.now)
        assert 0
