"""DynamoDB streams to a function: filters, batches, order, retries, bisecting, giving up, TTL."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepfast.simulator import resources
from stepfast.simulator.lane import StreamMapping
from stepfast.simulator.player import Player
from stepfast.simulator.queues import QueueMapping
from stepfast.simulator.rules import Rules
from stepfast.simulator.simulated_time import SimulatedTime
from stepfast.simulator.streams import Stream
from tests.simulator.conftest import Toys, send, waiting

WAKE = {"dynamodb": {"NewImage": {"wake": {"N": [{"exists": True}]}}}}
TTL = {
    "eventName": ["REMOVE"],
    "userIdentity": {"principalId": ["dynamodb.amazonaws.com"]},
    "dynamodb": {"Keys": {"sk": {"S": ["meta"]}}},
}
SECOND = timedelta(seconds=1)


def put(pk: str, sk: str = "meta", **attributes: Any) -> None:
    item = {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}
    resources.client("dynamodb").put_item(TableName="t", Item=item)


def delete(pk: str, sk: str = "meta") -> None:
    resources.client("dynamodb").delete_item(TableName="t", Key={"pk": {"S": pk}, "sk": {"S": sk}})


@pytest.fixture
def one_shard() -> Rules:
    return Rules(shards=1)


@pytest.fixture
def player(one_shard: Rules) -> Any:
    with Player(SimulatedTime(rules=one_shard)) as player:
        yield player


@pytest.fixture
def stream(player: Player) -> Stream:
    resources.create_table("t")
    return player.stream("t")


def failing(*keys: str) -> Callable[[Any], Any]:
    """A handler that reports the records of these partition keys as failed."""

    def handler(event: Any) -> Any:
        failed = [
            one["dynamodb"]["SequenceNumber"] for one in event["Records"] if one["dynamodb"]["Keys"]["pk"]["S"] in keys
        ]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    return handler


def raising(*keys: str) -> Callable[[Any], Any]:
    """A handler that fails as a whole when its batch has one of these partition keys."""

    def handler(event: Any) -> None:
        if any(one["dynamodb"]["Keys"]["pk"]["S"] in keys for one in event["Records"]):
            raise ValueError("no")

    return handler


def test_only_what_passes_the_filters_arrives(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping(filters=(WAKE, TTL)))
    put("a")
    put("b", wake={"N": "1"})
    put("b")  # without the mark
    put("c", wake={"S": "not a number"})
    delete("b")
    player.advance(SECOND)
    assert toys.keys == [["b/meta"]]


def test_a_record_is_as_lambda_has_it(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping())
    put("a", blob={"B": b"\x00\x01"})
    player.advance(SECOND)
    (record,) = toys.events[0][1]["Records"]
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"]["blob"] == {"B": "AAE="}
    assert record["dynamodb"]["Keys"] == {"pk": {"S": "a"}, "sk": {"S": "meta"}}
    assert record["dynamodb"]["ApproximateCreationDateTime"] == player.world.clock.now - 1
    assert record["eventSourceARN"].startswith("arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/")
    assert (record["eventSource"], record["awsRegion"]) == ("aws:dynamodb", "eu-central-1")
    assert "userIdentity" not in record


def test_a_put_that_changes_nothing_has_no_record(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping())
    for _ in range(3):
        put("a", n={"N": "1"})
    put("a", n={"N": "2"})
    player.advance(SECOND)
    names = [one["eventName"] for _, event in toys.events for one in event["Records"]]
    assert names == ["INSERT", "MODIFY"]


def test_a_transaction_that_is_refused_has_no_records(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping())
    puts = [
        {"TableName": "t", "Item": {"pk": {"S": pk}, "sk": {"S": "meta"}}, "ConditionExpression": condition}
        for pk, condition in (("a", "attribute_not_exists(pk)"), ("b", "attribute_exists(pk)"))
    ]
    with pytest.raises(ClientError, match="TransactionCanceled"):
        resources.client("dynamodb").transact_write_items(TransactItems=[{"Put": one} for one in puts])
    put("c")
    player.advance(SECOND)
    assert toys.keys == [["c/meta"]]


def test_records_come_in_batches_in_the_order_of_their_writes(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping(batch_size=2))
    for number in range(5):
        put("a", str(number))
    player.advance(SECOND)
    assert toys.keys == [["a/0", "a/1"], ["a/2", "a/3"], ["a/4"]]


def test_a_batch_waits_for_its_window_unless_it_is_full(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping(batch_size=3, window=5))
    put("a", "0")
    player.advance(SECOND * 4)
    put("a", "1")
    player.advance(SECOND * 2)
    assert (toys.keys, toys.times) == ([["a/0", "a/1"]], [pytest.approx(5.2)])
    for number in "234":
        put("a", number)
    player.advance(SECOND)
    assert toys.keys[1] == ["a/2", "a/3", "a/4"]


@pytest.mark.parametrize(("position", "expected"), [("TRIM_HORIZON", [["a/0"], ["a/1"]]), ("LATEST", [["a/1"]])])
def test_a_mapping_begins_where_it_is_told_to(
    player: Player, toys: Toys, stream: Stream, position: Any, expected: Any
) -> None:
    put("a", "0")
    player.advance(SECOND)
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping(starting_position=position))
    player.advance(SECOND)
    put("a", "1")
    player.advance(SECOND)
    assert toys.keys == expected


def test_a_partial_failure_is_tried_again_from_the_lowest_failed_number(
    player: Player, toys: Toys, stream: Stream
) -> None:
    fails = [True]

    def handler(event: Any) -> Any:
        numbers = [one["dynamodb"]["SequenceNumber"] for one in event["Records"]]
        if fails:
            fails.pop()
            return {"batchItemFailures": [{"itemIdentifier": numbers[3]}, {"itemIdentifier": numbers[1]}]}
        return None

    player.map_stream(stream, toys.function(handler), StreamMapping())
    for number in range(5):
        put("a", str(number))
    player.advance(SECOND * 5)
    assert toys.keys == [["a/0", "a/1", "a/2", "a/3", "a/4"], ["a/1", "a/2", "a/3", "a/4"]]


def test_a_batch_that_fails_holds_up_its_shard(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(raising("poison")), StreamMapping(batch_size=1))
    put("poison")
    player.advance(timedelta(hours=3))
    put("a")
    player.advance(timedelta(hours=20))
    assert {tuple(one) for one in toys.keys} == {("poison/meta",)}
    player.advance(timedelta(hours=2))  # the stream keeps it a day
    assert toys.keys[-1] == ["a/meta"]


def test_other_shards_go_on_meanwhile(toys: Toys, player: Player, stream: Stream) -> None:
    player.world.rules = Rules(shards=4)
    player.map_stream(stream, toys.function(raising("poison")), StreamMapping())
    put("poison")
    for name in "abcdefgh":
        put(name)
    player.advance(SECOND * 10)
    come = {one for batch in toys.keys for one in batch if "poison/meta" not in batch}
    assert len(come) >= 4


def test_bisecting_finds_the_poison_and_spares_the_rest(player: Player, toys: Toys, stream: Stream) -> None:
    resources.create_queue("failures")
    mapping = StreamMapping(bisect=True, retry_attempts=2, failure_queue="failures")
    player.map_stream(stream, toys.function(raising("poison")), mapping)
    for name in ("a", "b", "poison", "c"):
        put(name)
    player.advance(timedelta(minutes=1))
    good = [batch for batch in toys.keys if "poison/meta" not in batch]
    assert good == [["a/meta", "b/meta"], ["c/meta"]]
    assert toys.keys.count(["poison/meta"]) == 3  # once and two retries
    (told,) = (json.loads(one) for one in waiting("failures"))
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1


def test_what_is_given_up_is_told_of_with_the_metadata_that_aws_sends(
    player: Player, toys: Toys, stream: Stream
) -> None:
    resources.create_queue("failures")
    mapping = StreamMapping(retry_attempts=1, failure_queue="failures")
    player.map_stream(stream, toys.function(raising("poison")), mapping)
    put("poison", secret={"S": "not to be told"})
    put("a")
    player.advance(timedelta(minutes=1))
    assert len(toys.events) == 2
    (text,) = waiting("failures")
    told = json.loads(text)
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 2
    assert told["requestContext"]["functionArn"].endswith(":function:toy")
    assert told["version"] == "1.0"
    info = told["DDBStreamBatchInfo"]
    numbers = [one["dynamodb"]["SequenceNumber"] for one in toys.events[0][1]["Records"]]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (numbers[0], numbers[1])
    assert info["batchSize"] == 2
    assert "not to be told" not in text


def test_what_is_too_old_is_given_up(player: Player, toys: Toys, stream: Stream) -> None:
    resources.create_queue("failures")
    mapping = StreamMapping(max_age=600, failure_queue="failures", batch_size=1)
    player.map_stream(stream, toys.function(raising("poison")), mapping)
    put("poison")
    player.advance(timedelta(minutes=5))
    put("young")
    player.advance(timedelta(minutes=8))
    assert json.loads(waiting("failures")[0])["requestContext"]["condition"] == "RecordAgeExceeded"
    assert toys.keys[-1] == ["young/meta"]


def test_a_partial_failure_at_the_head_uses_up_the_retries_of_all_that_is_left(
    player: Player, toys: Toys, stream: Stream
) -> None:
    resources.create_queue("failures")
    mapping = StreamMapping(bisect=True, retry_attempts=2, failure_queue="failures")
    player.map_stream(stream, toys.function(failing("poison")), mapping)
    for name in ("a", "poison", "b"):
        put(name)
    player.advance(timedelta(minutes=1))
    assert toys.keys[0] == ["a/meta", "poison/meta", "b/meta"]
    assert toys.keys[1:] == [["poison/meta", "b/meta"]] * 3
    assert json.loads(waiting("failures")[0])["DDBStreamBatchInfo"]["batchSize"] == 2


def test_with_parallelization_keys_go_on_beside_each_other_and_each_in_order(
    player: Player, toys: Toys, stream: Stream
) -> None:
    running: list[int] = []
    most = 0

    def build(sandbox: Any) -> Any:
        import asyncio

        def handler(event: Any, context: Any) -> None:
            nonlocal most
            running.append(1)
            most = max(most, len(running))
            toys.events.append((toys.since(), event))
            sandbox.call(asyncio.sleep(1))
            running.pop()

        return handler

    player.map_stream(stream, player.function("slow", build), StreamMapping(parallelization=10, batch_size=1))
    for number in range(3):
        for name in "abcdef":
            put(name, str(number))
    player.advance(SECOND * 30)
    flat = [batch[0] for batch in toys.keys]
    assert most > 1
    assert all([one for one in flat if one[0] == name] == [f"{name}/{n}" for n in range(3)] for name in "abcdef")


def test_an_item_whose_time_has_passed_is_removed_by_dynamodb_itself(
    player: Player, toys: Toys, stream: Stream
) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping(filters=(WAKE, TTL)))
    expires = int(player.world.clock.now) + 86400
    put("old", expires={"N": str(expires)})
    put("kept", expires={"N": str(expires)})
    put("old", "other", expires={"N": str(expires)})
    put("kept")
    put("by-hand")
    delete("by-hand")
    player.advance(timedelta(days=1))
    assert toys.events == []
    player.advance(timedelta(days=1))
    assert toys.keys == [["old/meta"]]
    (record,) = toys.events[0][1]["Records"]
    assert record["eventName"] == "REMOVE"
    assert record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    left = resources.client("dynamodb").scan(TableName="t")["Items"]
    assert [one["pk"]["S"] for one in left] == ["kept"]


def test_large_records_come_in_smaller_batches(player: Player, toys: Toys, stream: Stream) -> None:
    player.map_stream(stream, toys.function(lambda event: None), StreamMapping())
    for number in range(20):
        put(f"x{number}", blob={"S": "x" * 380_000})
    player.advance(SECOND)
    assert [len(one) for one in toys.keys] == [16, 4]


def test_a_throttled_function_gets_its_records_later(player: Player, toys: Toys, stream: Stream) -> None:
    function = toys.sleeper(lambda event: 10, reserved=1)
    player.map_stream(stream, function, StreamMapping(retry_attempts=0))
    queue = resources.create_queue("q", visibility=60)
    send(queue, "busy")
    player.map_queue(queue, function, QueueMapping())
    player.advance(timedelta(milliseconds=100))
    put("a")
    player.advance(timedelta(seconds=30))
    assert [("dynamodb" in event["Records"][0]) for _, event in toys.events] == [False, True]
