"""What a signal costs on AWS, and that its pass goes on whatever call it dies at, without the sweep."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from stepfast import signal, step, workflow
from stepfast.deployment.project import Project
from stepfast.engine import advancer
from stepfast.testing import MotoCloud
from tests.simulation.breaking import edited

NO_SWEEP = Project(sweep_minutes=60)
MINUTE = timedelta(minutes=1)


@step
async def double(number: int) -> int:
    return 2 * number


@workflow("doubles-signals")
async def doubles_signals() -> list[int]:
    return [await double(await signal("go", int)) for _ in range(2)]


def played(dies_at: int | None) -> tuple[list[int] | None, list[str]]:
    """The result, and the AWS calls of the functions since the first signal was sent."""
    with MotoCloud(doubles_signals, project=NO_SWEEP) as cloud:
        run = cloud.start(doubles_signals)
        cloud.advance(MINUTE)
        before = len(cloud.calls)
        if dies_at is not None:
            cloud.kill_at(before + dies_at, "after")
        cloud.signal(run, "go", 1, "one")
        cloud.advance(MINUTE)
        calls = [f"{call.function} {call.operation}" for call in cloud.calls[before:]]
        cloud.signal(run, "go", 2, "two")
        cloud.advance(MINUTE)
        return run.result if run.status == "SUCCEEDED" else None, calls


def advancers_calls() -> list[int]:
    result, calls = played(None)
    assert result == [2, 4]
    return [number for number, call in enumerate(calls) if call.startswith("advancer ")]


def test_a_signal_is_taken_by_one_pass_that_reads_the_execution_once() -> None:
    _, calls = played(None)
    counted = Counter(call for call in calls if call.startswith(("api ", "advancer ")))
    assert counted["api Query"] == 1  # what the code waits for
    # On the signal, and which workflows are paused, since nothing is recorded yet; on the result of the step, and the
    # signals of the next wait.
    assert counted["advancer Query"] == 4
    assert counted["advancer PutItem"] == 1


def test_a_pass_that_dies_at_any_call_takes_the_signal_all_the_same() -> None:
    for number in advancers_calls():
        assert played(number)[0] == [2, 4], number


def test_it_is_noticed_when_a_pass_on_news_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    edited(monkeypatch, advancer.Advancer, "_pass", ('return "go on" if opened.taken', 'return "done" if opened.taken'))
    assert played(None)[0] is None
