"""Values that are too large for an item: moved to the bucket, found again, and missed with a clear error."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.dynamodb.typed_json import size_of, text
from stepfast.engine.order import cursor_of
from stepfast.engine.ports import Commit, End, Query
from stepfast.errors import InvalidRequest, StartupError, Unavailable
from stepfast.model import Event, Execution, Failure, OrderEntry, Record, Signal
from stepfast.stored_text import text_of
from tests.backends.cloud import BUCKET, TABLE, Cloud, shared_client
from tests.backends.wire import Wire

LARGE = 200 * 1024
ONE = Execution("one", "w", "1", 1000.0)


def value(size: int, fill: str = "x") -> str:
    """A JSON text of so many bytes."""
    return json.dumps(fill * ((size - 2) // len(fill.encode())), ensure_ascii=False)


def objects() -> dict[str, bytes]:
    s3 = shared_client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}


def step(**changes: Any) -> Record:
    return replace(Record("a", "step", "a", "SUCCEEDED", 0), **changes)


@pytest.fixture
def started(cloud: Cloud) -> Cloud:
    cloud.run(cloud.store.create(ONE))
    return cloud


def written(cloud: Cloud, record: Record) -> dict[str, Any]:
    """The item that a record becomes, once another process has read the record back from it."""
    assert cloud.run(cloud.store.commit("one", Commit(record, wake=False)))
    assert cloud.run(cloud.make_store().load("one")).records["a"] == record
    return cloud.item("one", "c#a")


@pytest.mark.parametrize(("size", "moved"), [(LARGE, False), (LARGE + 1, True), (3_000_000, True)])
@pytest.mark.parametrize("field", ["input", "output"])
def test_a_value_above_200_kb_goes_to_the_bucket(started: Cloud, field: str, size: int, moved: bool) -> None:
    large = value(size)
    item = written(started, step(**{field: large}))
    assert ("M" in item[field]) is moved
    key = f"x/one/{hashlib.sha256(large.encode()).hexdigest()}"
    assert objects() == ({key: large.encode()} if moved else {})


def test_bytes_count_not_characters(started: Cloud) -> None:
    item = written(started, step(output=value(LARGE + 2, "é")))
    assert "M" in item["output"]


def test_an_item_of_399_kb_keeps_its_smaller_value_and_moves_the_larger(started: Cloud) -> None:
    item = written(started, step(input=value(199 * 1024), output=value(LARGE)))
    assert ("S" in item["input"], "M" in item["output"]) == (True, True)
    assert size_of(item) < 350 * 1024


def test_an_item_of_349_kb_is_left_as_it_is(started: Cloud) -> None:
    item = written(started, step(input=value(174 * 1024), output=value(175 * 1024)))
    assert ("S" in item["input"], "S" in item["output"]) == (True, True)
    assert objects() == {}


def test_an_item_that_fills_what_dynamodb_takes_is_read(started: Cloud) -> None:
    """Another version may have been less careful; what is in the table must be readable."""
    item = written(started, step(input="1"))
    item["output"] = text(value(395 * 1024))  # moto takes 5 KB less than DynamoDB does
    shared_client("dynamodb").put_item(TableName=TABLE, Item=item)
    assert size_of(item) > 395 * 1024
    assert started.run(started.store.load("one")).records["a"].output == item["output"]["S"]


def test_every_kind_of_item_may_hold_large_values(cloud: Cloud) -> None:
    """Inputs, results, failures, signals, history and the order of a very wide execution."""
    draw = random.Random(7)
    execution = Execution("one", "w", value(LARGE + 1, "i"), 1000.0)
    failed = replace(execution, status="FAILED", error=Failure("E", value(LARGE + 1, "m")), causes=("a",), ended_at=1.0)
    signal = Signal("s", "go", value(LARGE + 1, "p"), 1000.0)
    entry = OrderEntry(0, 0, tuple(draw.randbytes(16).hex() for _ in range(20_000)))
    event = Event(1.0, "step-succeeded", None, {"output": "e" * LARGE})
    store, other = cloud.store, cloud.make_store()
    cloud.run(store.create(execution))
    cloud.run(store.add_signal("one", signal))
    assert cloud.run(store.append("one", entry))
    assert cloud.run(store.finish(End(failed)))
    loaded = cloud.run(other.load("one"))
    assert (loaded.execution, loaded.signals, loaded.cursor) == (failed, (signal,), cursor_of([entry]))
    assert cloud.run(store.rewind(replace(execution, generation=1), OrderEntry(1, 1, cut=0), [], [event]))
    assert cloud.run(other.history("one")) == [event]
    assert len(objects()) == 5
    ended = replace(execution, status="SUCCEEDED", generation=1, result=value(LARGE + 1, "r"), ended_at=2.0)
    assert cloud.run(store.finish(End(ended)))
    assert cloud.run(other.read("one")) == ended
    assert cloud.run(other.page(Query())).executions == (ended,)
    assert cloud.run(other.create(replace(execution, workflow="other"))) == ended


def test_an_entry_of_the_order_that_was_refused_leaves_nothing_in_the_bucket(started: Cloud) -> None:
    draw = random.Random(7)
    ids = tuple(draw.randbytes(16).hex() for _ in range(40_000))
    first, later = OrderEntry(0, 0, ids[:20_000], seal="aa"), OrderEntry(1, 0, ids[20_000:], seal="bb")
    assert started.run(started.store.append("one", first))
    kept = objects()
    assert len(kept) == 1
    for applied in (ids[:20_000], ids[20_000:]):  # the same order as the entry that stands there, and another
        assert not started.run(started.make_store().append("one", OrderEntry(0, 0, applied, seal="cc")))
        assert objects() == kept
    assert started.run(started.store.append("one", later))
    assert len(objects()) == 2
    assert started.run(started.make_store().load("one")).cursor == cursor_of([first, later])


class Undeletable(S3Blobs):
    def discard(self, key: str) -> None:
        raise Unavailable("the bucket is away")


def test_an_entry_is_refused_also_while_the_bucket_is_away(started: Cloud) -> None:
    started.blobs = Undeletable(lambda: shared_client("s3"), BUCKET)
    draw = random.Random(7)
    large = OrderEntry(0, 0, tuple(draw.randbytes(16).hex() for _ in range(20_000)), seal="aa")
    assert started.run(started.make_store().append("one", large))
    assert not started.run(started.make_store().append("one", replace(large, seal="cc")))


def test_equal_values_share_one_object(started: Cloud) -> None:
    large = value(LARGE + 1)
    for id in ("a", "b"):
        assert started.run(started.store.commit("one", Commit(step(id=id, input=large, output=large), wake=False)))
    assert len(objects()) == 1


def test_blobs_are_fetched_when_they_are_looked_at_and_once(hooked: Cloud, wire: Wire) -> None:
    hooked.run(hooked.store.create(ONE))
    written = [
        step(id=str(number), input=value(LARGE + 1), output=value(LARGE + 1, str(number % 10))) for number in range(12)
    ]
    for record in written:
        assert hooked.run(hooked.store.commit("one", Commit(record, wake=False)))
    other = hooked.make_store()
    wire.take()
    records = hooked.run(other.load("one")).records
    assert [call.operation for call in wire.take()] == ["Query"]
    assert records == {record.id: record for record in written}  # by their digests
    assert {record.output.size for record in records.values()} == {LARGE + 1}
    assert wire.take() == []
    for _ in range(2):
        assert [text_of(records[record.id].output) for record in written] == [record.output for record in written]
    assert [call.operation for call in wire.take()] == ["GetObject"] * 10
    again = hooked.run(other.load("one")).records
    assert text_of(again["3"].input) == written[3].input
    assert sorted(call.operation for call in wire.take()) == ["GetObject", "Query"]


def test_a_record_is_written_again_without_a_look_at_its_values(hooked: Cloud, wire: Wire) -> None:
    hooked.run(hooked.store.create(ONE))
    claimed = step(status="RUNNING", input=value(LARGE + 1), token="first")
    assert hooked.run(hooked.store.commit("one", Commit(claimed, wake=False)))
    other = hooked.make_store()
    held = hooked.run(other.peek("one", "a"))[1]
    wire.take()
    assert hooked.run(other.commit("one", Commit(replace(held, revision=2, token="second"), wake=False)))
    assert [call.operation for call in wire.take()] == ["PutItem"]
    assert hooked.run(other.load("one")).records["a"] == replace(claimed, revision=2, token="second")


def test_values_without_a_size_are_read_too(started: Cloud) -> None:
    """Version 0.1 wrote none."""
    item = written(started, step(output=value(LARGE + 1)))
    del item["output"]["M"]["n"]
    shared_client("dynamodb").put_item(TableName=TABLE, Item=item)
    output = started.run(started.make_store().load("one")).records["a"].output
    assert (output.size, text_of(output)) == (None, value(LARGE + 1))


def test_without_values_none_is_fetched_but_the_error_is(hooked: Cloud, wire: Wire) -> None:
    failure = Failure("ValueError", "m" * (LARGE + 1), None, None)
    ended = {
        "one": replace(ONE, input=value(5000), status="SUCCEEDED", result=value(LARGE + 1), ended_at=2.0),
        "two": replace(ONE, execution_id="two", input=value(LARGE + 1), status="FAILED", error=failure, ended_at=2.0),
    }
    for one in ended.values():
        hooked.run(hooked.store.create(replace(one, status="RUNNING", result=None, error=None, ended_at=None)))
        assert hooked.run(hooked.store.finish(End(one)))
    expected = {id: replace(one, input="", result=None) for id, one in ended.items()}
    other = hooked.make_store()
    wire.take()
    found = hooked.run(other.read_many(["one", "two", "one", "three"]))
    assert {one.execution_id: one for one in found} == expected
    assert [call.operation for call in wire.take()] == ["BatchGetItem", "GetObject"]
    page = hooked.run(hooked.make_store().page(Query(values=False)))
    assert page.executions == (expected["two"], expected["one"])
    assert sorted({call.operation for call in wire.take()}) == ["BatchGetItem", "GetObject", "Query"]


def _output(cloud: Cloud, store: Any) -> str | None:
    return text_of(cloud.run(store.load("one")).records["a"].output)


def test_a_value_that_somebody_deleted_is_told_with_where_it_was(started: Cloud) -> None:
    assert started.run(started.store.commit("one", Commit(step(output=value(LARGE + 1)), wake=False)))
    (key,) = objects()
    shared_client("s3").delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(StartupError, match=f"the bucket '{BUCKET}' has lost the value {key}.*lifecycle"):
        _output(started, started.make_store())
    assert _output(started, started.store) == value(LARGE + 1)  # this process still has it


def test_a_value_that_somebody_changed_is_not_taken_for_the_one_that_was_put(started: Cloud) -> None:
    assert started.run(started.store.commit("one", Commit(step(output=value(LARGE + 1)), wake=False)))
    (key,) = objects()
    shared_client("s3").put_object(Bucket=BUCKET, Key=key, Body=b'"mine"')
    with pytest.raises(StartupError, match="holds another value than was put"):
        _output(started, started.make_store())


def test_an_input_that_somebody_deleted_is_told(cloud: Cloud) -> None:
    cloud.run(cloud.store.create(replace(ONE, input=value(5000))))
    digest = cloud.item("one", "meta")["input"]["M"]["item"]["S"]
    key = {"pk": text("x#one"), "sk": text(f"input#{digest}")}
    shared_client("dynamodb").delete_item(TableName=TABLE, Key=key)
    with pytest.raises(StartupError, match="has lost the input of execution 'one'"):
        cloud.run(cloud.make_store().read("one"))


def test_what_no_bucket_can_help_is_refused_before_it_is_sent(cloud: Cloud) -> None:
    labels = {f"label-{number}": "x" * 1000 for number in range(410)}
    with pytest.raises(InvalidRequest, match="more than DynamoDB takes.*labels"):
        cloud.run(cloud.store.create(replace(ONE, labels=labels)))
    assert cloud.run(cloud.store.read("one")) is None


def test_a_label_that_is_called_like_a_reference_is_a_label(cloud: Cloud) -> None:
    labelled = replace(ONE, labels={"s3": "sha256/none", "item": "x"})
    cloud.run(cloud.store.create(labelled))
    assert cloud.run(cloud.store.read("one")) == labelled


def test_values_in_memory_are_bounded(started: Cloud) -> None:
    for number in range(30):
        record = step(id=str(number), output=value(1_000_000, str(number % 10) + "y" * number))
        assert started.run(started.store.commit("one", Commit(record, wake=False)))
    texts = started.store._texts
    assert texts._cached == sum(map(len, texts._cache.values())) <= 16 * 1024 * 1024
    records = started.run(started.store.load("one")).records
    assert sum(len(text_of(record.output) or "") for record in records.values()) > 29_000_000
    assert texts._cached == sum(map(len, texts._cache.values())) <= 16 * 1024 * 1024
