"""The step function: what becomes of a message, and what SQS is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stepfast import Retry, RetryAfter, step, workflow
from stepfast.deployment.queue_limits import LONGEST_VISIBILITY
from stepfast.engine.ports import Commit
from stepfast.functions.consumer import FOREIGN_SECONDS, RENEW_AFTER_RECEIVES
from stepfast.language.registry import Registry
from tests.functions.conftest import Aws, Context, away, heard
from tests.functions.sources import failures, stream, woken

SECRET = "hunter2-not-for-logs"
ran: list[str] = []
trouble: list[BaseException] = []
meanwhile: list[Callable[[], None]] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    ran.clear()
    trouble.clear()
    meanwhile.clear()


@step(timeout=30, retry=Retry(max_attempts=3, initial=8.0, jitter="none"))
def first(text: str) -> str:
    ran.append("first")
    if trouble:
        raise trouble.pop()
    return text


@step(timeout=100)
async def second(text: str) -> str:
    ran.append("second")
    return text + "!"


@step(pool="large", timeout=30)
def elsewhere(text: str) -> str:
    ran.append("elsewhere")
    return text


@step(timeout=30)
def contested() -> str:
    for act in meanwhile:
        act()
    return "mine"


@workflow("contest")
async def contest() -> str:
    return await contested()


@workflow("two-steps")
async def two_steps(text: str) -> str:
    return await second(await first(text))


@workflow("near-and-far")
async def near_and_far(text: str) -> str:
    return await elsewhere(await first(text))


@workflow("far")
async def far(text: str) -> str:
    return await elsewhere(text)


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    made = deploy(two_steps, near_and_far, far, first, second, elsewhere)
    made.start("two-steps", SECRET)
    made.advance()
    return made


def test_steps_are_chained_while_the_invocation_has_time_for_the_next(aws: Aws) -> None:
    assert failures(aws.invoke("step", aws.receive(), Context(115))) == []
    assert ran == ["first", "second"]
    assert aws.execution().status == "SUCCEEDED"


def test_a_step_that_might_not_fit_any_more_is_left_to_another_invocation(aws: Aws) -> None:
    assert failures(aws.invoke("step", aws.receive(), Context(105))) == []
    assert ran == ["first"]
    assert aws.execution().status == "RUNNING"
    aws.advance()
    assert [message["command"] for message in aws.waiting()] == ["second"]


def test_a_step_of_another_pool_is_left_to_its_own_function(aws: Aws) -> None:
    aws.start("near-and-far", "x", id="two")
    aws.advance("two")
    assert failures(aws.run_steps()) == []
    assert sorted(ran) == ["first", "first", "second"]
    aws.advance("two")
    assert [message["command"] for message in aws.waiting("large")] == ["elsewhere"]
    assert failures(aws.run_steps("large")) == []
    assert (ran[-1], aws.execution("two").result) == ("elsewhere", '"x"')


def test_a_failed_attempt_hides_its_message_until_the_next_one(aws: Aws) -> None:
    trouble.append(ConnectionError(SECRET))
    event = aws.receive()
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert failures(aws.invoke("step", event)) == [event["Records"][0]["messageId"]]
    assert [(call["VisibilityTimeout"], call["ReceiptHandle"]) for call in calls] == [
        (8, event["Records"][0]["receiptHandle"])
    ]
    assert aws.snapshot().records["first"].status == "RETRYING"
    aws.clock.time += 8
    assert failures(aws.invoke("step", event)) == []
    assert aws.execution().result == f'"{SECRET}!"'


def test_a_worker_that_has_lost_its_step_leaves_the_message_alone(deploy: Callable[..., Aws]) -> None:
    aws = deploy(contest, contested)
    aws.start("contest")
    aws.advance()
    event = aws.receive()

    def another_takes_over() -> None:
        held = asyncio.run(aws.store().load("one")).records["contested"]
        theirs = replace(held, revision=held.revision + 1, attempt=2, token="theirs")
        assert asyncio.run(aws.store().commit("one", Commit(theirs, wake=False)))

    meanwhile.append(another_takes_over)
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert failures(aws.invoke("step", event)) == [event["Records"][0]["messageId"]]
    assert calls == []
    assert aws.snapshot().records["contested"].token == "theirs"
    assert aws.execution().status == "RUNNING"


def test_a_message_that_comes_too_early_is_put_off_to_its_time(aws: Aws) -> None:
    trouble.append(ConnectionError("away"))
    event = aws.receive()
    aws.invoke("step", event)
    aws.clock.time += 3
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert len(failures(aws.invoke("step", event))) == 1
    assert (calls[0]["VisibilityTimeout"], ran) == (5, ["first"])


def test_a_retry_beyond_what_sqs_hides_a_message_goes_through_a_schedule(aws: Aws) -> None:
    trouble.append(RetryAfter(LONGEST_VISIBILITY))
    assert failures(aws.invoke("step", aws.receive())) == [], "it was sent anew, so this one may go"
    (schedule,) = aws.clients.scheduler.list_schedules(GroupName="stepfast")["Schedules"]
    made = aws.clients.scheduler.get_schedule(GroupName="stepfast", Name=schedule["Name"])
    assert made["Target"]["Arn"].endswith("stepfast-pool-default")


@pytest.mark.parametrize(("receives", "kept"), [(RENEW_AFTER_RECEIVES - 1, 1), (RENEW_AFTER_RECEIVES, 0)])
def test_a_message_that_was_received_very_often_is_sent_anew(aws: Aws, receives: int, kept: int) -> None:
    trouble.append(ConnectionError("away"))
    event = aws.receive(receives=receives)
    assert len(failures(aws.invoke("step", event))) == kept
    queued = aws.clients.sqs.get_queue_attributes(QueueUrl=aws.url("default"), AttributeNames=["All"])["Attributes"]
    assert int(queued["ApproximateNumberOfMessagesDelayed"]) == 1 - kept


def test_a_message_that_cannot_be_sent_anew_is_kept(aws: Aws) -> None:
    trouble.append(ConnectionError("away"))
    event = aws.receive(receives=RENEW_AFTER_RECEIVES)
    with away(aws.clients.sqs, "SendMessageBatch"):
        assert len(failures(aws.invoke("step", event))) == 1


def test_while_the_table_is_away_messages_are_kept_and_come_again_soon(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    event = aws.receive(receives=3)
    with away(aws.clients.dynamodb), heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert len(failures(aws.invoke("step", event))) == 1
    assert [call["VisibilityTimeout"] for call in calls] == [8]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert failures(aws.invoke("step", event)) == []


def test_a_refused_visibility_is_no_harm(aws: Aws) -> None:
    trouble.append(ConnectionError("away"))
    event = aws.receive()
    with away(aws.clients.sqs, "ChangeMessageVisibility"):
        assert len(failures(aws.invoke("step", event))) == 1


def test_of_a_batch_each_message_has_its_own_end(aws: Aws) -> None:
    aws.start("two-steps", "b", id="two")
    aws.advance("two")
    trouble.append(ConnectionError("away"))
    aws.send("default", "poison", {"v": 1, "kind": "step", "execution": "none", "command": "x", "generation": 0})
    event = aws.receive()
    answer = aws.invoke("step", event)
    by_body = {record["messageId"]: record["body"] for record in event["Records"]}
    kept = [by_body[failure] for failure in failures(answer)]
    assert len(kept) == 2
    assert "poison" in kept
    assert sorted(aws.execution(id).status for id in ("one", "two")) == ["RUNNING", "SUCCEEDED"]


def test_of_a_poison_body_nothing_is_told_but_the_message_id(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.receive()
    aws.send("default", SECRET, {"v": SECRET}, {"v": 1, "kind": SECRET})
    event = aws.receive()
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert len(failures(aws.invoke("step", event))) == 3
    assert [call["VisibilityTimeout"] for call in calls] == [FOREIGN_SECONDS] * 3
    assert SECRET not in caplog.text
    assert all(record["messageId"] in caplog.text for record in event["Records"])


def test_inputs_and_the_texts_of_errors_are_not_logged(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "stepfast")
    trouble.append(ConnectionError(SECRET))
    event = aws.receive()
    aws.invoke("step", event)
    aws.clock.time += 8
    aws.invoke("step", event)
    assert any("attempt 1 failed: ConnectionError; next attempt in 8 s" in line for line in caplog.messages)
    assert SECRET not in caplog.text


def test_a_message_of_a_workflow_that_is_gone_waits_and_the_log_says_so(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    event = aws.receive()
    deployed, aws.registry = aws.registry, Registry([far], [elsewhere])
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert len(failures(aws.invoke("step", event))) == 1
    assert [call["VisibilityTimeout"] for call in calls] == [60]
    assert "'two-steps' is not deployed" in caplog.text
    assert aws.ask("GET", "/v1/executions/one")[1]["deployed"] is False
    aws.registry = deployed
    assert failures(aws.invoke("step", event)) == []


def test_a_message_in_the_queue_of_another_pool_stays(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.start("far", "x", id="far")
    aws.advance("far")
    event = aws.receive("large")
    assert len(failures(aws.invoke("step", event, pool="default"))) == 1
    assert "'large'" in caplog.text
    assert failures(aws.invoke("step", event, pool="large")) == []
    assert aws.execution("far").status == "SUCCEEDED"


def test_a_step_of_a_pool_without_a_queue_fails_its_execution_at_once_and_says_why(aws: Aws) -> None:
    aws.start("far", "x", id="far")
    queues = {"default": aws.url("default")}

    assert failures(aws.invoke("advancer", stream(woken(7, "far")), queues=queues)) == []
    error = aws.execution("far").error
    assert aws.execution("far").status == "FAILED"
    assert error is not None
    assert error.type == "StepNotDeployed"
    assert "its pool 'large' has no queue there; the pools are: default" in error.message


def test_a_step_that_a_deployment_moved_to_a_pool_without_a_queue_fails_its_execution_at_once(aws: Aws) -> None:
    @step(name="first", pool="nowhere")
    def moved(text: str) -> str:
        return text

    @workflow("two-steps")
    async def two_steps(text: str) -> str:
        return await moved(text)

    event = aws.receive()
    aws.registry = Registry([two_steps])
    assert len(failures(aws.invoke("step", event))) == 1
    error = aws.execution("one").error
    assert error is not None
    assert (aws.execution("one").status, error.type) == ("FAILED", "StepNotDeployed")
    assert "'nowhere' has no queue there" in error.message
    assert failures(aws.invoke("step", event)) == []


def test_metrics_tell_attempts_and_how_long_they_took(aws: Aws) -> None:
    trouble.append(ConnectionError("away"))
    event = aws.receive()
    aws.invoke("step", event)
    aws.clock.time += timedelta(seconds=8).total_seconds()
    aws.invoke("step", event)
    values: dict[Any, Any] = aws.counts.values
    assert values["StepAttempts", "default"] == [1, 1, 1]
    assert values["StepRetries", "default"] == [1]
    assert len(values["StepLatency", "default"]) == 3
    assert values["ExecutionsStarted", "two-steps"] == [1]
    assert values["ExecutionsSucceeded", "two-steps"] == [1]
    assert aws.counts.flushed == 4
