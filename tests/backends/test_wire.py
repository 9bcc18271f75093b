"""Which calls each write makes, what it costs, and that every parameter is one that AWS takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.aws_units import Call
from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, End, Query
from stepfast.model import Attempt, Chained, Event, Execution, Failure, OrderEntry, Record, Signal
from stepfast.values.codec import digest
from tests.backends.cloud import BUCKET, Cloud
from tests.backends.wire import Wire, faults

ID = "0c5d2a34-98f1-4cf5-a0f5-5c1c6a3b8f5e"
ONE = Execution(
    ID, "order-fulfilment", '{"order_id":"A-1041","items":[{"sku":"lamp","quantity":2}]}', 1_790_000_000.123456
)
NOW = ONE.created_at
TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/var/task/workflows/shop/__init__.py", line {line}, in charge\n    answer = await provider.ask(order)\n'
    for line in range(40, 48)
)
FAILURE = Failure("ConnectError", "the payment provider did not answer within 5 seconds", "charge", TRACEBACK)
STEP = Message("step", ID, "charge", 0, "pdf")


def chained(revision: int = 1, **changes: Any) -> Record:
    """A step's only write in a chain: its result, and the claim of the next one."""
    then = Chained("ship", NOW + 40.0, 0, digest("x"), NOW)
    made = Record(
        "charge", "step", "charge", "SUCCEEDED", 0, revision=revision, attempt=1, token=TOKEN, first_at=NOW,
        started_at=NOW, ended_at=NOW + 0.25, input='{"order_id":"A-1041","amount":129.9,"currency":"EUR"}',
        output='{"payment_id":"pay_8f7d6c5b4a","status":"captured"}', then=then,
    )  # fmt: skip
    return replace(made, **changes)


def names(calls: list[Call]) -> list[str]:
    return [call.operation for call in calls]


@pytest.fixture
def started(hooked: Cloud, wire: Wire) -> Cloud:
    hooked.clock.time = NOW
    hooked.run(hooked.store.create(ONE))
    wire.take()
    return hooked


# -- what each write costs --------------------------------------------------------------------------------


def test_a_start_is_one_conditional_put_of_one_unit_and_one_of_the_index(hooked: Cloud, wire: Wire) -> None:
    hooked.run(hooked.store.create(replace(ONE, labels={})))
    (put,) = wire.take()
    assert (put.operation, put.params["ConditionExpression"]) == ("PutItem", "attribute_not_exists(pk)")
    assert put.write_units == 2


def test_a_start_with_labels_is_one_transaction_with_an_entry_for_each(hooked: Cloud, wire: Wire) -> None:
    hooked.run(hooked.store.create(replace(ONE, labels={"team": "shop", "kind": "test"})))
    (transaction,) = wire.take()
    assert transaction.operation == "TransactWriteItems"
    assert len(transaction.params["TransactItems"]) == 3
    assert transaction.write_units == 3 * (2 + 1)


@pytest.mark.parametrize(
    ("size", "operations"),
    [(2_048, ["PutItem"]), (2_049, ["PutItem"] * 2), (204_801, ["PutItem", "PutObject", "PutItem"])],
)
def test_a_start_with_a_large_input_puts_the_input_first(
    hooked: Cloud, wire: Wire, size: int, operations: list[str]
) -> None:
    execution = replace(ONE, input='"' + "x" * (size - 2) + '"')
    hooked.run(hooked.store.create(execution))
    calls = wire.take()
    assert names(calls) == operations
    assert calls[-1].params["Item"]["sk"] == {"S": "meta"}
    assert calls[-1].write_units <= 4
    assert hooked.run(hooked.make_store().read(ID)) == execution


def test_a_start_that_is_repeated_costs_its_put_and_no_read(started: Cloud, wire: Wire) -> None:
    assert started.run(started.store.create(replace(ONE, created_at=NOW + 5))) == ONE
    assert [(call.operation, call.refused) for call in wire.take()] == [("PutItem", "ConditionalCheckFailedException")]


def test_a_chained_step_is_one_put_of_one_unit(started: Cloud, wire: Wire) -> None:
    assert started.run(started.store.commit(ID, Commit(chained(), wake=False)))
    (put,) = wire.take()
    assert (put.operation, put.write_units, put.read_units) == ("PutItem", 1, 0)
    assert "wake" not in put.params["Item"]


