"""Whole workflows through the real functions: steps, retries, timers, signals, cancels, large values."""

from datetime import timedelta
from itertools import pairwise

import pytest

from stepfast import signal, workflow
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, UnknownWorkflow, WrongStatus
from stepfast.language.retry import Retry
from stepfast.simulator import resources
from stepfast.simulator.gateway import GatewayRequest
from stepfast.testing import MotoCloud, Stalled
from tests.cloud.conftest import MakeCloud
from tests.cloud.flows import (
    OUTAGE,
    POLICY,
    Answer,
    blow_up,
    bulk,
    crunch,
    deliver,
    delivery,
    fetch,
    linger,
    mixed,
    nap,
    question,
    squares,
    vigil,
)


@workflow("stranger")
async def stranger() -> None:
    """No cloud is given this."""


def test_steps_in_a_row_are_chained_in_one_invocation(cloud: MotoCloud) -> None:
    run = cloud.run(delivery, "tea")
    assert run.result == "delivered fetched tea"
    assert [one.function for one in cloud.invocations] == ["authorizer", "api", "advancer", "step-default"]
    assert all(one.ok for one in cloud.invocations)


def test_steps_of_another_pool_run_beside_each_other_in_its_function(cloud: MotoCloud) -> None:
    start = cloud.now
    run = cloud.run(squares, 8)
    assert run.result == sum(number**2 for number in range(8))
    assert {one.attempt for one in run.calls(crunch)} == {1}
    assert cloud.now - start < timedelta(seconds=8)
    assert sum(one.function == "step-heavy" for one in cloud.invocations) >= 8


def test_retries_come_when_the_policy_says(cloud: MotoCloud) -> None:
    cloud.fail(fetch, times=5, error=ConnectionError("no answer"))
    run = cloud.run(delivery, "tea")
    assert run.status == "SUCCEEDED"
    calls = run.calls(fetch)
    assert [one.attempt for one in calls] == [1, 2, 3, 4, 5, 6]
    (record,) = [
        one for one in cloud._stage.state.reading.snapshot(run.execution_id).records.values() if one.name == "fetch"
    ]
    for past, call, following in zip(record.attempts, calls, calls[1:], strict=False):
        assert past.next_at is not None
        assert past.ended_at is not None
        ceiling = min(POLICY.max_delay, POLICY.initial * POLICY.backoff ** (past.number - 1))
        assert 0 <= past.next_at - past.ended_at <= ceiling
        assert past.error is not None
        assert (past.error.type, past.error.message) == ("ConnectionError", "no answer")
        # SQS knows whole seconds, and the poller takes a moment; never before the time that was recorded.
        assert 0 <= following.started_at.timestamp() - past.next_at < 1.2, call


def test_delays_without_jitter_are_exact_to_the_second(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=2)
    run = cloud.run(delivery, "tea")
    times = [one.started_at for one in run.calls(deliver)]
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert waits == [pytest.approx(wait, abs=1.1) for wait in (OUTAGE.initial, OUTAGE.initial * OUTAGE.backoff)]
    assert all(wait >= policy for wait, policy in zip(waits, (1.0, 2.0), strict=True))
    assert isinstance(POLICY, Retry)


@pytest.mark.parametrize("nap_time", [timedelta(minutes=2), timedelta(minutes=20), timedelta(days=3)])
def test_a_timer_ends_at_its_time_and_costs_nothing_meanwhile(cloud: MotoCloud, nap_time: timedelta) -> None:
    run = cloud.start(nap, nap_time.total_seconds())
    cloud.advance(timedelta(minutes=1))
    (before,) = run.calls(fetch)
    calls = len(cloud.calls)
    cloud.run_until(before.started_at + nap_time - timedelta(minutes=2)) if nap_time > timedelta(minutes=4) else None
    idle = [one for one in cloud.calls[calls:] if one.function != "sweeper"]
    assert [one.operation for one in idle] == []
    cloud.run_until(run)
    (after,) = run.calls(deliver)
    assert before.ended_at is not None
    assert timedelta() <= after.started_at - before.ended_at - nap_time < timedelta(seconds=3)
    assert resources.client("scheduler").list_schedules()["Schedules"] == []


def test_a_timer_beyond_fifteen_minutes_waits_in_a_schedule(cloud: MotoCloud) -> None:
    run = cloud.start(nap, timedelta(days=3).total_seconds())
    cloud.advance(timedelta(minutes=1))
    (schedule,) = resources.client("scheduler").list_schedules(GroupName="stepfast")["Schedules"]
    assert schedule["State"] == "ENABLED"
    assert cloud.messages("timer") == []
    cloud.run_until(run)


def test_a_signal_that_is_awaited_ends_the_wait(cloud: MotoCloud) -> None:
    cloud.when(waiting="answer", delay=timedelta(days=2)).signal("answer", Answer(yes=True))
    start = cloud.now
    assert cloud.run(question, 3).result == "delivered yes"
    assert timedelta(days=2) <= cloud.now - start < timedelta(days=2, minutes=1)


def test_a_signal_may_come_before_it_is_awaited(cloud: MotoCloud) -> None:
    run = cloud.start(mixed, "tea")
    cloud.signal(run, "answer", {"yes": False})
    assert "signal" not in [one.kind for one in run.waiting]
    start = cloud.now
    assert cloud.run_until(run).result == ["fetched tea 1", "fetched tea 2", "False", "169"]
    assert cloud.now - start < timedelta(minutes=2)


