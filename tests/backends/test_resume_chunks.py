"""Rewinds of more items than a transaction takes: cut off anywhere, and raced."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from stepfast.backends.dynamodb.typed_json import size_of
from stepfast.engine.history import record_events
from stepfast.engine.ports import Commit, End
from stepfast.model import Event, Execution, Failure, OrderEntry, Record, Snapshot
from tests.backends.chunks import Killed, before_chunk, kill_at, recorded
from tests.backends.cloud import ONE_TRY, Cloud, make_client, shared_client

T = TypeVar("T")

FAILURE = Failure("E", "down", "a", None)
ONE = Execution("one", "w", "1", 1000.0)
FAILED = replace(ONE, status="FAILED", error=FAILURE, ended_at=1002.0, causes=("a#0",))
COUNT = 9


def a_failed(cloud: Cloud, count: int = COUNT, size: int = 0) -> Snapshot:
    """A failed execution of so many steps, half of which failed."""
    store = cloud.store
    cloud.run(store.create(ONE))
    for number in range(count):
        status = "FAILED" if number % 2 else "SUCCEEDED"
        record = Record(
            f"a#{number}", "step", "a", status, 0, attempt=1, started_at=1000.0, ended_at=1001.0,
            output=f'"{"x" * size}"' if size else "1", error=FAILURE if number % 2 else None,
        )  # fmt: skip
        assert cloud.run(store.commit("one", Commit(record, wake=False)))
    assert cloud.run(store.append("one", OrderEntry(0, 0, tuple(f"a#{number}" for number in range(count)))))
    assert cloud.run(store.finish(End(FAILED)))
    cloud.woken.clear()
    return loaded(cloud)


def loaded(cloud: Cloud) -> Snapshot:
    snapshot = cloud.run(cloud.make_store().load("one"))
    assert snapshot is not None
    return snapshot


def plan(held: Snapshot) -> tuple[Execution, OrderEntry, list[Record], list[Event]]:
    """What a resume that re-opens everything writes, from what is stored now."""
    generation = held.execution.generation + 1
    opened, events = [], []
    for one in held.records.values():
        opened.append(Record(one.id, one.kind, one.name, "OPEN", generation, revision=one.revision + 1))
        if one.status != "OPEN":
            events += [*record_events(one), Event(1005.0, "command-reopened", one.id)]
    events += [Event(1002.0, "execution-failed"), Event(1005.0, "execution-resumed")]
    resumed = replace(ONE, generation=generation, resumed_at=1005.0)
    return resumed, OrderEntry(held.cursor.revision, generation, cut=0), opened, events


def assert_resumed(cloud: Cloud, events: list[Event]) -> None:
    """Everything is open in generation 1, and every event is kept once, a command's own in their order."""
    held = loaded(cloud)
    assert (held.execution.status, held.execution.generation) == ("RUNNING", 1)
    assert held.cursor.applied == ()
    assert {(one.status, one.generation) for one in held.records.values()} == {("OPEN", 1)}
    kept = cloud.run(cloud.store.history("one"))
    for command in {one.command for one in events}:
        own = [one for one in kept if one.command == command]
        assert own == [one for one in events if one.command == command]
    assert len(kept) == len(events)
    assert cloud.woken == ["one"]


def test_a_resume_of_many_commands_is_written_in_chunks_of_one_hundred(hooked: Cloud) -> None:
    held = a_failed(hooked, 130)
    wire = recorded(hooked)
    execution, cut, records, events = plan(held)
    assert hooked.run(hooked.store.rewind(execution, cut, records, events))
    first, *calls = wire.take()
    assert first.operation == "Query"  # where the history of this resume goes on
    sizes = [len(call.params["TransactItems"]) for call in calls]
    assert sum(sizes) == len(records) + len(events) + 2 + len(calls) - 1
    assert max(sizes) <= 100
    for call in calls[:-1]:
        assert "ConditionCheck" in call.params["TransactItems"][0]
    assert [next(iter(one)) for one in calls[-1].params["TransactItems"][:2]] == ["Update", "Put"]
    written = [one["Put"]["Item"]["sk"]["S"] for call in calls for one in call.params["TransactItems"] if "Put" in one]
    assert len(set(written)) == len(written)


