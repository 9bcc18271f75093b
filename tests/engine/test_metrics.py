"""What an execution adds to the figures as it ends, and what is read off the sum."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfast.engine.metrics import (
    BUCKET_GROWTH,
    SHORTEST,
    Tally,
    added,
    bucket_of,
    hour_of,
    percentile,
    seconds_of,
    tallies_of,
)
from stepfast.model import Execution, Record

ENDED = Execution("one", "w", "null", 1000.0, status="SUCCEEDED", ended_at=1004.0)
PAY = Record("pay", "step", "pay", "SUCCEEDED", 0, attempt=1, started_at=1001.0, ended_at=1003.5)


def step(**changes: Any) -> Record:
    return replace(PAY, **changes)


def test_an_end_counts_once_with_its_duration() -> None:
    assert tallies_of(ENDED, []) == {"SUCCEEDED": Tally(1), f"took:{bucket_of(4.0)}": Tally(1)}


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_what_did_not_succeed_counts_no_duration(status: Any) -> None:
    assert tallies_of(replace(ENDED, status=status), []) == {status: Tally(1)}


@pytest.mark.parametrize(
    ("record", "tally"),
    [
        (step(), Tally(1, succeeded=1, seconds=2.5)),
        (step(attempt=3), Tally(3, failures=2, succeeded=1, seconds=2.5)),
        (step(attempt=3, interrupted=1), Tally(3, failures=1, succeeded=1, seconds=2.5)),
        (step(status="FAILED", attempt=5), Tally(5, failures=5, given_up=1)),
        (step(status="FAILED", attempt=10, interrupted=10), Tally(10, failures=0, given_up=1)),
        (step(status="RETRYING", attempt=2), Tally(2, failures=2)),
        (step(status="RUNNING", attempt=2, ended_at=None), Tally(2, failures=1)),
    ],
)
def test_attempts_of_a_step(record: Record, tally: Tally) -> None:
    assert tallies_of(ENDED, [record])["step:pay"] == tally


@pytest.mark.parametrize(
    "record",
    [
        step(status="OPEN", attempt=0),
        step(kind="timer", attempt=0),
        step(generation=1),
        step(kind="signal"),
    ],
)
def test_what_has_no_attempt_in_this_generation_is_not_counted(record: Record) -> None:
    assert "step:pay" not in tallies_of(ENDED, [record])


def test_steps_of_one_name_are_counted_together() -> None:
    again = step(id="pay#2", attempt=2)
    assert tallies_of(ENDED, [PAY, again])["step:pay"] == Tally(3, failures=1, succeeded=2, seconds=5.0)


def test_each_generation_counts_what_it_did() -> None:
    failed = replace(ENDED, status="FAILED")
    first = tallies_of(failed, [PAY, step(id="ship", name="ship", status="FAILED", attempt=4)])
    resumed = replace(ENDED, generation=1)
    second = tallies_of(resumed, [PAY, step(id="ship", name="ship", generation=1)])
    total = added([first, second])
    assert total["step:pay"] == Tally(1, succeeded=1, seconds=2.5)
    assert total["step:ship"] == Tally(5, failures=4, given_up=1, succeeded=1, seconds=2.5)
    assert (total["FAILED"], total["SUCCEEDED"]) == (Tally(1), Tally(1))


def test_hours_are_of_the_epoch() -> None:
    assert [hour_of(at) for at in (0.0, 3599.9, 3600.0)] == [0, 0, 1]


@given(st.floats(0, 1e10))
def test_a_duration_is_told_within_nine_percent(seconds: float) -> None:
    told = seconds_of(bucket_of(seconds))
    if seconds <= SHORTEST:
        assert told == SHORTEST
    else:
        assert abs(told - seconds) <= seconds * (BUCKET_GROWTH - 1) / (BUCKET_GROWTH + 1) * 1.000001
        assert (BUCKET_GROWTH - 1) / (BUCKET_GROWTH + 1) < 0.09


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_percentiles_are_those_of_the_durations_themselves(durations: list[float], share: float) -> None:
    counts: dict[int, int] = {}
    for one in durations:
        counts[bucket_of(one)] = counts.get(bucket_of(one), 0) + 1
    exact = sorted(durations)[math.ceil(share * len(durations)) - 1]
    assert percentile(counts, share) == seconds_of(bucket_of(exact))
