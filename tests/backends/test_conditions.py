"""Every condition of a write refuses: one case each, in which it does and what was there stays as it was."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pytest

from stepfast import api_key
from stepfast.backends.dynamodb import item_keys, transactions
from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.backends.dynamodb.calls import changes_to
from stepfast.backends.dynamodb.labels import has_labels
from stepfast.backends.dynamodb.typed_json import Item, number, text
from stepfast.engine.ports import Commit
from stepfast.engine.workflow_pauses import HeldStart, WorkflowPause
from stepfast.errors import StartupError
from stepfast.model import Execution, Signal
from stepfast.shown import ShownState
from stepfast.standing import StartInfo
from tests.backends import conditions_of_writes as conditions_of_writes  # its cases are in CASES
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.backends.condition_cases import (
    ABSENT,
    CASES,
    CUT,
    EXISTS,
    FAILED,
    FOLLOWS,
    FREE,
    IN_TRANSACTION,
    NEVER_WRITTEN,
    ONE,
    RESUMED,
    STANDS,
    STEP,
    UNTOUCHED,
    Case,
    failed,
    refuses,
    started,
)
from tests.backends.conditions import Refusals, Use, in_source
from tests.backends.conftest import Clients
from tests.contract.test_runs_contract import after

# -- deleting ----------------------------------------------------------------------------------------------


@refuses("PutItem", "meta", STANDS)
def a_deletion_of_what_has_gone_on(cloud: Cloud) -> None:
    failed(cloud)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [], []))
    assert not cloud.run(cloud.store.erase(FAILED))


def deleted_and_started_anew(cloud: Cloud) -> Execution:
    failed(cloud)
    assert cloud.run(cloud.store.erase(FAILED))
    anew = replace(ONE, generation=1, first_generation=1)
    assert cloud.run(cloud.store.create(anew)) is anew
    return anew


@refuses("PutItem", "meta", FREE)
def a_start_of_a_generation_that_was_deleted(cloud: Cloud) -> None:
    anew = deleted_and_started_anew(cloud)
    assert cloud.run(cloud.store.create(replace(anew, input="2"))) == anew


@refuses("PutItem", "c", FOLLOWS)
def an_outcome_of_a_worker_of_a_deleted_execution(cloud: Cloud) -> None:
    deleted_and_started_anew(cloud)
    assert cloud.run(cloud.store.commit("one", Commit(replace(STEP, generation=1), wake=False)))
    assert not cloud.run(cloud.store.commit("one", Commit(replace(STEP, revision=2, output="old"), wake=False)))


@refuses("PutItem", "meta", ABSENT)
def a_purge_of_values_whose_id_is_taken_meanwhile(cloud: Cloud) -> None:
    cloud.store.deleting.note("one")
    meta = {"pk": text("x#one"), "sk": text("meta"), "stat": text("RUNNING")}
    client = shared_client("dynamodb")
    cloud.dynamodb.meta.events.register(
        "after-call.dynamodb.Query", lambda **_: client.put_item(TableName=TABLE, Item=meta)
    )
    cloud.run(cloud.store.deleting.purge("one"))
    assert cloud.item("one", "large")


# -- an order that version 1 has begun ---------------------------------------------------------------------------


def begun_by_version_1(cloud: Cloud, cursor: Item | None) -> None:
    """A start as version 1 made it, and what it writes between the load's query and the load's base."""
    started(cloud)
    client, key = shared_client("dynamodb"), {"pk": text("x#one"), "sk": text("cursor")}
    meta = {"pk": text("x#one"), "sk": text("meta")}
    client.update_item(
        TableName=TABLE,
        Key=meta,
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": number(1)},
    )
    if cursor is not None:
        client.put_item(TableName=TABLE, Item=key | cursor)
    later = key | version_1_cursor(2 if cursor else 1)
    written: list[Item] = []

    def write(**_: object) -> None:
        if not written:
            written.append(later)
            client.put_item(TableName=TABLE, Item=later)

    cloud.dynamodb.meta.events.register("after-call.dynamodb.Query", write)
    assert cloud.run(cloud.store.load("one")).cursor.revision == int(later["rev"]["N"])


def version_1_cursor(revision: int) -> Item:
    order = zlib.compress(json.dumps([["a"], []]).encode())
    return {"v": number(1), "wrote": number(1.0), "rev": number(revision), "gen": number(0), "order": {"B": order}}


@refuses("PutItem", "cursor", ABSENT)
def a_base_beside_a_first_cursor_of_version_1(cloud: Cloud) -> None:
    begun_by_version_1(cloud, None)


@refuses("PutItem", "cursor", "rev = :if_rev")
def a_base_in_the_place_of_a_cursor_that_version_1_has_written_since(cloud: Cloud) -> None:
    begun_by_version_1(cloud, version_1_cursor(1))


# -- what is left ----------------------------------------------------------------------------------------------


def purged(cloud: Cloud, before: Item, after: Item, sort: str = "c#a") -> None:
    """A purge that has read an item as it was before, and meets it as it is after."""
    at = {"pk": text("x#gone"), "sk": text(sort)}

    def write(item: Item) -> None:
        shared_client("dynamodb").put_item(TableName=TABLE, Item=at | item)

    write(before)
    cloud.dynamodb.meta.events.register("after-call.dynamodb.Query", lambda **_: write(after))
    cloud.run(cloud.store.deleting.purge("gone"))
    assert cloud.item("gone", sort) == at | after


@refuses("DeleteItem", "c", UNTOUCHED)
def a_purge_of_what_was_written_anew(cloud: Cloud) -> None:
    purged(cloud, {"wrote": number(1.0)}, {"wrote": number(2.0)})


@refuses("DeleteItem", "cursor", UNTOUCHED)
def a_purge_of_an_order_that_was_written_anew(cloud: Cloud) -> None:
    purged(cloud, {"wrote": number(1.0)}, {"wrote": number(2.0)}, "cursor")


@refuses("DeleteItem", "o", UNTOUCHED)
def a_purge_of_an_entry_that_was_written_anew(cloud: Cloud) -> None:
    purged(cloud, {"wrote": number(1.0)}, {"wrote": number(2.0)}, "o#00000000")


@refuses("DeleteItem", "c", NEVER_WRITTEN)
def a_purge_of_what_told_no_time_and_was_written_anew(cloud: Cloud) -> None:
    purged(cloud, {}, {"wrote": number(2.0)})


@refuses("DeleteItem", "s", "attribute_exists(pk)")
def a_signal_of_an_earlier_run_that_is_gone_already(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    cloud.run(cloud.store.add_signal("one", Signal("first", "go", "1", 2.0)))
    key, client = {"pk": text("x#one"), "sk": text("s#first")}, shared_client("dynamodb")
    cloud.dynamodb.meta.events.register(
        "after-call.dynamodb.TransactWriteItems", lambda **_: client.delete_item(TableName=TABLE, Key=key)
    )
    assert cloud.run(cloud.store.continue_as_new(after(ONE, '"x"', "first")))


@refuses("TransactWriteItems.Update", "signals", "attribute_exists(pk)")
def a_turn_whose_counter_of_signals_is_gone(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    cloud.run(cloud.store.add_signal("one", Signal("first", "go", "1", 2.0)))
    shared_client("dynamodb").delete_item(TableName=TABLE, Key={"pk": text("x#one"), "sk": text("signals")})
    assert not cloud.run(cloud.store.continue_as_new(after(ONE, '"x"', "first")))


@refuses("TransactWriteItems.Put", "zr", ABSENT)
def a_turn_whose_earlier_run_is_there_already(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(ONE))
    item = {"pk": text("x#one"), "sk": text("zr#000000000001")}
    shared_client("dynamodb").put_item(TableName=TABLE, Item=item)
    assert not cloud.run(cloud.store.continue_as_new(after(ONE)))


@refuses("UpdateItem", "meta", "stat = :if_stat AND turn = :if_start")
def a_beginning_of_what_has_begun(cloud: Cloud) -> None:
    start = StartInfo("waiting", waits=True, begins_at=5.0)
    waiting = replace(ONE, start=start)
    cloud.run(cloud.store.create(waiting))
    assert cloud.run(cloud.store.begin(waiting, replace(start, waits=False)))
    assert not cloud.run(cloud.store.begin(waiting, replace(start, begins_at=6.0)))


# -- labels ------------------------------------------------------------------------------------------------


@refuses(f"{IN_TRANSACTION}.Put", "meta", ABSENT)
def a_labelled_start_under_a_taken_id(cloud: Cloud) -> None:
    started(cloud)
    assert cloud.run(cloud.store.create(replace(ONE, input="2", labels={"stage": "1"}))) == ONE


def labelled(cloud: Cloud, had: dict[str, str], condition: dict[str, str]) -> None:
    """A write that stands only while the stored labels are these; show() joins the condition to its own."""
    cloud.run(cloud.store.create(replace(ONE, labels=had)))
    key, changes = item_keys.key("one", item_keys.META), changes_to({"prog": text("1")}, [])
    assert cloud.run(cloud.store._table.update(key, changes, has_labels(condition))) is not None


@refuses("UpdateItem", "meta", "labels = :if_labels")
def labels_that_have_changed_since(cloud: Cloud) -> None:
    labelled(cloud, {"stage": "2"}, {"stage": "1"})


@refuses("UpdateItem", "meta", "attribute_not_exists(labels)")
def no_labels_where_there_are_some(cloud: Cloud) -> None:
    labelled(cloud, {"stage": "2"}, {})


@refuses("DeleteItem", "zl", "mark < :if_mark")
def an_entry_of_a_label_that_a_later_call_has_put(cloud: Cloud) -> None:
    one = replace(ONE, labels={"stage": "1"})
    cloud.run(cloud.store.create(one))
    cloud.store._labels.after(one, ShownState("", None, {"stage": "2"}, {}))


# -- keys --------------------------------------------------------------------------------------------------


@refuses("PutItem", "key", ABSENT)
def a_key_whose_id_was_drawn_before(cloud: Cloud) -> None:
    keys = ApiKeys(cloud.dynamodb, TABLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_key.secrets, "token_hex", lambda size: "ab" * size)
        keys.create("first", ["read"], 1.0)
        with pytest.raises(StartupError):
            keys.create("second", ["operate"], 1.0)


@refuses("UpdateItem", "key", "attribute_exists(#hash)")
def a_key_that_was_revoked_before(cloud: Cloud) -> None:
    keys = ApiKeys(cloud.dynamodb, TABLE)
    made, _ = keys.create("mine", ["read"], 1.0)
    assert keys.revoke(made.key_id, 2.0)
    assert not keys.revoke(made.key_id, 3.0)


# -- paused workflows --------------------------------------------------------------------------------------


@refuses("PutItem", "w", ABSENT)
def a_pause_of_a_workflow_that_is_paused(cloud: Cloud) -> None:
    first = WorkflowPause(1.0, "ann", None)
    for pause in (first, WorkflowPause(2.0, "bob", None)):
        assert cloud.run(cloud.store.workflow_pauses.pause("w", pause)) == first


@refuses("DeleteItem", "w", EXISTS)
def an_unpause_of_a_workflow_that_is_not_paused(cloud: Cloud) -> None:
    cloud.run(cloud.store.workflow_pauses.pause("w", WorkflowPause(1.0, None, None)))
    assert cloud.run(cloud.store.workflow_pauses.unpause("w"))
    assert not cloud.run(cloud.store.workflow_pauses.unpause("w"))


@refuses("DeleteItem", "one", "since = :since")
def a_note_of_a_later_hold(cloud: Cloud) -> None:
    pauses = cloud.store.workflow_pauses
    cloud.run(pauses.note_held(HeldStart("w", "one", 2.0)))
    cloud.run(pauses.forget_held(HeldStart("w", "one", 1.0)))


# ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def refusals(hooked: Cloud, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Refusals:
    monkeypatch.setattr(transactions, "TRANSACTION", 10)
    refusals = Refusals()
    clients.watch(refusals.watch)
    return refusals


@pytest.mark.parametrize(("use", "case"), CASES, ids=[case.__name__ for _, case in CASES])
def test_it_is_refused(hooked: Cloud, refusals: Refusals, use: Use, case: Case) -> None:
    case(hooked)
    assert refusals.refused == [use]
    assert refusals.used <= {one for one, _ in CASES}, "a condition that has no case of its own"


def test_no_condition_of_the_source_is_without_a_case() -> None:
    assert in_source() == {use.expression for use, _ in CASES}
