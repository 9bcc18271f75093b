"""What a worker does once an attempt has ended follows from the run, the outcome, and what the replay makes of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from stepfast.engine.attempt import OwnedStep
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.moves import EndRun, GoOn, HandOver, Move, PutBack, Room, next_move, takes_outcome
from stepfast.model import Record
from tests.engine.steps import (
    NOW,
    bad_end,
    claimed,
    one_call,
    other_pool,
    rests,
    siblings,
    spreads,
    succeeded,
    two_calls,
)

ENDED = NOW + 7.0
ROOM = Room(math.inf, lambda step: True)


def move_after(run: OwnedStep, record: Record, room: Room = ROOM) -> Move:
    replay = takes_outcome(run)
    if replay is not None:
        replay.advance({record.id: record})
    return next_move(run, record, replay, room, ENDED)


def test_the_next_step_is_claimed_by_the_record_that_it_follows_from() -> None:
    with claimed(two_calls) as run:
        record = succeeded(run)
        move = move_after(run, record)
        assert isinstance(move, GoOn)
        assert move.next.id == "call#2"
        assert move.record == replace(record, then=move.claim)
        assert (move.claim.id, move.claim.digest, move.claim.started_at) == ("call#2", move.next.digest, ENDED)
        assert move.next.step is not None
        assert move.claim.lease == ENDED + move.next.step.lease + LEASE_MARGIN


def test_the_last_result_carries_the_end_of_the_execution() -> None:
    with claimed(one_call) as run:
        record = succeeded(run)
        ended = replace(run.execution, status="SUCCEEDED", result="1", ended_at=ENDED)
        move = move_after(run, record)
        assert isinstance(move, EndRun)
        assert move.succeeded is not None
        assert (move.record, move.succeeded.execution) == (record, ended)
        assert move.succeeded.counts["SUCCEEDED"].count == 1


def test_a_failure_is_not_written_with_the_record_since_it_is_parked_first() -> None:
    with claimed(bad_end) as run:
        record = succeeded(run)
        assert move_after(run, record) == EndRun(record, None)


def test_an_attempt_that_is_to_be_tried_again_is_put_back_until_it_is_due() -> None:
    with claimed(two_calls) as run:
        record = replace(run.record, status="RETRYING", due=ENDED + 3.0, lease=None)
        assert next_move(run, record, None, ROOM, ENDED) == PutBack(record, ENDED + 3.0)


@pytest.mark.parametrize(
    ("definition", "room"),
    [
        (other_pool, ROOM),
        (rests, ROOM),
        (spreads, ROOM),
        (two_calls, Room(100 + LEASE_MARGIN - 0.1, lambda step: True)),
        (two_calls, Room(math.inf, lambda step: False)),
    ],
    ids=["another pool", "a timer", "siblings", "no time left", "not on this thread"],
)
def test_what_this_worker_cannot_run_is_handed_over(definition: Any, room: Room) -> None:
    with claimed(definition) as run:
        record = succeeded(run)
        assert move_after(run, record, room) == HandOver(record)


def test_a_chain_goes_on_with_just_enough_time_left() -> None:
    with claimed(two_calls) as run:
        assert isinstance(move_after(run, succeeded(run), Room(100 + LEASE_MARGIN, lambda step: True)), GoOn)


def test_with_siblings_outstanding_the_advancer_decides() -> None:
    with claimed(siblings) as run:
        assert takes_outcome(run) is None
        record = succeeded(run)
        assert move_after(run, record) == HandOver(record)


def test_a_run_that_has_lost_its_replay_is_handed_over() -> None:
    with claimed(two_calls) as run:
        run.resumed(replace(run.execution, generation=1))
        record = succeeded(run)
        assert takes_outcome(run) is None
        assert move_after(run, record) == HandOver(record)


def test_the_decision_leaves_the_run_and_its_replay_as_they_are() -> None:
    with claimed(two_calls) as run:
        record = succeeded(run)
        first = move_after(run, record)
        assert run.command.id == "call"
        assert run.replay is not None
        assert next_move(run, record, run.replay, ROOM, ENDED) == first
