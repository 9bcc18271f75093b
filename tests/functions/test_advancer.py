"""The advancer function: one pass per execution and batch, and which record a failure is reported for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functions.conftest import Aws, Context, away, heard
from tests.functions.sources import change, expired, failures, stream, woken
from tests.functions.works import work, works

SECRET = "hunter2-not-for-logs"


@pytest.fixture
def aws(deploy: Callable[..., Aws]) -> Aws:
    made = deploy(works, work)
    for id in ("a", "b", "c"):
        made.start("works", 1, id)
    return made


def number_of(position: int) -> str:
    return f"{position:021}"


def test_an_execution_with_many_records_in_a_batch_is_advanced_once(aws: Aws) -> None:
    records = [woken(1, "a"), woken(2, "a", "c#work"), woken(3, "b"), woken(4, "a", "s#go")]
    with heard(aws.clients.dynamodb, "Query") as reads:
        assert failures(aws.invoke("advancer", stream(*records))) == []
    asked = [read["ExpressionAttributeValues"][":pk"]["S"] for read in reads]
    assert sorted(asked) == ["paused", "x#a", "x#b"], "one for each execution, and one for all that begin"
    assert sorted(message["execution"] for message in aws.waiting()) == ["a", "b"]


def test_what_the_filters_would_hold_back_is_left_alone(aws: Aws) -> None:
    records = [
        change(1, "MODIFY", "x#a", "c#work", {"stat": {"S": "RUNNING"}}),
        change(2, "REMOVE", "x#a", "c#work"),
        change(3, "REMOVE", "x#b", "meta"),
        change(4, "INSERT", "k#0123456789abcdef", "key", {"wake": {"N": "1"}}),
        change(5, "MODIFY", "sweeper", "position", {"after": {"S": ""}}),
        expired(6, "c", "c#work"),
    ]
    with heard(aws.clients.dynamodb, "Query") as reads:
        assert failures(aws.invoke("advancer", stream(*records))) == []
    assert reads == []


def test_all_records_of_an_execution_that_fails_are_reported_and_no_others(aws: Aws) -> None:
    records = [woken(1, "a"), woken(2, "b"), woken(3, "a"), woken(4, "c")]
    with away(aws.clients.dynamodb, "Query", RuntimeError(SECRET), about="x#a"):
        assert failures(aws.invoke("advancer", stream(*records))) == [number_of(1), number_of(3)]
    assert sorted(message["execution"] for message in aws.waiting()) == ["b", "c"]


def test_an_error_nobody_foresaw_is_logged_with_its_place_and_without_its_text(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    with away(aws.clients.dynamodb, "Query", RuntimeError(SECRET)):
        assert len(failures(aws.advance("a"))) == 1
    assert "execution a was not advanced: RuntimeError" in caplog.text
    assert "dynamodb" in caplog.text, "the place"
    assert SECRET not in caplog.text


def test_while_the_table_is_away_the_records_come_again(aws: Aws) -> None:
    with away(aws.clients.dynamodb):
        assert failures(aws.advance("a", "b")) == [number_of(0), number_of(1)]
    assert failures(aws.advance("a", "b")) == []


def test_what_there_is_no_time_for_comes_again(aws: Aws) -> None:
    event = stream(woken(1, "a"), woken(2, "b"))
    assert failures(aws.invoke("advancer", event, Context(14))) == [number_of(1), number_of(2)]
    assert aws.waiting() == []


def test_an_advance_that_comes_twice_sends_once_more_at_most(aws: Aws) -> None:
    for _ in range(2):
        assert failures(aws.advance("a")) == []
    assert {message["command"] for message in aws.waiting()} == {"work"}


def test_when_time_to_live_deletes_an_execution_the_rest_of_it_is_deleted(aws: Aws) -> None:
    aws.advance("a")
    aws.run_steps()
    key = {"pk": {"S": "x#a"}, "sk": {"S": "meta"}}
    aws.clients.dynamodb.delete_item(TableName=aws.settings.table, Key=key)
    assert failures(aws.invoke("advancer", stream(expired(1, "a")))) == []
    left = {item["pk"]["S"] for item in aws.clients.dynamodb.scan(TableName=aws.settings.table)["Items"]}
    assert {partition for partition in left if not partition.startswith("f#")} == {"x#b", "x#c"}
    assert len(left) == 3, "what was counted of it stays"


def test_a_batch_of_nothing_is_answered(aws: Aws) -> None:
    assert aws.invoke("advancer", stream()) == {"batchItemFailures": []}


def test_when_a_person_deletes_an_execution_the_rest_of_it_is_left(aws: Aws) -> None:
    """Who deletes a meta by hand may be about to restore it."""
    for sort in ("meta", "c#work"):
        aws.clients.dynamodb.put_item(TableName="stepfast", Item={"pk": {"S": "x#gone"}, "sk": {"S": sort}})
    aws.clients.dynamodb.delete_item(TableName="stepfast", Key={"pk": {"S": "x#gone"}, "sk": {"S": "meta"}})
    assert failures(aws.invoke("advancer", stream(change(1, "REMOVE", "x#gone", "meta")))) == []
    left = aws.clients.dynamodb.scan(TableName="stepfast")["Items"]
    assert [item["sk"]["S"] for item in left if item["pk"]["S"] == "x#gone"] == ["c#work"]