def test_a_claim_and_its_result_are_one_put_of_one_unit_each(started: Cloud, wire: Wire) -> None:
    claim = chained(status="RUNNING", lease=NOW + 40, ended_at=None, output=None, then=None)
    assert started.run(started.store.commit(ID, Commit(claim, wake=False)))
    assert started.run(started.store.commit(ID, Commit(chained(2, then=None), wake=True)))
    assert [(call.operation, call.write_units) for call in wire.take()] == [("PutItem", 1), ("PutItem", 1)]


def test_a_retry_is_one_put_that_stays_small_however_often_it_failed(started: Cloud, wire: Wire) -> None:
    attempts: tuple[Attempt, ...] = ()
    units = []
    for number in range(1, 41):
        attempts = (*attempts, Attempt(number, NOW + number, NOW + number + 0.5, FAILURE, NOW + number + 1))
        retrying = chained(
            number, status="RETRYING", attempt=number, due=NOW + number + 1, output=None, then=None, ended_at=None,
            error=FAILURE, attempts=attempts,
        )  # fmt: skip
        assert started.run(started.store.commit(ID, Commit(retrying, wake=False)))
        (put,) = wire.take()
        assert put.operation == "PutItem"
        units.append(put.write_units)
    assert units[0] == 2  # the traceback is stored once, as the record's own
    assert max(units) <= 4


def test_a_signal_is_counted_and_put_with_one_unit_each(started: Cloud, wire: Wire) -> None:
    started.run(started.store.add_signal(ID, Signal("s1", "approved", '{"by":"Ada"}', NOW)))
    assert [(call.operation, call.write_units) for call in wire.take()] == [("UpdateItem", 1), ("PutItem", 1)]


def test_a_timer_that_comes_due_is_one_read_of_two_items_and_one_put(started: Cloud, wire: Wire) -> None:
    assert started.run(started.store.peek(ID, ":timer")) == (ONE, None)
    started.run(started.store.commit(ID, Commit(Record(":timer", "timer", "timer", "SUCCEEDED", 0), wake=True)))
    calls = wire.take()
    assert names(calls) == ["BatchGetItem", "PutItem"]
    assert [(call.read_units, call.write_units) for call in calls] == [(2, 0), (0, 1)]


def test_an_end_is_one_update_that_moves_the_execution_in_the_index(started: Cloud, wire: Wire) -> None:
    assert started.run(started.store.finish(End(replace(ONE, status="SUCCEEDED", result="{}", ended_at=NOW + 9))))
    assert [(call.operation, call.write_units) for call in wire.take()] == [("UpdateItem", 3)]


def test_a_last_result_with_its_end_is_a_put_and_an_update(started: Cloud, wire: Wire) -> None:
    ended = replace(ONE, status="SUCCEEDED", result="{}", ended_at=NOW + 9)
    assert started.run(started.store.commit(ID, Commit(chained(then=None), wake=False, end=End(ended))))
    assert names(wire.take()) == ["PutItem", "UpdateItem"]


def test_a_gather_of_a_hundred_is_sent_in_ten_batches_and_marked_in_one_put(started: Cloud, wire: Wire) -> None:
    ids = [f"render#{number}" for number in range(100)]
    messages = [(replace(STEP, command_id=id), None) for id in ids]
    assert started.run(started.store.append(ID, OrderEntry(0, 0, dispatched=tuple(ids)), messages))
    calls = wire.take()
    assert names(calls) == ["SendMessageBatch"] * 10 + ["PutItem"]
    assert sum(call.requests for call in calls[:-1]) == 10
    assert calls[-1].write_units == 1  # a hundred ids, compressed


def test_an_order_of_a_thousand_results_takes_few_units(started: Cloud, wire: Wire) -> None:
    ids = [f"gather.{number % 7}/render#{number}" for number in range(1000)]
    assert started.run(started.store.append(ID, OrderEntry(0, 0, tuple(ids), tuple(ids[500:]))))
    assert wire.take()[0].write_units <= 8


