"""The timer function: timers that are due, early ones, and starts by the clock."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from stepfast import workflow
from stepfast.backends.aws.messages import posted_in
from stepfast.deployment.scheduled_starts import StartMessage, start_in
from stepfast.engine.schedule_items import ScheduleTarget
from stepfast.errors import InvalidRequest
from stepfast.functions.entry import Failed
from tests.functions.conftest import Aws, heard
from tests.functions.sources import failures


@workflow("sleeps")
async def sleeps(seconds: float) -> str:
    import asyncio

    await asyncio.sleep(seconds)
    return "awake"


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    return deploy(sleeps)


def begun(aws: Aws, seconds: float, late: float = 0.0) -> None:
    aws.start("sleeps", seconds)
    aws.clock.time += late
    aws.advance()
    assert aws.execution().status == "RUNNING"


def test_a_timer_that_is_due_ends(aws: Aws) -> None:
    begun(aws, 5.0, late=6.0)
    aws.run_steps("timer")
    aws.advance()
    assert aws.execution().status == "SUCCEEDED"


def test_the_message_of_a_step_among_the_timers_stays_and_says_where_it_belongs(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator has moved it there: the timer function has neither the time nor the memory of a pool."""
    begun(aws, 5.0)
    body = {"v": 1, "kind": "step", "execution": "one", "command": "work", "generation": 0, "pool": "large"}
    assert posted_in(json.dumps(body)).message.pool == "large"
    aws.send("timer", body)
    event = aws.receive("timer")
    event["Records"] = [record for record in event["Records"] if json.loads(record["body"]) == body]
    assert len(failures(aws.invoke("timer", event))) == 1
    assert "of pool 'large', and this is the queue of timers" in caplog.text


def test_an_early_timer_is_put_off_without_looking_at_the_table(aws: Aws) -> None:
    begun(aws, 5.0, late=6.0)
    event = aws.receive("timer")
    body = json.loads(event["Records"][0]["body"])
    event["Records"][0]["body"] = json.dumps({**body, "due": aws.clock.time + 59.2})
    with (
        heard(aws.clients.sqs, "ChangeMessageVisibility") as calls,
        heard(aws.clients.dynamodb, "*") as reads,
    ):
        assert len(failures(aws.invoke("timer", event))) == 1
    assert [call["VisibilityTimeout"] for call in calls] == [60]
    assert reads == []
    aws.clock.time += 60
    assert failures(aws.invoke("timer", event)) == []


def test_a_timer_of_days_waits_in_a_schedule(aws: Aws) -> None:
    begun(aws, 3 * 86400.0)
    assert aws.waiting("timer") == []
    (schedule,) = aws.clients.scheduler.list_schedules(GroupName="stepfast")["Schedules"]
    made = aws.clients.scheduler.get_schedule(GroupName="stepfast", Name=schedule["Name"])
    assert made["Target"]["Arn"].endswith("stepfast-timer")
    aws.clock.time += 3 * 86400 - 60
    aws.send("timer", made["Target"]["Input"])
    event = aws.receive("timer")
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert len(failures(aws.invoke("timer", event))) == 1
    assert calls[0]["VisibilityTimeout"] in (60, 61)
    aws.clock.time += 61
    assert failures(aws.invoke("timer", event)) == []
    aws.advance()
    assert aws.execution().status == "SUCCEEDED"


# -- starts ----------------------------------------------------------------------------------------------------

AT = "2026-11-22T15:00:00Z"


