"""What the table owes beyond the contract: wakes, retention, ids that are used again, other versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfast.backends.dynamodb import table as dynamodb_table
from stepfast.backends.dynamodb.typed_json import number, text
from stepfast.engine.ports import Commit, End
from stepfast.errors import StartupError
from stepfast.model import Cursor, Event, Execution, Failure, OrderEntry, Record, Signal
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.backends.interleaving import AfterTheFirst, elsewhere

DAY = 86400.0
FAILURE = Failure("E", "down", "a", None)
ONE = Execution("one", "w", '"' + "x" * 3000 + '"', 1000.0)
CUT = OrderEntry(7, 1, cut=0)
"""Of any number: a cut that is written under \"absent\" only."""
DONE = replace(ONE, status="SUCCEEDED", result="1", ended_at=2000.5)
FAILED = replace(ONE, status="FAILED", error=FAILURE, ended_at=2000.5, causes=("a",))
STEP = Record("a", "step", "a", "SUCCEEDED", 0)


@pytest.fixture
def started(cloud: Cloud) -> Cloud:
    cloud.run(cloud.store.create(ONE))
    cloud.woken.clear()
    return cloud


def keys() -> list[str]:
    """The sort keys of all items of the table."""
    return sorted(one["sk"]["S"] for one in shared_client("dynamodb").scan(TableName=TABLE)["Items"])


def delete(sort: str) -> None:
    """As time to live does it, or a person."""
    shared_client("dynamodb").delete_item(TableName=TABLE, Key={"pk": text("x#one"), "sk": text(sort)})


# -- wakes -----------------------------------------------------------------------------------------------


def test_a_write_without_wake_drops_the_wake_of_the_one_before(started: Cloud) -> None:
    assert started.run(started.store.commit("one", Commit(STEP, wake=True)))
    assert started.run(started.store.commit("one", Commit(replace(STEP, revision=2), wake=False)))
    assert started.run(started.store.finish(End(FAILED)))
    assert started.woken == ["one"]
    assert "wake" not in started.item("one", "meta")
    assert "wake" not in started.item("one", "c#a")


def test_an_end_after_a_resume_wakes_nobody(started: Cloud) -> None:
    assert started.run(started.store.finish(End(FAILED)))
    assert started.run(started.store.rewind(replace(ONE, generation=1), CUT, [], []))
    assert started.woken == ["one"]
    assert started.run(started.store.finish(End(replace(DONE, generation=1))))
    assert started.woken == ["one"]


# -- retention -------------------------------------------------------------------------------------------


def test_an_execution_that_has_succeeded_expires_after_its_retention(started: Cloud) -> None:
    assert "expires" not in started.item("one", "meta")
    store = started.make_store(retention=90 * DAY)
    assert started.run(store.finish(End(DONE)))
    assert started.item("one", "meta")["expires"] == {"N": str(2001 + 90 * 86400)}


def test_a_failed_execution_waits_to_be_resumed_and_never_expires(started: Cloud) -> None:
    assert started.run(started.make_store(retention=DAY).finish(End(FAILED)))
    assert "expires" not in started.item("one", "meta")


def test_a_cancelled_execution_expires_and_a_resumed_one_does_not(started: Cloud) -> None:
    store = started.make_store(retention=DAY)
    assert started.run(store.finish(End(FAILED)))
    assert started.run(store.rewind(replace(ONE, generation=1), CUT, [], []))
    assert "expires" not in started.item("one", "meta")
    cancelled = replace(ONE, status="CANCELLED", generation=1, ended_at=3000.0)
    assert started.run(store.cancel(End(cancelled), [STEP]))
    assert started.item("one", "meta")["expires"] == {"N": str(3000 + 86400)}
    assert "expires" not in started.item("one", "c#a")


def test_without_retention_nothing_expires(started: Cloud) -> None:
    assert started.run(started.make_store(retention=None).finish(End(DONE)))
    assert "expires" not in started.item("one", "meta")


@pytest.fixture
def full(started: Cloud) -> Cloud:
    """An execution with an item of every kind."""
    store = started.store
    started.run(store.commit("one", Commit(STEP, wake=False)))
    started.run(store.append("one", OrderEntry(0, 0, ("a",))))
    started.run(store.add_signal("one", Signal("s", "go", "1", 1000.0)))
    started.run(store.finish(End(FAILED)))
    started.run(store.rewind(replace(ONE, generation=1), replace(CUT, number=1), [], [Event(1.0, "execution-resumed")]))
    assert len(keys()) == 8
    return started


