"""Every condition of a write refuses: one case each, in which it does and what was there stays as it was."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stepfast import api_key
from stepfast.backends.dynamodb import item_keys, transactions
from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.backends.dynamodb.calls import changes_to
from stepfast.backends.dynamodb.labels import has_labels
from stepfast.backends.dynamodb.typed_json import Item, number, text
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.limit_items import LimitId, LimitItem, Waiter
from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, End
from stepfast.engine.workflow_pauses import HeldStart, WorkflowPause
from stepfast.errors import StartupError, TooManySignals
from stepfast.model import Event, Execution, Failure, OrderEntry, Record, Signal, SignalLimits
from stepfast.shown import ShownState
from stepfast.standing import StartInfo
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.backends.conditions import Refusals, Use, in_source
from tests.backends.conftest import Clients
from tests.contract.test_runs_contract import after

FAILURE = Failure("E", "down", "a", None)
ONE = Execution("one", "w", "1", 1000.0)
FAILED = replace(ONE, status="FAILED", error=FAILURE, ended_at=1002.0, causes=("a",))
RESUMED = replace(ONE, generation=1, resumed_at=1005.0)
PAUSED = replace(ONE, status="PAUSED")
CANCELLED = replace(ONE, status="CANCELLED", ended_at=1003.0)
STEP = Record("a", "step", "a", "SUCCEEDED", 0, output="1")
ENTRY = OrderEntry(0, 0, ("a",))
CUT = OrderEntry(1, 1, cut=0)
OPEN = Record("a", "step", "a", "OPEN", 1, revision=2)
OTHERS = [Record(f"b#{place}", "step", "b", "OPEN", 1) for place in range(12)]

ABSENT, FOLLOWS = "attribute_not_exists(pk)", "rev = :if_rev AND gen <= :if_gen"
FREE = "attribute_not_exists(pk) OR (stat = :deleted AND gen < :if_gen AND attribute_exists(erased))"
STANDS = "stat = :if_stat AND gen = :if_gen"
UNDER_WAY = "stat IN (:if_runs, :if_rests) AND gen = :if_gen"
COUNTED = "(attribute_not_exists(n) OR n < :most) AND (attribute_not_exists(#a1) OR #a1 <= :left)"
PASSED, AHEAD = "attribute_not_exists(moment) OR moment < :least", "moment >= :least AND moment < :latest"
STRIPE, VERSION, EXISTS = LimitId("stripe"), "ver = :if_ver", "attribute_exists(pk)"
UNTOUCHED, NEVER_WRITTEN = "wrote = :wrote", "attribute_not_exists(wrote)"
IN_TRANSACTION = "TransactWriteItems"

Case = Callable[[Cloud], object]
CASES: list[tuple[Use, Case]] = []


def refuses(operation: str, item: str, expression: str) -> Callable[[Case], Case]:
    """The case is one in which this condition, and no other, refuses."""

    def add(case: Case) -> Case:
        CASES.append((Use(operation, item, expression), case))
        return case

    return add


def started(cloud: Cloud, *more: Any) -> None:
    for call in (cloud.store.create(ONE), *more):
        assert cloud.run(call)


def failed(cloud: Cloud) -> None:
    store = cloud.store
    started(cloud, store.commit("one", Commit(STEP, wake=False)), store.append("one", ENTRY), store.finish(End(FAILED)))


# -- single writes -----------------------------------------------------------------------------------------


@refuses("PutItem", "meta", ABSENT)
def a_start_under_a_taken_id(cloud: Cloud) -> None:
    started(cloud)
    assert cloud.run(cloud.store.create(replace(ONE, input="2"))) == ONE


@refuses("PutItem", "c", ABSENT)
def a_first_record_beside_another(cloud: Cloud) -> None:
    started(cloud, cloud.store.commit("one", Commit(STEP, wake=False)))
    assert not cloud.run(cloud.store.commit("one", Commit(replace(STEP, output="2"), wake=False)))


@refuses("PutItem", "c", FOLLOWS)
def a_record_that_another_has_overtaken(cloud: Cloud) -> None:
    second = replace(STEP, revision=2)
    started(cloud, *(cloud.store.commit("one", Commit(one, wake=False)) for one in (STEP, second)))
    assert not cloud.run(cloud.store.commit("one", Commit(replace(second, output="2"), wake=False)))


@refuses("PutItem", "c", FOLLOWS)
def a_record_that_follows_one_which_is_not_there(cloud: Cloud) -> None:
    started(cloud)
    assert not cloud.run(cloud.store.commit("one", Commit(replace(STEP, revision=2), wake=False)))


@refuses("PutItem", "o", ABSENT)
def a_first_order_beside_another(cloud: Cloud) -> None:
    started(cloud, cloud.store.append("one", ENTRY))
    assert not cloud.run(cloud.store.append("one", replace(ENTRY, applied=())))


@refuses("PutItem", "o", ABSENT)
def an_order_that_another_has_overtaken(cloud: Cloud) -> None:
    started(cloud, *(cloud.store.append("one", replace(ENTRY, number=number)) for number in (0, 1)))
    assert not cloud.run(cloud.store.append("one", replace(ENTRY, number=1, applied=())))


@refuses("PutItem", "s", ABSENT)
def a_signal_under_a_taken_id(cloud: Cloud) -> None:
    first = Signal("s", "go", "1", 1.0)
    started(cloud, cloud.store.add_signal("one", first))
    assert cloud.run(cloud.store.add_signal("one", replace(first, payload="2"))) == first


@refuses("UpdateItem", "signals", COUNTED)
def a_signal_more_than_an_execution_takes(cloud: Cloud) -> None:
    started(cloud, cloud.store.add_signal("one", Signal("s", "go", "1", 1.0)))
    with pytest.raises(TooManySignals):
        cloud.run(cloud.store.add_signal("one", Signal("t", "go", "1", 1.0), SignalLimits(count=1)))


@refuses("UpdateItem", "meta", STANDS)
def an_end_after_another(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.finish(End(replace(ONE, status="SUCCEEDED", result="1", ended_at=1003.0))))


@refuses("UpdateItem", "meta", STANDS)
def an_end_of_a_generation_that_is_over(cloud: Cloud) -> None:
    failed(cloud)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [OPEN], []))
    assert not cloud.run(cloud.store.finish(End(replace(FAILED, ended_at=1009.0))))


@refuses("PutItem", "i", ABSENT)
def a_first_item_of_a_limit_beside_another(cloud: Cloud) -> None:
    assert cloud.run(cloud.store.limits.write(LimitItem(STRIPE, moment=1.0), "")) is not None
    assert cloud.run(cloud.store.limits.write(LimitItem(STRIPE, moment=2.0), "")) is None


@refuses("PutItem", "i", VERSION)
def an_item_of_a_limit_that_another_has_overtaken(cloud: Cloud) -> None:
    first = cloud.run(cloud.store.limits.write(LimitItem(STRIPE, moment=1.0), ""))
    assert cloud.run(cloud.store.limits.write(replace(first, moment=2.0), first.version)) is not None
    assert cloud.run(cloud.store.limits.write(replace(first, moment=3.0), first.version)) is None


@refuses("UpdateItem", "i", PASSED)
def a_moment_that_has_come_to_lie_ahead(cloud: Cloud) -> None:
    assert cloud.run(cloud.store.limits.reserve(LimitItem(STRIPE), 5.0, 100.0, 101.0)) is not None
    assert cloud.run(cloud.store.limits.reserve(LimitItem(STRIPE), 5.0, 100.0, 101.0)) is None


@refuses("UpdateItem", "i", AHEAD)
def a_moment_that_has_passed_by(cloud: Cloud) -> None:
    item = cloud.run(cloud.store.limits.reserve(LimitItem(STRIPE), 5.0, 100.0, 101.0))
    assert cloud.run(cloud.store.limits.reserve(replace(item, moment=900.0), 5.0, 800.0, 801.0)) is None


@refuses("DeleteItem", "w", EXISTS)
def an_entry_of_a_line_that_is_gone(cloud: Cloud) -> None:
    waiter = Waiter("", 0, 1.0, "one/a", Message("step", "one", "a", 0), 0, 10.0)
    cloud.run(cloud.store.limits.leave(STRIPE, waiter))
    assert cloud.run(cloud.store.limits.first(STRIPE)) is None


@refuses("DeleteItem", "numbers", EXISTS)
def numbers_that_were_never_set(cloud: Cloud) -> None:
    cloud.run(cloud.store.limits.set_numbers("stripe", None))
    assert cloud.run(cloud.store.limits.numbers("stripe")) is None


# -- transactions ------------------------------------------------------------------------------------------


@refuses("UpdateItem", "meta", STANDS)
def a_pause_of_what_has_ended(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.intervene(StatusTurn(ONE, replace(ONE, status="PAUSED"))))


@refuses(f"{IN_TRANSACTION}.Update", "meta", STANDS)
def an_unpause_of_what_runs(cloud: Cloud) -> None:
    started(cloud)
    assert not cloud.run(cloud.store.intervene(StatusTurn(replace(ONE, status="PAUSED"), ONE, replace(CUT, number=0))))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def an_unpause_on_an_order_that_has_gone_on(cloud: Cloud) -> None:
    started(cloud, cloud.store.append("one", ENTRY), cloud.store.intervene(StatusTurn(ONE, PAUSED)))
    assert not cloud.run(cloud.store.intervene(StatusTurn(PAUSED, ONE, replace(CUT, number=0))))


@refuses(f"{IN_TRANSACTION}.Update", "meta", UNDER_WAY)
def a_cancel_of_what_has_ended(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), [], 1))


@refuses(f"{IN_TRANSACTION}.Update", "meta", STANDS)
def a_second_resume_of_one_failure(cloud: Cloud) -> None:
    failed(cloud)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [OPEN], []))
    assert not cloud.run(cloud.store.rewind(RESUMED, replace(CUT, number=2), [], []))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def a_cancel_that_knows_of_no_order_yet(cloud: Cloud) -> None:
    started(cloud, cloud.store.append("one", ENTRY))
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), []))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def a_cancel_on_an_order_that_has_gone_on(cloud: Cloud) -> None:
    started(cloud, *(cloud.store.append("one", replace(ENTRY, number=number)) for number in (0, 1)))
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), [], 1))


@refuses(f"{IN_TRANSACTION}.Put", "c", ABSENT)
def a_cancel_beside_a_step_that_has_begun(cloud: Cloud) -> None:
    started(cloud, cloud.store.commit("one", Commit(STEP, wake=False)))
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), [replace(STEP, status="CANCELLED")]))


@refuses(f"{IN_TRANSACTION}.Put", "c", FOLLOWS)
def a_resume_of_a_step_that_has_gone_on(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.rewind(RESUMED, CUT, [replace(OPEN, revision=3)], []))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def a_resume_with_a_first_order_beside_another(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.rewind(RESUMED, replace(CUT, number=0), [], []))


@refuses(f"{IN_TRANSACTION}.Put", "z", ABSENT)
def a_resume_whose_history_another_has_begun(cloud: Cloud) -> None:
    failed(cloud)
    left = {"pk": text("x#one"), "sk": text("z#000001#000000"), "time": number(1.0), "type": text("kept")}
    shared_client("dynamodb").put_item(TableName=TABLE, Item=left)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [OPEN], [Event(2.0, "execution-resumed")]))
    assert [one.type for one in cloud.run(cloud.store.history("one"))] == ["kept", "execution-resumed"]


@refuses(f"{IN_TRANSACTION}.ConditionCheck", "meta", STANDS)
def the_first_part_of_a_large_resume_of_what_has_not_failed(cloud: Cloud) -> None:
    started(cloud)
    assert not cloud.run(cloud.store.rewind(RESUMED, CUT, OTHERS, []))


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
