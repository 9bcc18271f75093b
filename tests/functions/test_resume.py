"""The resume function: what a park message leads to, fresh and redriven."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.language.registry import Registry
from stepfast.simulator.provision import DEAD_LETTERS
from tests.functions.conftest import Aws, away
from tests.functions.sources import failures

mended: list[bool] = []


@step(retry=Retry(max_attempts=1))
def fragile() -> str:
    if not mended:
        raise ConnectionError("away")
    return "whole"


@workflow("fragile-flow")
async def fragile_flow() -> str:
    return await fragile()


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    mended.clear()
    made = deploy(fragile_flow, fragile)
    made.start("fragile-flow")
    made.advance()
    made.run_steps()
    made.advance()
    assert made.execution().status == "FAILED"
    return made


def redriven(aws: Aws, after: float = 60.0) -> Any:
    aws.clock.time += after
    return aws.receive("park", sent=aws.clock.time)


def test_a_fresh_park_message_is_refused_so_that_it_becomes_a_dead_letter(aws: Aws) -> None:
    event = aws.receive("park")
    assert aws.waiting("park") == []
    assert failures(aws.invoke("resume", event)) == [event["Records"][0]["messageId"]]
    assert aws.execution().status == "FAILED"
    assert aws.waiting("park") == []
    assert len(aws.waiting(DEAD_LETTERS)) == 1  # it was visible at once: SQS need not wait to move it


def test_a_redriven_one_resumes_and_is_gone(aws: Aws) -> None:
    mended.append(True)
    assert failures(aws.invoke("resume", redriven(aws))) == []
    assert aws.counts.values["ExecutionsResumed", "fragile-flow"] == [1]
    aws.advance()
    aws.run_steps()
    aws.advance()
    assert aws.execution().result == '"whole"'


def test_the_park_message_of_a_slow_advance_is_no_redrive(aws: Aws) -> None:
    """Another advance came to the same failure, and sent its message long after the failure was written."""
    event = redriven(aws)
    for record in event["Records"]:
        record["body"] = json.dumps(json.loads(record["body"]) | {"command": "of-another"})
    assert failures(aws.invoke("resume", event)) == []
    assert (aws.execution().status, aws.execution().generation) == ("FAILED", 0)


def test_copies_of_a_dead_letter_resume_its_failure_once(aws: Aws) -> None:
    event = redriven(aws)
    event["Records"] *= 3
    assert failures(aws.invoke("resume", event)) == []
    assert aws.execution().generation == 1
    assert failures(aws.invoke("resume", event)) == []
    assert aws.execution().generation == 1


def test_a_redrive_is_not_lost_while_the_table_is_away_for_a_moment(aws: Aws) -> None:
    event = redriven(aws)
    real_sleep, woken = aws.clock.sleep, False

    async def sleep(seconds: float) -> None:
        nonlocal woken
        if not woken:
            aws.clients.dynamodb.meta.events.unregister("before-call.dynamodb.*", unique_id="away")
            woken = True
        await real_sleep(seconds)

    aws.clock.sleep = sleep  # type: ignore[method-assign]
    with away(aws.clients.dynamodb):
        assert failures(aws.invoke("resume", event)) == []
    assert aws.execution().generation == 1


def test_a_redrive_while_the_table_stays_away_is_a_dead_letter_again(aws: Aws) -> None:
    event = redriven(aws)
    with away(aws.clients.dynamodb):
        assert len(failures(aws.invoke("resume", event))) == 1
    assert aws.execution().status == "FAILED"
    assert failures(aws.invoke("resume", event)) == []


def test_a_redrive_of_a_workflow_that_is_gone_is_a_dead_letter_again(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    event = redriven(aws)
    aws.registry = Registry([])
    assert len(failures(aws.invoke("resume", event))) == 1
    assert "fragile-flow" in caplog.text


def test_poison_among_dead_letters_stops_none_of_them(aws: Aws) -> None:
    event = redriven(aws)
    event["Records"].insert(0, {**event["Records"][0], "messageId": "bad", "body": "[]"})
    assert failures(aws.invoke("resume", event)) == ["bad"]
    assert aws.execution().generation == 1