def test_once_the_meta_has_expired_everything_else_is_purged(full: Cloud) -> None:
    delete("meta")
    full.run(full.store.deleting.purge("one"))
    assert keys() == []
    full.run(full.store.deleting.purge("one"))


def test_purging_does_nothing_while_there_is_an_execution(full: Cloud) -> None:
    full.run(full.store.deleting.purge("one"))
    assert len(keys()) == 8


def test_a_purge_leaves_what_is_written_while_it_runs(full: Cloud) -> None:
    """The id is taken again between the purge's look at the items and its deleting them."""
    delete("meta")
    full.clock.time += 100 * DAY
    deleting = Cloud.make_store(full, dynamodb=AfterTheFirst("query", lambda: again(full)))
    full.run(deleting.deleting.purge("one"))
    assert full.run(full.store.read("one")) == again_one(full)
    assert full.run(full.store.load("one")).records == {"a": replace(STEP, output="2")}


def again_one(cloud: Cloud) -> Execution:
    return replace(ONE, created_at=cloud.clock.time)


def again(cloud: Cloud) -> None:
    """Starts an execution of the same id, and runs its step."""
    store = cloud.make_store()
    elsewhere(store.create(again_one(cloud)))
    elsewhere(store.load("one"))
    assert elsewhere(store.commit("one", Commit(replace(STEP, output="2"), wake=False)))


def test_what_an_earlier_execution_of_the_id_has_left_is_never_taken_for_this_ones(full: Cloud) -> None:
    """The meta expired, nobody purged, and months later the id is used again."""
    delete("meta")
    full.clock.time += 100 * DAY
    execution = again_one(full)
    assert full.run(full.store.create(execution)) is execution
    assert full.run(full.store.peek("one", "a")) == (execution, None)
    loaded = full.run(full.store.load("one"))
    assert (loaded.records, loaded.signals, loaded.cursor) == ({}, (), Cursor())
    assert full.run(full.store.commit("one", Commit(STEP, wake=False)))
    assert full.run(full.store.append("one", OrderEntry(0, 0, ("a",))))
    assert full.run(full.store.history("one")) == []
    assert [one for one in keys() if not one.startswith("input")] == ["c#a", "meta", "o#00000000"]


def test_clocks_that_differ_by_minutes_take_nothing_for_left_over(started: Cloud) -> None:
    started.clock.time -= 600
    assert started.run(started.store.commit("one", Commit(STEP, wake=False)))
    assert started.run(started.store.load("one")).records == {"a": STEP}


def test_records_that_never_tell_of_the_resume_are_taken_as_they_are(started: Cloud) -> None:
    """Somebody has deleted one: that must not stop the execution for ever."""
    assert started.run(started.store.commit("one", Commit(STEP, wake=False)))
    assert started.run(started.store.finish(End(FAILED)))
    reopened = Record("a", "step", "a", "OPEN", 1, revision=2)
    assert started.run(started.store.rewind(replace(ONE, generation=1), CUT, [reopened], []))
    delete("c#a")
    before = started.clock.time
    assert started.run(started.store.load("one")).records == {}
    assert started.clock.time - before < 1


# -- other versions and other items ------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["meta", "c#a", "o#00000000", "s#s"])
def test_items_of_a_newer_version_are_refused_with_what_to_do(full: Cloud, sort: str) -> None:
    item = full.item("one", sort) | {"v": number(6)}
    shared_client("dynamodb").put_item(TableName=TABLE, Item=item)
    with pytest.raises(StartupError, match="'one' was written by a newer stepfast.*deploy"):
        full.run(full.store.load("one"))


def test_items_of_an_older_version_are_read_and_written_on(full: Cloud) -> None:
    before = full.run(full.store.load("one"))
    for sort in ("meta", "c#a", "o#00000000", "s#s"):
        item = full.item("one", sort)
        old = {name: value for name, value in item.items() if name not in ("wrote", "born")} | {"v": number(0)}
        shared_client("dynamodb").put_item(TableName=TABLE, Item=old)
    assert full.run(full.store.load("one")) == before
    assert full.run(full.store.commit("one", Commit(replace(STEP, revision=2), wake=False)))


def test_items_that_are_none_of_ours_are_left_alone(started: Cloud) -> None:
    shared_client("dynamodb").put_item(
        TableName=TABLE, Item={"pk": text("x#one"), "sk": text("note"), "by": text("me")}
    )
    loaded = started.run(started.store.load("one"))
    assert (loaded.records, loaded.signals) == ({}, ())


def test_the_table_is_as_the_stack_is_to_make_it() -> None:
    table = dynamodb_table.definition("orders")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["flow", "labels", "fault"]}
