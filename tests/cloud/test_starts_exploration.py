"""Every AWS call is a place to die while executions take turns: none is lost, and no two of a key run at once."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from stepfast import step, workflow
from stepfast.simulator.account import When
from stepfast.testing import MotoCloud
from tests.cloud.clients import started
from tests.cloud.exploration import WHENS
from tests.lanes import SOAK

pytestmark = pytest.mark.slow


@step
def noted(number: int) -> int:
    return number


@workflow("in-turn", singleton=lambda number: "all")
async def in_turn(number: int) -> int:
    return await noted(await noted(number))


@workflow("one-only", singleton=lambda number: "all", on_conflict="skip")
async def one_only(number: int) -> int:
    return await noted(number)


def turns(kills: dict[int, When]) -> list[str]:
    """Three executions of one key under these kills; the operations that were called."""
    with MotoCloud(in_turn) as cloud:
        for number, when in kills.items():
            cloud.kill_at(number, when)
        runs = [started(cloud, in_turn, number, f"x{number}") for number in range(3)]
        for run in runs:
            cloud.run_until(run)
        assert [run.result for run in runs] == [0, 1, 2], kills
        spans = sorted((run.steps[0].started_at, run.steps[-1].ended_at or run.steps[-1].started_at) for run in runs)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), (kills, spans)
        operations = [call.operation for call in cloud.calls]
        cloud.advance(timedelta(minutes=15))
        assert started(cloud, in_turn, 3, "last").turned_into == "started", kills
        return operations


def test_dying_at_a_write_of_a_turn_loses_no_execution_and_runs_no_two_at_once() -> None:
    """In the gate the calls that decide, in every way; each night the others as well."""
    operations = turns({})
    decides = ("TransactWriteItems", "DeleteItem")
    numbers = [place for place, name in enumerate(operations) if SOAK or name in decides]
    for number in numbers if SOAK else numbers[1:6]:
        for when in WHENS:
            turns({number: when})


@pytest.mark.parametrize("when", WHENS)
def test_a_start_that_is_skipped_has_one_answer_whatever_call_dies(when: When) -> None:
    with MotoCloud(one_only) as cloud:
        first = started(cloud, one_only, 0, "x")
        before = len(cloud.calls)
        skipped = started(cloud, one_only, 1, "y")
        assert (skipped.execution_id, skipped.turned_into) == ("x", "skipped")
        calls = len(cloud.calls) - before
        cloud.run_until(first)
    for number in range(before, before + calls) if SOAK else range(before + calls - 1, before + calls):
        with MotoCloud(one_only) as cloud:
            cloud.kill_at(number, when)
            first = started(cloud, one_only, 0, "x")
            became = {
                (run.execution_id, run.turned_into) for run in (started(cloud, one_only, 1, "y") for _ in range(2))
            }
            assert became in ({("x", "skipped")}, {("y", "started")})
