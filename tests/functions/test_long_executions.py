"""Long executions through the real api function: what a first page reads of the table and of the bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.engine.ports import Commit, End
from stepfast.http import parts
from stepfast.model import Failure, OrderEntry, Record
from tests.functions.conftest import Aws


@step
def fetch(number: int) -> int:
    return number


@workflow("wide")
async def wide(count: int) -> None:
    for number in range(count):
        await fetch(number)


class Reads:
    """items: that queries and gets gave. calls: of the table. gets: of the bucket."""

    items = calls = gets = 0

    def dynamodb(self, parsed: dict[str, Any], **_: Any) -> None:
        self.calls += 1
        self.items += len(parsed.get("Items", ())) + ("Item" in parsed)
        self.items += sum(map(len, parsed.get("Responses", {}).values()))

    def s3(self, **_: Any) -> None:
        self.gets += 1


@contextmanager
def counted(aws: Aws) -> Iterator[Reads]:
    reads = Reads()
    hooks = (
        (aws.clients.dynamodb, "after-call.dynamodb", reads.dynamodb),
        (aws.clients.s3, "after-call.s3.GetObject", reads.s3),
    )
    for client, event, hook in hooks:
        client.meta.events.register(event, hook)
    try:
        yield reads
    finally:
        for client, event, hook in hooks:
            client.meta.events.unregister(event, hook)


@pytest.fixture
def aws(deploy: Callable[..., Aws], monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(parts, "FEW", 20)
    monkeypatch.setattr(parts, "MANY", 20)
    return deploy(wide)


def fill(aws: Aws, id: str, count: int, **last: Any) -> None:
    """An execution with so many records, of which the last is as said."""
    store = aws.store()
    aws.start("wide", count, id)
    now = aws.clock.now()
    for number in range(1, count + 1):
        name = "fetch" if number == 1 else f"fetch#{number}"
        record = Record(name, "step", "fetch", "SUCCEEDED", 0, attempt=1, input="{}", output="1", ended_at=now)
        record = replace(record, **(last if number == count else {}))
        assert aws.call(store.commit(id, Commit(record, wake=False)))
    ids = ("fetch", *(f"fetch#{number}" for number in range(2, count + 1)))
    assert aws.call(store.append(id, OrderEntry(0, 0, dispatched=ids)))


def show(aws: Aws, id: str, query: str = "") -> tuple[Any, Reads]:
    with counted(aws) as reads:
        status, body = aws.ask("GET", f"/v1/executions/{id}", query=query)
    assert status == 200, body
    return body, reads


def test_a_first_page_reads_as_much_of_a_long_execution_as_of_a_longer_one(aws: Aws) -> None:
    found = []
    for count in (60, 240):
        fill(aws, f"of-{count}", count, status="RUNNING", output=None, ended_at=None, lease=aws.clock.now() + 60)
        body, reads = show(aws, f"of-{count}", "limit=10")
        assert [len(body["commands"]), body["partial"]] == [10, True]
        assert [(one["id"], one["status"]) for one in body["notable"]] == [(f"fetch#{count}", "RUNNING")]
        found.append((reads.calls, reads.items))
    (calls, items), longer = found
    assert longer[0] == calls <= 6
    assert longer[1] <= 10 + 100 + 3  # the page, what was asked for last, the meta twice, and the entry
    assert items <= longer[1]


def test_pages_have_all_commands_once_and_each_reads_no_more_than_it_shows(aws: Aws) -> None:
    fill(aws, "one", 75)
    ids, following = [], show(aws, "one", "limit=20")[0]["next"]
    ids += [command["id"] for command in show(aws, "one", "limit=20")[0]["commands"]]
    while following is not None:
        with counted(aws) as reads:
            status, body = aws.ask("GET", "/v1/executions/one/commands", query=f"limit=20&cursor={following}")
        assert status == 200
        assert reads.items <= 20 + 1 + 1
        ids += [command["id"] for command in body["commands"]]
        following = body["next"]
    assert ids == sorted(["fetch", *(f"fetch#{number}" for number in range(2, 76))])


def test_what_failed_comes_first(aws: Aws) -> None:
    failure = Failure("ValueError", "no", "fetch")
    fill(aws, "one", 60, status="FAILED", output=None, error=failure)
    execution = replace(aws.execution(), status="FAILED", error=failure, causes=("fetch#60",), ended_at=aws.clock.now())
    assert aws.call(aws.store().finish(End(execution)))
    body, reads = show(aws, "one", "limit=10")
    assert [(one["id"], one["error"]["message"]) for one in body["notable"]] == [("fetch#60", "no")]
    assert reads.items == 10 + 1 + 1


def test_values_in_the_bucket_are_fetched_if_they_are_shown(aws: Aws) -> None:
    fill(aws, "one", 30)
    store = aws.store()
    for number in range(30):
        text = f'"{number:03}' + "x" * 300_000 + '"'
        record = Record(f"big#{number:02}", "step", "fetch", "SUCCEEDED", 0, attempt=1, output=text, ended_at=9.0)
        assert aws.call(store.commit("one", Commit(record, wake=False)))
    body, reads = show(aws, "one", "limit=10&largest=1000")
    assert [command["omitted"] for command in body["commands"]] == [{"output": 300_005}] * 10
    assert reads.gets == 0
    body, reads = show(aws, "one", "limit=10")
    assert [len(command["output"]) for command in body["commands"]] == [300_003] * 6  # as many as 2 MB hold
    assert reads.gets == 6
    body, reads = show(aws, "one", "command=big%2307")
    assert [len(command["output"]) for command in body["commands"]] == [300_003]
    assert reads.gets == 1


def test_a_page_of_the_history_fetches_the_values_that_it_shows(aws: Aws) -> None:
    fill(aws, "one", 1)
    store = aws.store()
    for number in range(12):
        text = f'"{number:03}' + "x" * 300_000 + '"'
        at = aws.clock.now() + number
        record = Record(f"big#{number:02}", "step", "fetch", "SUCCEEDED", 0, attempt=1, output=text, ended_at=at)
        assert aws.call(store.commit("one", Commit(record, wake=False)))

    def page(query: str) -> tuple[list[Any], int]:
        with counted(aws) as reads:
            status, body = aws.ask("GET", "/v1/executions/one/history", query=query)
        assert status == 200, body
        return body["events"], reads.gets

    events, gets = page("limit=1000&largest=1000")
    assert [event["omitted"] for event in events if event["command"] not in (None, "fetch")] == [
        {"output": 300_005}
    ] * 12
    assert gets == 0
    events, gets = page("limit=1000")
    shown = [event for event in events if event["command"] not in (None, "fetch")]
    assert [len(event["output"]) for event in shown] == [300_003] * len(shown)
    assert len(shown) == gets == 6  # as many as 2 MB hold