@pytest.mark.parametrize(
    ("message", "start"),
    [
        ({"start": {"workflow": "w"}, "scheduled": AT}, StartMessage("w", None, "w-2026-11-22T150000Z", {})),
        (
            {"start": {"workflow": "w", "input": [1], "execution_id": "mine", "labels": {"by": "clock"}}},
            StartMessage("w", [1], "mine", {"by": "clock"}),
        ),
        (
            {"start": {"workflow": "w"}, "scheduled": "2026-11-22T16:00:00+01:00"},
            StartMessage("w", None, "w-2026-11-22T150000Z", {}),
        ),
        (
            {"start": {"workflow": "w"}, "schedule": "nightly", "scheduled": AT},
            StartMessage("w", None, "nightly-2026-11-22T150000Z", {}),
        ),
        ({"Records": []}, None),
        ({"start": "now"}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_start_is_told_from_other_messages(message: Any, start: StartMessage | None) -> None:
    assert start_in(message) == start


@pytest.mark.parametrize(
    "message",
    [
        {"start": {"workflow": "w"}},
        {"start": {"workflow": "w"}, "scheduled": "<aws.scheduler.scheduled-time>"},
        {"start": {"workflow": "w"}, "scheduled": 12},
        {"start": {}, "scheduled": AT},
        {"start": {"workflow": 1}, "scheduled": AT},
        {"start": {"workflow": "w", "inputs": 1}, "scheduled": AT},
        {"start": {"workflow": "w", "labels": {"a": 1}}, "scheduled": AT},
        {"start": {"workflow": "w", "labels": []}, "scheduled": AT},
        {"start": {"workflow": "w", "execution_id": 7}},
        {"start": {"workflow": "w"}, "schedule": 7, "scheduled": AT},
    ],
)
def test_a_malformed_start_says_what_is_wrong(message: Any) -> None:
    with pytest.raises(InvalidRequest, match="start"):
        start_in(message)


def test_starts_and_timers_come_in_one_batch(aws: Aws) -> None:
    begun(aws, 5.0, late=6.0)
    aws.send("timer", {"start": {"workflow": "sleeps", "input": 5}, "scheduled": AT})
    assert aws.run_steps("timer") == {"batchItemFailures": []}
    assert aws.execution("sleeps-2026-11-22T150000Z").input == "5.0"


def test_two_schedules_of_one_workflow_at_one_time_both_start(aws: Aws) -> None:
    for name, seconds in (("short", 5), ("long", 50)):
        aws.send("timer", {"start": {"workflow": "sleeps", "input": seconds}, "schedule": name, "scheduled": AT})
    assert aws.run_steps("timer") == {"batchItemFailures": []}
    assert [aws.execution(f"{name}-2026-11-22T150000Z").input for name in ("short", "long")] == ["5.0", "50.0"]


@pytest.mark.parametrize(
    "body",
    [
        {"start": {"workflow": "gone"}, "scheduled": AT},
        {"start": {"workflow": "sleeps", "input": "hunter2"}, "scheduled": AT},
        {"start": {"workflow": "sleeps", "input": 1}},
        "hunter2",
    ],
)
def test_a_start_that_is_refused_stays_and_comes_again(aws: Aws, body: Any, caplog: pytest.LogCaptureFixture) -> None:
    aws.send("timer", body)
    assert len(failures(aws.run_steps("timer"))) == 1
    assert caplog.text
    assert '"hunter2"' not in caplog.text


def test_scheduler_may_call_the_function_itself(aws: Aws) -> None:
    event = {"start": {"workflow": "sleeps", "input": 5}, "scheduled": AT}
    answer = {"execution_id": "sleeps-2026-11-22T150000Z", "turned_into": "started"}
    assert aws.invoke("timer", event) == {**answer, "created": True}
    aws.clock.time += 30
    assert aws.invoke("timer", event) == {**answer, "created": False}
    with pytest.raises(Failed, match="UnknownWorkflow"):
        aws.invoke("timer", {"start": {"workflow": "gone"}, "scheduled": AT})


# -- schedules -------------------------------------------------------------------------------------------------

MOMENT = "2026-11-22T15:00:00Z"
SKIPPING = {"start": {"workflow": "sleeps", "input": 5}, "schedule": "nightly", "overlap": "skip"}


def test_a_moment_with_jitter_is_put_off_until_its_offset_is_over(aws: Aws) -> None:
    at = datetime.fromisoformat(MOMENT).timestamp()
    offset = ScheduleTarget("nightly", "sleeps", jitter=3600).offset(at)
    aws.clock.time = at + 1
    aws.send("timer", {**SKIPPING, "scheduled": MOMENT, "jitter": 3600})
    event = aws.receive("timer")
    with heard(aws.clients.sqs, "ChangeMessageVisibility") as calls:
        assert len(failures(aws.invoke("timer", event))) == 1
    assert [call["VisibilityTimeout"] for call in calls] == [math.ceil(offset - 1)]
    aws.clock.time = at + offset + 0.5
    assert failures(aws.invoke("timer", event)) == []
    assert aws.execution("nightly-2026-11-22T150000Z").labels == {"schedule": "nightly"}


def test_a_moment_that_was_skipped_stays_skipped_when_its_message_comes_again(aws: Aws) -> None:
    for hour in (15, 16):
        aws.send("timer", {**SKIPPING, "scheduled": f"2026-11-22T{hour}:00:00Z"})
        assert failures(aws.run_steps("timer")) == []
    assert aws.ask("POST", "/v1/executions/nightly-2026-11-22T150000Z/cancel")[0] == 200
    aws.send("timer", {**SKIPPING, "scheduled": "2026-11-22T16:00:00Z"})
    assert failures(aws.run_steps("timer")) == []
    assert aws.ask("GET", "/v1/executions/nightly-2026-11-22T160000Z")[0] == 404


def test_a_message_that_waits_is_renewed_before_sqs_gives_it_up(aws: Aws) -> None:
    for hour in (15, 16):
        aws.send("timer", {**SKIPPING, "overlap": "wait", "scheduled": f"2026-11-22T{hour}:00:00Z"})
    event = aws.receive("timer")
    waits = [record for record in event["Records"] if "T16" in record["body"]]
    assert failures(aws.invoke("timer", {"Records": [one for one in event["Records"] if one not in waits]})) == []
    assert len(failures(aws.invoke("timer", {"Records": waits}))) == 1
    waits[0]["attributes"]["ApproximateReceiveCount"] = "950"
    with heard(aws.clients.sqs, "SendMessage") as sent:
        assert failures(aws.invoke("timer", {"Records": waits})) == []
    assert [(json.loads(call["MessageBody"])["scheduled"], call["DelaySeconds"]) for call in sent] == [
        ("2026-11-22T16:00:00Z", 5)
    ]


def test_what_scheduler_calls_directly_waits_in_the_queue(aws: Aws) -> None:
    first = {**SKIPPING, "overlap": "wait", "scheduled": MOMENT}
    assert aws.invoke("timer", first) == {"execution_id": "nightly-2026-11-22T150000Z", "created": True}
    second = {**first, "scheduled": "2026-11-22T16:00:00Z"}
    with heard(aws.clients.sqs, "SendMessage") as sent:
        assert aws.invoke("timer", second) == {"execution_id": "nightly-2026-11-22T160000Z", "created": False}
    assert [json.loads(call["MessageBody"]) for call in sent] == [second]


@pytest.mark.parametrize("fields", [{"overlap": "never"}, {"jitter": "soon"}, {"jitter": -1}])
def test_a_policy_that_makes_no_sense_is_refused(aws: Aws, fields: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="InvalidRequest"):
        aws.invoke("timer", {**SKIPPING, "scheduled": MOMENT, **fields})


def test_a_look_at_an_empty_line_is_done_with(aws: Aws) -> None:
    aws.send("timer", {**SKIPPING, "look": True})
    assert failures(aws.run_steps("timer")) == []
