"""The sweeper function: bounded work, a position that is kept, and nobody who stops the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepfast import Retry, current_step, signal, step, workflow
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.engine.advancer import Advancer
from stepfast.errors import Misconfigured, StepfastError, Unavailable
from stepfast.functions import sweeper
from stepfast.functions.entry import Failed
from stepfast.functions.visits import AWAY, STUCK_SECONDS
from stepfast.language.registry import Registry
from stepfast.model import Snapshot
from tests.functions.conftest import Aws, Context, away
from tests.functions.works import work, works


@workflow("waits")
async def waits() -> Any:
    return await signal("go")


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    return deploy(works, waits, work)


def position(aws: Aws) -> dict[str, Any]:
    key = {"pk": {"S": "sweeper"}, "sk": {"S": "position"}}
    item: dict[str, Any] = aws.clients.dynamodb.get_item(TableName=aws.settings.table, Key=key).get("Item", {})
    return item


def started(aws: Aws, count: int, workflow: str = "works") -> list[str]:
    ids = [f"{workflow}-{number:03}" for number in range(count)]
    for id in ids:
        aws.start(workflow, 1 if workflow == "works" else None, id)
        aws.clock.time += 0.01
    return ids


def sent(aws: Aws) -> list[str]:
    ids: list[str] = []
    while records := aws.receive()["Records"]:
        ids += [record["body"].split('"execution":"')[1].split('"')[0] for record in records]
    return sorted(ids)


def test_an_execution_whose_wake_was_lost_goes_on(aws: Aws) -> None:
    ids = started(aws, 3)
    aws.clock.time += 300
    assert aws.invoke("sweeper", {}) == {"rounds": 1, "complete": True}
    assert sent(aws) == ids


def test_a_sweep_without_time_stops_and_the_next_goes_on_from_there(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "ROUND_SIZE", 4)
    ids = started(aws, 10)
    aws.clock.time += 300
    sweeps, complete = 0, False
    while not complete:
        answer = aws.invoke("sweeper", {}, Context(59))
        assert answer["rounds"] == 1
        complete, sweeps = answer["complete"], sweeps + 1
        assert sweeps < 20
    assert sweeps >= 3
    assert sent(aws) == ids
    assert position(aws)["after"] == {"S": ""}


def test_a_sweep_with_time_makes_a_whole_lap(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "ROUND_SIZE", 4)
    ids = started(aws, 10)
    aws.clock.time += 300
    answer = aws.invoke("sweeper", {}, Context(290))
    assert answer["complete"]
    assert answer["rounds"] >= 3
    assert sent(aws) == ids


def test_the_time_between_two_laps_is_measured(aws: Aws) -> None:
    for pause, every in ((0.0, 300.0), (420.0, 420.0), (1.0, 60.0)):
        aws.clock.time += pause
        aws.invoke("sweeper", {})
        assert float(position(aws)["every"]["N"]) == every


def test_one_execution_that_cannot_be_advanced_does_not_stop_the_others(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = started(aws, 3)
    aws.clock.time += 300
    real = Advancer.advance

    async def advance(self: Advancer, execution_id: str, **more: Any) -> Any:
        if execution_id == ids[1]:
            raise StepfastError("cannot")
        return await real(self, execution_id, **more)

    monkeypatch.setattr(Advancer, "advance", advance)
    assert aws.invoke("sweeper", {})["complete"]
    assert sent(aws) == [ids[0], ids[2]]
    assert f"{ids[1]} was not advanced" in caplog.text


def test_while_sqs_is_away_a_sweep_gives_up_and_the_next_begins_there_again(aws: Aws) -> None:
    ids = started(aws, AWAY + 2)
    aws.clock.time += 300
    with away(aws.clients.sqs), pytest.raises(Failed, match="Unavailable"):
        aws.invoke("sweeper", {})
    assert aws.invoke("sweeper", {})["complete"]
    assert sent(aws) == ids


def test_what_waits_for_a_signal_is_not_stuck_and_what_is_sent_again_for_long_is(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    started(aws, 2, "waits")
    started(aws, 1)
    aws.clock.time += STUCK_SECONDS + 300
    aws.invoke("sweeper", {})
    assert aws.counts.values["ExecutionsStuck", ""] == [1]
    assert "execution works-000 has made no progress for" in caplog.text
    assert "waits-000 has made" not in caplog.text


def test_an_execution_that_is_merely_young_is_not_stuck(aws: Aws) -> None:
    started(aws, 1)
    aws.clock.time += 300
    aws.invoke("sweeper", {})
    assert aws.counts.values["ExecutionsStuck", ""] == [0]


def test_an_execution_that_is_not_deployed_counts_as_stuck(aws: Aws) -> None:
    started(aws, 1)
    aws.registry = Registry([waits])
    aws.clock.time += STUCK_SECONDS + 300
    aws.invoke("sweeper", {})
    assert aws.counts.values["ExecutionsStuck", ""] == [1]


@step(retry=Retry(max_attempts=3, initial=30, jitter="none"))
def fails_once(number: int) -> int:
    if current_step().attempt == 1:
        raise ConnectionError("try again")
    return number


@workflow("retries")
async def retries(number: int) -> int:
    return await fails_once(number)


def test_an_overdue_retry_whose_message_was_lost_is_sent_again_and_told_of(
    deploy: Callable[..., Aws], caplog: pytest.LogCaptureFixture
) -> None:
    aws = deploy(retries, fails_once)
    aws.start("retries", 7)
    aws.advance()
    aws.invoke("step", aws.receive())
    assert aws.snapshot().records["fails_once"].status == "RETRYING"
    aws.clients.sqs.purge_queue(QueueUrl=aws.url("default"))
    aws.clock.time += 20
    aws.invoke("sweeper", {})
    assert "overdue" not in caplog.text
    aws.clock.time += 300
    aws.invoke("sweeper", {})
    assert "execution one: fails_once is overdue by 290 s" in caplog.text
    assert [record.levelname for record in caplog.records if "overdue" in record.getMessage()] == ["WARNING"]
    aws.invoke("step", aws.receive())
    assert aws.execution().result == "7"


@pytest.mark.parametrize(
    ("error", "judged"), [(Unavailable("throttled"), 0), (Misconfigured("denied"), 1), (StepfastError("cannot"), 1)]
)
def test_an_execution_that_cannot_be_read_is_not_judged_by_the_one_before(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, judged: int
) -> None:
    """One throttled read made the sweep call the execution stuck that it had read before, once more."""
    started(aws, 2)
    aws.clock.time += STUCK_SECONDS + 300
    real = Advancer.advance

    async def advance(self: Advancer, execution_id: str, **more: Any) -> Any:
        if execution_id == "works-001":
            raise error
        return await real(self, execution_id, **more)

    monkeypatch.setattr(Advancer, "advance", advance)
    aws.invoke("sweeper", {})
    warnings = [record.getMessage() for record in caplog.records if "has made no progress" in record.getMessage()]
    assert [sum(id in line for line in warnings) for id in ("works-000", "works-001")] == [1, judged]
    assert aws.counts.values["ExecutionsStuck", ""] == [1 + judged]


def test_a_read_that_fails_is_counted_for_nobody(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An execution that waits in peace was called stuck once the read of the next one had failed."""
    started(aws, 2, "waits")
    aws.clock.time += STUCK_SECONDS + 300
    aws.invoke("sweeper", {})
    real, failing = DynamoStore.load, {"waits-001"}

    async def load(self: DynamoStore, execution_id: str, *, signals: bool = True) -> Snapshot | None:
        if execution_id in failing:
            raise Unavailable("throttled")
        return await real(self, execution_id, signals=signals)

    monkeypatch.setattr(DynamoStore, "load", load)
    aws.invoke("sweeper", {})
    assert "waits-001 was not advanced" in caplog.text
    assert "has made no progress" not in caplog.text
    assert aws.counts.values["ExecutionsStuck", ""] == [0, 0]


def test_while_the_table_denies_a_sweep_gives_up_as_well(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    started(aws, AWAY + 2)
    aws.clock.time += 300
    asked = []

    async def advance(self: Advancer, execution_id: str, **more: Any) -> Any:
        asked.append(execution_id)
        raise Misconfigured("the table refuses PutItem: grant it to this role")

    monkeypatch.setattr(Advancer, "advance", advance)
    with pytest.raises(Failed, match="Misconfigured"):
        aws.invoke("sweeper", {})
    assert len(asked) == AWAY