def test_the_same_signal_sent_twice_counts_once_and_a_wrong_one_is_refused(cloud: MotoCloud) -> None:
    run = cloud.start(question, 3)
    cloud.advance(timedelta(seconds=5))
    with pytest.raises(InvalidRequest):
        cloud.signal(run, "answer", {"yes": "perhaps"})
    cloud.signal(run, "answer", {"yes": True}, "s-1")
    cloud.signal(run, "answer", {"yes": True}, "s-1")
    assert cloud.run_until(run).result == "delivered yes"
    with pytest.raises(WrongStatus):
        cloud.signal(run, "answer", {"yes": True})


def test_a_wait_for_a_signal_ends_after_its_time(cloud: MotoCloud) -> None:
    start = cloud.now
    assert cloud.run(question, 3).result == "no answer"
    assert timedelta(days=3) <= cloud.now - start < timedelta(days=3, minutes=1)


def test_what_never_comes_is_said(cloud: MotoCloud) -> None:
    run = cloud.start(mixed, "tea")
    with pytest.raises(Stalled, match="waits for signal 'answer', and nothing is due"):
        cloud.run_until(run)


def test_a_cancel_stops_a_running_step(cloud: MotoCloud) -> None:
    run = cloud.start(vigil, 250.0)
    cloud.at(timedelta(seconds=100)).cancel(execution=run)
    cloud.run_until(run)
    assert run.status == "CANCELLED"
    cloud.advance(timedelta(minutes=30))
    (call,) = run.calls(linger)
    assert call.ended_at is not None
    assert call.ended_at - call.started_at < timedelta(seconds=103)
    assert type(call.error).__name__ == "StepCancelled"
    assert run.status == "CANCELLED"
    assert cloud.messages("default") == []


def test_a_cancel_out_of_the_step_itself_stops_what_follows(cloud: MotoCloud) -> None:
    cloud.when(after=fetch).cancel()
    run = cloud.run(delivery, "tea")
    assert run.status == "CANCELLED"
    cloud.advance(timedelta(minutes=30))
    assert run.calls(deliver) == []


@pytest.mark.parametrize("size", [100_000, 250_000, 3_000_000])
def test_a_large_value_goes_through_the_bucket(cloud: MotoCloud, size: int) -> None:
    assert cloud.run(bulk, size).result == size
    objects = resources.client("s3").list_objects_v2(Bucket="stepfast-values").get("Contents", [])
    assert bool(objects) is (size > 200_000)
    assert max(one.size for one in cloud.calls if one.service == "dynamodb") < 400_000
    assert len(cloud.run(bulk, size, "again").calls(blow_up)) == 1


def test_a_large_input_is_kept_beside_its_execution(cloud: MotoCloud) -> None:
    text = "t" * 50_000
    assert cloud.run(delivery, text).result == f"delivered fetched {text}"


@pytest.mark.parametrize("seed", [0, 1])
def test_fifty_identical_starts_at_once_are_one_execution(make_cloud: MakeCloud, seed: int) -> None:
    """With seed 0 they come at one instant, with 1 each takes its own time, as through a network."""
    cloud = make_cloud(seed=seed)
    body = {"input": "tea", "execution_id": "once"}
    answers = cloud.request_all(*(GatewayRequest("POST", "/v1/workflows/delivery/executions", body) for _ in range(50)))
    assert sorted(one.status for one in answers) == [200] * 49 + [201]
    run = cloud.execution("once")
    assert cloud.run_until(run).status == "SUCCEEDED"
    assert [one.step for one in run.steps] == ["fetch", "deliver"]


def test_what_the_api_refuses_is_raised_as_the_client_raises_it(cloud: MotoCloud) -> None:
    run = cloud.run(delivery, "tea", "d-1")
    with pytest.raises(ExecutionConflict):
        cloud.start(delivery, "coffee", "d-1")
    with pytest.raises(WrongStatus):
        cloud.cancel(run)
    with pytest.raises(ExecutionNotFound):
        cloud.resume("nobody")
    with pytest.raises(InvalidRequest):
        cloud.start(squares, "many")
    assert cloud.request("GET", "/v1/executions", key="sf_wrong").status == 403
    assert cloud.request("GET", "/v1/health", key="").status == 200
    listed = cloud.request("GET", "/v1/executions").json()
    assert [one["execution_id"] for one in listed["executions"]] == ["d-1"]
    with pytest.raises(UnknownWorkflow):
        cloud.start(stranger)


def test_an_execution_that_has_expired_leaves_nothing_in_the_table(cloud: MotoCloud) -> None:
    cloud.run(squares, 4)
    cloud.advance(timedelta(days=92))
    left = {one["pk"]["S"] for one in resources.client("dynamodb").scan(TableName="stepfast")["Items"]}
    # How far the labels of earlier executions are indexed is no execution: no id has a colon in front.
    assert {one for one in left if one.startswith("x#")} <= {"x#:labels"}


@workflow("peeking")
async def peeking() -> list[int]:
    await signal("begin")
    payloads = []
    while True:
        try:
            payloads.append(await signal("n", int, timeout=0))
        except TimeoutError:
            return payloads


def test_a_timeout_of_zero_takes_what_is_there(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(peeking)
    run = cloud.start(peeking)
    for number in (1, 2, 3):
        cloud.signal(run, "n", number)
    cloud.signal(run, "begin", None)
    assert cloud.run_until(run).result == [1, 2, 3]
