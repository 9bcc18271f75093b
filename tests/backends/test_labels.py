"""The index of labels in the table: what it costs to read, late writers, and how earlier labels get into it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.label_walk import SETTLED_SECONDS, LabelWalk
from stepfast.backends.dynamodb.labels import LABEL, label_partition
from stepfast.backends.dynamodb.typed_json import text
from stepfast.engine.ports import Query
from stepfast.model import Execution
from stepfast.shown import ShownState, mark_of
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.backends.wire import Wire

ONE = Execution("one", "w", "1", 1000.0, labels={"stage": "1"})


def entries(id: str = "one") -> list[dict[str, Any]]:
    """The entries of an execution in the index."""
    found = shared_client("dynamodb").query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": text(item_keys.partition(id)), ":sk": text(LABEL)},
    )
    items: list[dict[str, Any]] = found["Items"]
    return items


def stages() -> set[str]:
    values = [(str(number), shard) for number in range(9) for shard in (0, 1)]
    by_partition = {label_partition("stage", value, shard): value for value, shard in values}
    return {by_partition[item["list_pk"]["S"]] for item in entries()}


def found(cloud: Cloud, **labels: str) -> list[str]:
    return [each.execution_id for each in cloud.run(cloud.store.page(Query(labels=labels))).executions]


def shown(calls: int, stage: str) -> ShownState:
    return ShownState(mark_of(1, 0, calls), None, {"stage": stage}, {})


def test_a_list_by_a_label_reads_its_entries_and_no_others(hooked: Cloud, wire: Wire) -> None:
    hooked.index_labels()
    for number in range(60):
        labels = {"rare": "yes"} if number == 3 else {"rare": "no"}
        made = Execution(f"e{number}", "w", "1", 1000.0 + number, labels=labels)
        hooked.run(hooked.store.create(made))
    assert found(hooked, rare="yes") == ["e3"]
    wire.take()
    assert found(hooked, rare="yes") == ["e3"]
    calls = wire.take()
    queries = Counter(call.operation for call in calls)
    assert queries["Query"] == 2  # one for each shard
    assert sum(call.read_units for call in calls) <= 3


def test_an_entry_that_a_later_call_has_put_is_not_deleted_by_an_earlier_one(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    index = cloud.store._labels
    # An earlier process has shown stage 2, and is held up before it deletes the entry of stage 1.
    assert cloud.run(cloud.store.show(ONE, shown(1, "2")))
    again = cloud.run(cloud.store.read("one"))
    assert cloud.run(cloud.store.show(again, shown(2, "1")))
    index.after(ONE, shown(1, "2"))
    cloud.index_labels()
    assert found(cloud, stage="1") == ["one"]
    assert stages() == {"1"}


def test_a_process_that_has_not_seen_a_change_puts_the_entry_that_was_deleted(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    assert cloud.run(cloud.store.show(ONE, shown(1, "2")))
    assert stages() == {"2"}
    # It has read the execution before that, with stage 1, and has come further.
    assert cloud.run(cloud.store.show(ONE, shown(2, "1")))
    cloud.index_labels()
    assert found(cloud, stage="1") == ["one"]


def test_a_late_process_changes_nothing_that_is_found(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    assert cloud.run(cloud.store.show(ONE, shown(2, "2")))
    assert not cloud.run(cloud.store.show(ONE, shown(1, "3")))
    cloud.index_labels()
    assert (found(cloud, stage="2"), found(cloud, stage="3")) == (["one"], [])


def test_labels_that_stay_cost_no_write_beside_the_meta(hooked: Cloud, wire: Wire) -> None:
    hooked.run(hooked.store.create(ONE))
    wire.take()
    assert hooked.run(hooked.store.show(ONE, shown(1, "1")))
    assert [call.operation for call in wire.take()] == ["UpdateItem"]


def test_the_sweep_puts_labels_of_earlier_versions_into_the_index(cloud: Cloud) -> None:
    made = [replace(ONE, execution_id=f"e{number}", created_at=1000.0 + number) for number in range(7)]
    for one in made:
        cloud.run(cloud.store.create(one))
        for item in entries(one.execution_id):
            shared_client("dynamodb").delete_item(TableName=TABLE, Key=item_keys.key_of(item))
    newest_first = [one.execution_id for one in reversed(made)]
    assert found(cloud, stage="1") == newest_first
    assert cloud.index_labels() == 7
    assert cloud.index_labels() == 0
    assert found(cloud, stage="1") == newest_first
    assert [len(entries(one.execution_id)) for one in made] == [1] * 7


def test_the_walk_waits_until_functions_of_before_have_ended_and_goes_on_where_it_was(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    for item in entries():
        shared_client("dynamodb").delete_item(TableName=TABLE, Key=item_keys.key_of(item))

    def walk() -> LabelWalk:
        return LabelWalk(Table(cloud.dynamodb, TABLE, cloud.clock), 2)

    assert cloud.run(walk().go_on(cloud.clock, lambda: True)) == 0
    assert not walk().is_over()
    cloud.clock.time += SETTLED_SECONDS
    turns = 0
    while not walk().is_over():
        once = iter([True, False])
        cloud.run(walk().go_on(cloud.clock, lambda once=once: next(once)))  # type: ignore[misc]
        turns += 1
    assert turns == 2 * 6 * 2 * 2  # two passes through the partitions of six statuses, of roots and of children
    assert len(entries()) == 1


def test_a_deletion_leaves_no_entry(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    meta = cloud.item("one", "meta")
    cloud.run(cloud.store.deleting.delete("one", meta["stat"]["S"], 0))
    assert entries() == []