def test_a_resume_is_one_transaction_and_so_is_a_cancel(started: Cloud, wire: Wire) -> None:
    started.run(started.store.commit(ID, Commit(chained(status="FAILED", error=FAILURE), wake=False)))
    started.run(started.store.finish(End(replace(ONE, status="FAILED", error=FAILURE, ended_at=NOW))))
    wire.take()
    reopened = Record("charge", "step", "charge", "OPEN", 1, revision=2)
    events = [Event(NOW, "step-failed", "charge"), Event(NOW, "execution-failed"), Event(NOW, "execution-resumed")]
    resumed = replace(ONE, generation=1, resumed_at=NOW + 60)
    assert started.run(started.store.rewind(resumed, OrderEntry(0, 1, cut=0), [reopened], events))
    (rewind,) = wire.take()
    assert rewind.operation == "TransactWriteItems"
    assert [next(iter(one)) for one in rewind.params["TransactItems"]] == ["Update", "Put", "Put", "Put", "Put", "Put"]
    assert started.run(
        started.store.cancel(End(replace(resumed, status="CANCELLED")), [replace(reopened, revision=3)], 1)
    )
    assert names(wire.take()) == ["TransactWriteItems"]


# -- reading ---------------------------------------------------------------------------------------------


def test_a_load_is_one_consistent_query_of_all_but_the_history(started: Cloud, wire: Wire) -> None:
    for number in range(15):
        started.run(started.store.commit(ID, Commit(chained(id=f"charge#{number}"), wake=False)))
    wire.take()
    assert len(started.run(started.store.load(ID)).records) == 15
    (query,) = wire.take()
    assert (query.operation, query.params["ConsistentRead"]) == ("Query", True)
    assert query.read_units == 2


def test_an_input_in_an_item_of_its_own_is_read_once_by_each_process(hooked: Cloud, wire: Wire) -> None:
    execution = replace(ONE, input='"' + "x" * 100_000 + '"')
    hooked.run(hooked.store.create(execution))
    other = hooked.make_store()
    wire.take()
    for expected in (["GetItem", "GetItem"], ["GetItem"]):
        assert hooked.run(other.read(ID)) == execution
        assert names(wire.take()) == expected
    assert hooked.run(other.load(ID)).execution == execution
    assert names(wire.take()) == ["Query"]


def test_a_page_reads_the_index_in_halves_and_its_executions_in_one_batch(started: Cloud, wire: Wire) -> None:
    page = started.run(started.store.page(Query(status="RUNNING", workflow=ONE.workflow, labels={}, limit=10)))
    assert page.executions == (ONE,)
    assert names(wire.take()) == [*["Query"] * 4, "BatchGetItem"], "roots and children have partitions of their own"


# -- the other services ----------------------------------------------------------------------------------


def test_what_is_sent_fits_the_services_models(started: Cloud, wire: Wire) -> None:
    messages = [(STEP, None), (replace(STEP, kind="timer"), NOW + 60.5), (replace(STEP, kind="timer"), NOW + 9999)]
    started.run(started.queue.send([*messages, (Message("park", ID, "", 0), None)]))
    assert names(wire.take()) == ["SendMessageBatch", "SendMessageBatch", "SendMessageBatch", "CreateSchedule"]


def test_a_value_in_the_bucket_is_put_with_the_item_that_names_it(started: Cloud, wire: Wire) -> None:
    large = chained(output='"' + "x" * 300_000 + '"')
    assert started.run(started.store.commit(ID, Commit(large, wake=False)))
    note, put, item = wire.take()  # the note that there are values in the bucket comes first
    assert note.params["Item"]["sk"] == {"S": "large"}
    assert (put.operation, put.params["Bucket"]) == ("PutObject", BUCKET)
    assert item.params["Item"]["output"] == {"M": {"s3": {"S": put.params["Key"]}, "n": {"N": "300002"}}}
    assert item.write_units == 1


def test_the_check_of_parameters_finds_what_moto_would_take() -> None:
    wrong = Call("scheduler", "CreateSchedule", {
        "Name": "no spaces", "ScheduleExpression": "at(2026-01-01T00:00:00)", "ActionAfterCompletion": "KEEP",
        "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": "a", "RoleArn": "not an arn"},
    })  # fmt: skip
    told = "\n".join(faults(wrong))
    for part in ("Name", "ActionAfterCompletion", "RoleArn"):
        assert part in told
    too_many = Call("sqs", "SendMessageBatch", {"QueueUrl": "u", "Entries": [{"Id": "1"}]})
    assert "MessageBody" in "\n".join(faults(too_many))