def test_a_resume_in_chunks_leaves_what_one_transaction_would_have_left(small: Cloud) -> None:
    held = a_failed(small)
    execution, cut, records, events = plan(held)
    assert small.run(small.store.rewind(execution, cut, records, events))
    assert_resumed(small, events)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_a_resume_that_dies_between_chunks_is_finished_by_the_next(small: Cloud, chunk: int, before: bool) -> None:
    held = a_failed(small)
    events = plan(held)[3]
    revive = kill_at(small.dynamodb, chunk, before=before)
    with pytest.raises(Killed):
        small.run(small.store.rewind(*plan(held)))
    revive()
    held = loaded(small)
    assert (held.execution, held.cursor.applied == ()) == (FAILED, False)
    opened = sum(one.status == "OPEN" for one in held.records.values())
    assert (opened > 0) is (chunk > 1 or not before)
    assert small.woken == []
    assert small.run(small.store.rewind(*plan(held)))
    assert_resumed(small, events)


def test_a_resume_that_dies_again_and_again_gets_there_all_the_same(small: Cloud) -> None:
    events = plan(a_failed(small))[3]
    deaths = 0
    while loaded(small).execution.status == "FAILED":
        revive = kill_at(small.dynamodb, 2, before=False)
        try:
            small.run(small.store.rewind(*plan(loaded(small))))
        except Killed:
            deaths += 1
        revive()
    assert deaths >= 2
    assert_resumed(small, events)


def in_another_process(cloud: Cloud, client: Any = None) -> bool:
    """Resumes from what is stored now, in the middle of somebody else's call."""
    store = cloud.make_store(client or shared_client("dynamodb"))
    return bool(at_once(store.rewind(*plan(at_once(store.load("one"))))))


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        call.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("it waits")


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5])
def test_of_two_resumes_that_meet_one_wins_and_nothing_doubles(small: Cloud, chunk: int) -> None:
    held = a_failed(small)
    events = plan(held)[3]
    won: list[bool] = []
    before_chunk(small.dynamodb, chunk, lambda: won.append(in_another_process(small)))
    assert not small.run(small.store.rewind(*plan(held)))
    assert won == [True]
    assert_resumed(small, events)


@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_a_resume_that_meets_one_that_dies_wins_or_is_refused_and_then_wins(small: Cloud, chunk: int) -> None:
    held = a_failed(small)
    events = plan(held)[3]

    def begin_and_die() -> None:
        mortal = make_client("dynamodb", **ONE_TRY)
        kill_at(mortal, 2, before=True)
        with pytest.raises(Killed):
            in_another_process(small, mortal)

    before_chunk(small.dynamodb, chunk, begin_and_die)
    if not small.run(small.store.rewind(*plan(held))):
        assert loaded(small).execution == FAILED
        assert small.run(small.store.rewind(*plan(loaded(small))))
    assert_resumed(small, events)


def test_a_small_resume_after_a_large_one_that_died_keeps_both_histories(small: Cloud) -> None:
    held = a_failed(small)
    execution, cut, records, events = plan(held)
    revive = kill_at(small.dynamodb, 2, before=True)
    with pytest.raises(Killed):
        small.run(small.store.rewind(execution, cut, records, events))
    revive()
    before = small.run(small.store.history("one"))
    assert before
    last = [Event(1005.0, "execution-resumed")]
    assert small.run(small.store.rewind(execution, cut, [], last))
    assert small.run(small.store.history("one")) == before + last


def test_bytes_make_chunks_too(hooked: Cloud) -> None:
    held = a_failed(hooked, 30, size=180_000)
    wire = recorded(hooked)
    execution, cut, records, events = plan(held)
    events = [replace(one, details={**one.details, "output": "x" * 180_000}) for one in events if one.command]
    assert hooked.run(hooked.store.rewind(execution, cut, records, events))
    transactions = [call for call in wire.take() if call.operation == "TransactWriteItems"]
    assert len(transactions) > 1
    for call in transactions:
        puts = [one["Put"]["Item"] for one in call.params["TransactItems"] if "Put" in one]
        assert sum(map(size_of, puts)) < 4_000_000


def test_a_record_with_more_history_than_a_transaction_takes_is_resumed(small: Cloud) -> None:
    small.run(small.store.create(ONE))
    assert small.run(small.store.commit("one", Commit(Record("a", "step", "a", "FAILED", 0), wake=False)))
    assert small.run(small.store.finish(End(FAILED)))
    events = [Event(1000.0 + number, "attempt-failed", "a") for number in range(25)]
    reopened = Record("a", "step", "a", "OPEN", 1, revision=2)
    assert small.run(small.store.rewind(replace(ONE, generation=1), OrderEntry(0, 1, cut=0), [reopened], events))
    assert small.run(small.store.history("one")) == events
    assert loaded(small).records == {"a": reopened}
