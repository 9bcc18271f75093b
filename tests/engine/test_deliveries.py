"""What becomes of a step's message follows from what is stored of its execution."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfast.engine.claims import claim_of
from stepfast.engine.deliveries import LONGEST_WAIT, Claim, Decision, Finish, Forward, Settle, decide, superseded
from stepfast.engine.messages import Hint, Message
from stepfast.engine.ports import Delete, Delivery, Later
from stepfast.errors import NonDeterministic
from stepfast.model import Chained, Execution, ExecutionStatus, Record
from stepfast.replay.replay import Replay
from tests.engine.steps import NOW, one_call, replayed, siblings, two_calls

CALL = Message("step", "e1", "call", 0)
RUNNING = Execution("e1", "one_call", "{}", NOW)


def decided(replay: Replay, message: Message = CALL, sent_at: float = NOW) -> Decision:
    return decide(replay, replay.execution, Delivery(message, sent_at), NOW)


def running(replay: Replay, id: str = "call") -> Record:
    return claim_of(replay.execution, replay.outstanding[id], None, None, NOW)


def test_a_step_that_nobody_has_is_free() -> None:
    with replayed(one_call) as replay:
        assert decided(replay) == Claim(replay.outstanding["call"], None)


def test_a_step_that_runs_is_looked_at_again_when_its_lease_is_over() -> None:
    with replayed(one_call) as replay:
        record = running(replay)
    with replayed(one_call, {"call": record}) as replay:
        assert record.lease is not None
        assert decided(replay) == Settle(Later(record.lease))


def test_a_lease_that_is_over_leaves_the_step_free() -> None:
    with replayed(one_call) as replay:
        record = replace(running(replay), lease=NOW)
    with replayed(one_call, {"call": record}) as replay:
        assert decided(replay) == Claim(replay.outstanding["call"], record)


def test_a_replay_that_has_ended_is_finished() -> None:
    with replayed(one_call) as replay:
        record = replace(running(replay), status="SUCCEEDED", output="1", lease=None)
    with replayed(one_call, {"call": record}) as replay:
        assert decided(replay) == Finish()


def test_a_step_with_an_outcome_needs_no_message() -> None:
    with replayed(siblings) as replay:
        record = replace(running(replay), status="SUCCEEDED", output="1", lease=None)
    with replayed(siblings, {"call": record}) as replay:
        assert decided(replay) == Settle(Delete())


def test_a_message_leads_to_the_end_of_the_chain_that_it_has_started() -> None:
    with replayed(two_calls) as replay:
        record = replace(running(replay), status="SUCCEEDED", output="1", lease=None)
    with replayed(two_calls, {"call": record}) as replay:
        command = replay.outstanding["call#2"]
        chained = Chained("call#2", NOW, 0, command.digest, NOW - 1.0)
    with replayed(two_calls, {"call": replace(record, then=chained)}) as replay:
        assert decided(replay) == Claim(replay.outstanding["call#2"], None, chained)


def test_a_chained_claim_with_another_input_shows_that_the_code_has_changed() -> None:
    with replayed(two_calls) as replay:
        record = replace(running(replay), status="SUCCEEDED", output="1", lease=None)
    chained = Chained("call#2", NOW, 0, "another", NOW - 1.0)
    with replayed(two_calls, {"call": replace(record, then=chained)}) as replay:
        decision = decided(replay)
        assert isinstance(decision, Finish)
        assert isinstance(decision.error, NonDeterministic)


@pytest.mark.parametrize(("age", "wait"), [(0.0, 1.0), (40.0, 40.0), (86_400.0, LONGEST_WAIT)])
def test_a_command_that_the_code_does_not_ask_for_is_looked_at_ever_more_seldom(age: float, wait: float) -> None:
    with replayed(one_call) as replay:
        message = replace(CALL, command_id="other")
        assert decided(replay, message, NOW - age) == Settle(Later(NOW + wait))


def test_a_step_that_has_moved_to_another_pool_is_sent_there() -> None:
    with replayed(one_call) as replay:
        message = replace(CALL, pool="gpu", hint=Hint("call", "{}", NOW))
        assert decided(replay, message) == Forward(CALL)
        forwarded = decided(replay, message)
        assert isinstance(forwarded, Forward)
        assert forwarded.message.hint is None


def test_an_execution_that_was_read_before_its_resume_is_read_again() -> None:
    assert superseded(RUNNING, replace(CALL, generation=1), NOW) == Later(NOW + 1.0)


def test_a_message_of_an_older_generation_is_deleted() -> None:
    assert superseded(replace(RUNNING, generation=1), CALL, NOW) == Delete()


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_a_message_of_an_execution_that_has_ended_is_deleted(status: ExecutionStatus) -> None:
    assert superseded(replace(RUNNING, status=status), CALL, NOW) == Delete()


def test_a_message_of_the_execution_as_it_is_goes_on() -> None:
    assert superseded(RUNNING, CALL, NOW) is None
