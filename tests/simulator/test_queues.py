"""SQS to a function: batches, partial failures, visibility, delay, concurrency, dead letters, at-least-once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import Message

from stepfast.simulator import resources
from stepfast.simulator.player import Player
from stepfast.simulator.queues import QueueMapping
from stepfast.simulator.rules import Rules
from stepfast.simulator.sandbox import Sandbox
from stepfast.simulator.simulated_time import SimulatedTime
from tests.simulator.conftest import Toys, send, waiting

MINUTE = timedelta(minutes=1)


def failing(*bodies: str) -> Any:
    """A handler that reports these messages as failed."""

    def handler(event: Any) -> Any:
        failed = [one["messageId"] for one in event["Records"] if one["body"] in bodies]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    return handler


def crash(event: Any) -> None:
    raise ValueError("no")


def test_messages_come_in_batches_and_are_deleted(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, *"abcde")
    player.map_queue(queue, toys.function(lambda event: None), QueueMapping(batch_size=2))
    player.advance(MINUTE)
    assert toys.batches == [["a", "b"], ["c", "d"], ["e"]]
    assert waiting(queue) == []


def test_a_record_is_as_lambda_has_it(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    sent_at = str(int(player.now.timestamp() * 1000))
    sent = resources.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
    player.map_queue(queue, toys.function(lambda event: None), QueueMapping())
    player.advance(MINUTE)
    (record,) = toys.events[0][1]["Records"]
    assert record["messageId"] == sent["MessageId"]
    assert record["eventSourceARN"] == "arn:aws:sqs:eu-central-1:123456789012:q"
    assert record["attributes"]["SentTimestamp"] == sent_at
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert (record["eventSource"], record["awsRegion"], record["messageAttributes"]) == ("aws:sqs", "eu-central-1", {})


def test_only_what_was_reported_as_failed_comes_again_when_its_visibility_ends(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=90)
    send(queue, *"abc")
    player.map_queue(queue, toys.function(failing("b")), QueueMapping())
    player.advance(timedelta(seconds=100))
    assert toys.batches == [["a", "b", "c"], ["b"]]
    assert toys.times[1] - toys.times[0] == pytest.approx(90.02, abs=0.01)
    counts = [one["attributes"]["ApproximateReceiveCount"] for _, event in toys.events for one in event["Records"]]
    assert counts == ["1", "1", "1", "2"]


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"id": "x"}]},
        "done",
    ],
)
def test_an_answer_that_is_not_understood_fails_the_whole_batch(player: Player, toys: Toys, answer: Any) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")
    player.map_queue(queue, toys.function(lambda event: answer), QueueMapping())
    player.advance(timedelta(seconds=50))
    assert waiting(queue) == ["a"]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_empty_answer_is_a_success(player: Player, toys: Toys, answer: Any) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")
    player.map_queue(queue, toys.function(lambda event: answer), QueueMapping())
    player.advance(timedelta(seconds=50))
    assert waiting(queue) == []


def test_without_partial_failures_a_report_is_ignored(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")
    player.map_queue(queue, toys.function(failing("a")), QueueMapping(report_failures=False))
    player.advance(MINUTE)
    assert waiting(queue) == []


def test_a_function_that_raises_or_times_out_deletes_nothing(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")
    player.map_queue(queue, toys.sleeper(lambda event: 3600, timeout=60), QueueMapping())
    player.advance(timedelta(seconds=130))
    assert [one.outcome for one in player.invocations[:2]] == ["timeout", "timeout"]
    assert waiting(queue) == ["a"]


def test_a_delayed_message_comes_when_its_delay_is_over(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    player.map_queue(queue, toys.function(lambda event: None), QueueMapping())
    send(queue, "later", delay=600)
    player.advance(timedelta(seconds=599))
    assert toys.events == []
    player.advance(timedelta(seconds=2))
    assert toys.times == [600.02]


def test_visibility_that_a_function_changes_decides_when_the_message_comes_again(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")

    def handler(clients: Any, event: Any, context: Any) -> Any:
        (record,) = event["Records"]
        toys.events.append((toys.since(), event))
        clients.sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=3600
        )
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    player.map_queue(queue, toys.caller(handler), QueueMapping())
    player.advance(timedelta(seconds=3700))
    assert toys.times == [0.0, pytest.approx(3600.02, abs=0.01)]


def test_visibility_is_at_most_twelve_hours_since_the_receive_not_since_the_sending(player: Player) -> None:
    queue, sqs = resources.create_queue("q", visibility=60), resources.client("sqs")
    send(queue, "a")
    player.advance(timedelta(hours=20))
    receipt = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=3600)
    player.advance(timedelta(minutes=50))
    with pytest.raises(ClientError, match="beyond the limit"):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=43_200)


def test_the_visibility_of_what_is_not_in_flight_cannot_be_changed(player: Player) -> None:
    queue, sqs = resources.create_queue("q", visibility=60), resources.client("sqs")
    send(queue, "a")
    receipt = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    player.advance(timedelta(seconds=61))
    with pytest.raises(ClientError, match="MessageNotInflight"):
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=60)


def test_an_older_receipt_neither_deletes_nor_hides_a_message(player: Player) -> None:
    queue, sqs = resources.create_queue("q", visibility=60), resources.client("sqs")
    send(queue, "a")
    first = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    player.advance(timedelta(seconds=61))
    second = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=first, VisibilityTimeout=36_000)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first)
    assert waiting(queue) == ["a"]
    player.advance(timedelta(seconds=61))
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1
    assert waiting(queue) == ["a"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second)
    assert waiting(queue) == ["a"]


def test_a_function_that_ends_after_the_visibility_does_not_delete_for_the_other_one(
    player: Player, toys: Toys
) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")
    sqs = resources.client("sqs")

    def handler(event: Any) -> None:
        receipt = event["Records"][0]["receiptHandle"]
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=0)
        sqs.receive_message(QueueUrl=queue)  # somebody else has it now

    player.at(timedelta(seconds=1), lambda: None)
    player.map_queue(queue, toys.function(handler), QueueMapping())
    player.advance(timedelta(milliseconds=30))
    assert len(toys.events) == 1
    assert waiting(queue) == ["a"]


def test_after_as_many_receives_as_allowed_a_message_is_a_dead_letter(player: Player, toys: Toys) -> None:
    dead = resources.create_queue("dead")
    arn = "arn:aws:sqs:eu-central-1:123456789012:dead"
    queue = resources.create_queue("q", visibility=60, dead_letters=arn, max_receive_count=3)
    send(queue, "poison")
    player.map_queue(queue, toys.function(crash), QueueMapping())
    player.advance(timedelta(seconds=179))
    assert (len(toys.events), waiting(queue), waiting(dead)) == (3, ["poison"], [])
    player.advance(timedelta(seconds=5))  # the third receive's visibility has to end first
    assert (len(toys.events), waiting(queue), waiting(dead)) == (3, [], ["poison"])


def test_no_more_batches_at_once_than_the_maximum_concurrency(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    send(queue, *"abcde")
    running, most = 0, 0

    def build(sandbox: Sandbox) -> Any:
        def handler(event: Any, context: Any) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            sandbox.call(asyncio.sleep(10))
            running -= 1

        return handler

    function = player.function("slow", build)
    player.map_queue(queue, function, QueueMapping(batch_size=1, max_concurrency=2))
    player.advance(timedelta(seconds=31))
    assert (most, waiting(queue)) == (2, [])


def test_a_function_throttled_by_its_reserved_concurrency_costs_messages_a_receive(player: Player, toys: Toys) -> None:
    dead = resources.create_queue("dead")
    arn = "arn:aws:sqs:eu-central-1:123456789012:dead"
    queue = resources.create_queue("q", visibility=60, dead_letters=arn, max_receive_count=1)
    send(queue, "a", "b")
    player.map_queue(queue, toys.sleeper(lambda event: 30, timeout=60, reserved=1), QueueMapping(batch_size=1))
    player.advance(timedelta(seconds=70))
    assert toys.batches == [["a"]]
    assert waiting(dead) == ["b"]


def test_a_batch_waits_for_its_window_unless_it_is_full(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60)
    player.map_queue(queue, toys.function(lambda event: None), QueueMapping(batch_size=3, window=20))
    send(queue, "a")
    player.advance(timedelta(seconds=10))
    send(queue, "b")
    player.advance(timedelta(seconds=11))
    assert (toys.batches, toys.times) == ([["a", "b"]], [20.0])
    send(queue, *"cde")
    player.advance(timedelta(seconds=1))
    assert toys.batches[1] == ["c", "d", "e"]


def test_what_is_older_than_the_retention_is_gone(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q", visibility=60, retention=3600)
    send(queue, "old")
    player.advance(timedelta(hours=1))
    send(queue, "new")
    player.map_queue(queue, toys.function(lambda event: None), QueueMapping())
    player.advance(MINUTE)
    assert toys.batches == [["new"]]


def test_duplicates_have_the_same_id_and_a_receipt_of_their_own(toys: Toys) -> None:
    with_duplicates = toys.player.world
    with_duplicates.rules = Rules(duplicates=1.0)
    queue = resources.create_queue("q", visibility=60)
    send(queue, "a")
    toys.player.map_queue(queue, toys.function(lambda event: None), QueueMapping())
    toys.player.advance(MINUTE * 3)
    records = [event["Records"][0] for _, event in toys.events]
    assert len(records) > 1
    assert len({one["messageId"] for one in records}) == 1
    assert len({one["receiptHandle"] for one in records}) == len(records)


def test_disorder_is_drawn_by_the_seed() -> None:
    orders = []
    for seed in (1, 2, 1):
        with Player(SimulatedTime(seed=seed, rules=Rules(reorder=True))) as player:
            toys, queue = Toys(player), resources.create_queue("q", visibility=60)
            send(queue, *"abcdefgh")
            player.map_queue(queue, toys.function(lambda event: None), QueueMapping(batch_size=10))
            player.advance(MINUTE)
            orders.append(toys.batches)
    assert orders[0] == orders[2] != orders[1]


def test_what_aws_refuses_is_refused(player: Player, toys: Toys) -> None:
    queue, function = resources.create_queue("q", visibility=30), toys.function(crash, timeout=60)
    with pytest.raises(ValueError, match="visibility timeout of 30 s"):
        player.map_queue(queue, function, QueueMapping())
    with pytest.raises(ValueError, match="2 to 1000"):
        QueueMapping(max_concurrency=1)
    with pytest.raises(ValueError, match="1 to 10"):
        QueueMapping(batch_size=11)


def test_sending_does_not_look_at_the_messages_that_wait(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    queue, sqs = resources.create_queue("q", visibility=60), resources.client("sqs")
    asked: list[Message] = []
    visible = vars(Message)["visible"]

    def counted(self: Message) -> bool:
        asked.append(self)
        return bool(visible.fget(self))

    monkeypatch.setattr(Message, "visible", property(counted))
    for number in range(30):
        send(queue, str(number))
    assert asked == []
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert attributes == {"ApproximateNumberOfMessages": "30"}, "who asks for the number gets it"
    assert asked
