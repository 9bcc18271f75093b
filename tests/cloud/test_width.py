"""Wide and long executions on AWS: what a step asks of the table does not grow with their number. Calls are counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, current_step, signal, step, workflow
from stepfast.engine import advancer as advancing
from stepfast.language.workflows import Workflow
from stepfast.simulator.account import AwsCall, When
from stepfast.simulator.rules import Rules
from stepfast.testing import MotoCloud

NEVER = Retry(max_attempts=1)
ends: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    ends.clear()


@step
async def quick(number: int) -> int:
    return number


@workflow("wide")
async def wide(width: int) -> int:
    return sum(await asyncio.gather(*(quick(number) for number in range(width))))


@step(retry=NEVER, timeout=600)
async def slow(seconds: float) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ends.append("cancelled")
        raise
    return "done"


@step(retry=NEVER, timeout=600)
async def beats(seconds: int) -> str:
    for _ in range(seconds):
        await asyncio.sleep(1)
        current_step().heartbeat()
    return "done"


@workflow("two-slow")
async def two_slow(seconds: float) -> list[str]:
    return list(await asyncio.gather(slow(seconds), slow(seconds)))


@workflow("one-slow")
async def one_slow(seconds: float) -> str:
    return await slow(seconds)


@workflow("beating")
async def beating(seconds: int) -> str:
    return await beats(seconds)


@workflow("listens")
async def listens(number: int) -> int:
    total = 0
    for _ in range(number):
        total += await signal("go", int)
    await signal("word", str)
    return total


def reads(cloud: MotoCloud, function: str, since: int = 0) -> Counter[str]:
    """How often the functions of this name have read the table."""
    operations = ("GetItem", "BatchGetItem", "Query")
    calls = [call for call in cloud.calls[since:] if call.function.startswith(function)]
    return Counter(call.operation for call in calls if call.operation in operations)


def units_of_batches(calls: Sequence[AwsCall]) -> float:
    """The read units of what the API reads by keys; each of these items has less than 4 KB."""
    batches = [call for call in calls if call.function == "api" and call.operation == "BatchGetItem"]
    asked = [each for call in batches for each in call.parameters["RequestItems"].values()]
    return sum(len(each["Keys"]) * (1.0 if each["ConsistentRead"] else 0.5) for each in asked)


# -- gathers -----------------------------------------------------------------------------------------


def test_no_message_of_a_gather_is_delivered_twice_because_its_entry_is_not_there_yet() -> None:
    """Messages are sent before the entry that asks for them is written; workers that are early wait for the entry."""
    with MotoCloud(wide, rules=Rules(pollers=5)) as cloud:
        assert cloud.run(wide, 30).result == sum(range(30))
        steps = [each for each in cloud.invocations if each.function.startswith("step")]
        put_off = [call for call in cloud.calls if call.operation == "ChangeMessageVisibility"]
    assert len(steps) == 30
    assert put_off == []


def test_a_worker_that_waits_for_its_entry_reads_the_log_alone() -> None:
    with MotoCloud(wide, rules=Rules(pollers=60)) as cloud:
        assert cloud.run(wide, 60).result == sum(range(60))
        asked = reads(cloud, "step")
    assert asked["Query"] > 60, "no worker has come before its entry, so that this tests nothing"
    assert asked == {"BatchGetItem": 60, "Query": asked["Query"]}, "there is no order of version 1 to look for"


def test_a_wide_gather_is_dispatched_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advancing, "DISPATCHED_AT_ONCE", 5)
    with MotoCloud(wide) as cloud:
        assert cloud.run(wide, 18).result == sum(range(18))
        entries = [call for call in cloud.calls if _is_entry(call)]
        steps = [each for each in cloud.invocations if each.function.startswith("step")]
    assert len(entries) == 4 + 1, "four parts, and the order of the results"
    assert len(steps) == 18


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_advancer_that_dies_between_two_parts_sends_the_rest_when_it_comes_again(
    when: When, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advancing, "DISPATCHED_AT_ONCE", 5)
    with MotoCloud(wide) as cloud:
        cloud.run(wide, 12, execution_id="one")
        second = [call.number for call in cloud.calls if _is_entry(call)][1]
    with MotoCloud(wide) as cloud:
        cloud.kill_at(second, when)
        assert cloud.run(wide, 12, execution_id="one").result == sum(range(12))
        records = [call for call in cloud.calls if call.operation == "PutItem" and call.function.startswith("step")]
    assert len(records) == 2 * 12, "each step was claimed once and recorded once"


def _is_entry(call: AwsCall) -> bool:
    return call.operation == "PutItem" and call.parameters["Item"]["sk"]["S"].startswith("o#")


# -- looks at running steps ----------------------------------------------------------------------------


def test_looks_at_a_long_step_grow_rarer_with_its_age() -> None:
    with MotoCloud(two_slow) as cloud:
        assert cloud.run(two_slow, 100.0).result == ["done", "done"]
        of_hundred = reads(cloud, "step").total()
    with MotoCloud(two_slow) as cloud:
        assert cloud.run(two_slow, 200.0).result == ["done", "done"]
        of_two_hundred = reads(cloud, "step").total()
    assert of_hundred < 2 * 75, "both steps together; one look a second with two reads each would be 400"
    assert of_two_hundred - of_hundred < 2 * 60


@pytest.mark.parametrize("flow", [two_slow, one_slow])
def test_a_cancelled_step_stops_within_three_seconds(flow: Workflow[[float], Any]) -> None:
    with MotoCloud(two_slow, one_slow) as cloud:
        run = cloud.start(flow, 500.0)
        cloud.advance(timedelta(seconds=50))
        cloud.cancel(run)
        cloud.advance(timedelta(seconds=3))
        assert ends == ["cancelled"] * (2 if flow is two_slow else 1)


def test_a_step_that_gives_signs_of_life_is_looked_after_each_second() -> None:
    with MotoCloud(beating) as cloud:
        run = cloud.start(beating, 500)
        cloud.advance(timedelta(seconds=100))
        cloud.cancel(run)
        before = len(cloud.calls)
        cloud.advance(timedelta(seconds=5))
        after = len(cloud.calls)
        cloud.advance(timedelta(seconds=60))
        late = [call for call in cloud.calls[after:] if call.function.startswith("step")]
    assert after > before
    assert late == [], "it has stopped within five seconds"


# -- signals -------------------------------------------------------------------------------------------


def test_a_signal_to_a_long_execution_is_checked_without_reading_all_of_it() -> None:
    with MotoCloud(listens) as cloud:
        run = cloud.start(listens, 28)
        cloud.advance(timedelta(seconds=1))
        queries, units = [], []
        for _ in range(28):
            before = len(cloud.calls)
            cloud.signal(run, "go", 1)
            queries.append(reads(cloud, "api", before)["Query"])
            units.append(units_of_batches(cloud.calls[before:]))
            cloud.advance(timedelta(seconds=2))
        assert queries[0] == 1, "a short execution is read for as little"
        assert queries[23:] == [0] * 5
        assert units[23:] == [2.5] * 5, "half for what the last signal has ended, the execution, and the next wait"
        cloud.signal(run, "word", "over")
        assert cloud.run_until(run).result == 28


def test_a_signal_that_does_not_fit_is_refused_however_long_the_execution_is() -> None:
    with MotoCloud(listens) as cloud:
        run = cloud.start(listens, 24)
        cloud.advance(timedelta(seconds=1))
        for _ in range(24):
            cloud.signal(run, "go", 1)
            cloud.advance(timedelta(seconds=2))
        path = f"/v1/executions/{run.execution_id}/signals/word"
        assert cloud.request("POST", path, {"payload": 5}).status == 422
        assert cloud.request("POST", path, {"payload": "over"}).status in (200, 202)
        assert cloud.run_until(run).result == 24
        assert cloud.request("POST", path, {"payload": "again"}).status == 409


def test_signals_that_come_faster_than_they_are_taken_are_all_checked_and_taken() -> None:
    with MotoCloud(listens) as cloud:
        run = cloud.start(listens, 28)
        cloud.advance(timedelta(seconds=1))
        for number in range(28):
            cloud.signal(run, "go", 1)
            if number % 7 == 0:
                cloud.advance(timedelta(seconds=3))
        cloud.signal(run, "word", "over")
        assert cloud.run_until(run).result == 28
