"""StartMessageMoveTask, which moto lacks."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepfast.simulator import resources
from stepfast.simulator.player import Player
from stepfast.simulator.queues import QueueMapping
from tests.simulator.conftest import Toys, send, waiting

DEAD = "arn:aws:sqs:eu-central-1:123456789012:dead"


@pytest.fixture
def queue(player: Player, toys: Toys) -> str:
    """A queue whose function refuses everything, of which `a` and `b` are dead letters."""
    resources.create_queue("dead")
    queue = resources.create_queue("q", visibility=60, dead_letters=DEAD, max_receive_count=1)
    send(queue, "a", "b")

    def refuse(event: Any) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in event["Records"]]}

    player.map_queue(queue, toys.function(refuse), QueueMapping())
    player.advance(timedelta(seconds=70))
    assert waiting("dead") == ["a", "b"]
    toys.events.clear()
    return queue


def records(toys: Toys) -> list[dict[str, Any]]:
    return [one for _, event in toys.events for one in event["Records"]]


def test_a_redriven_message_has_a_new_id_time_and_count(player: Player, toys: Toys, queue: str) -> None:
    held = resources.client("sqs").receive_message(QueueUrl="dead", VisibilityTimeout=0)["Messages"][0]
    player.advance(timedelta(hours=1))
    now = player.now.timestamp() * 1000
    task = player.redrive("dead")
    player.advance(timedelta(seconds=1))
    assert (task.status, task.moved) == ("COMPLETED", 2)
    redriven = records(toys)
    assert [one["body"] for one in redriven] == ["a", "b"]
    assert held["MessageId"] not in {one["messageId"] for one in redriven}
    assert {one["attributes"]["ApproximateReceiveCount"] for one in redriven} == {"1"}
    assert all(int(one["attributes"]["SentTimestamp"]) >= now for one in redriven)
    player.advance(timedelta(seconds=70))
    assert waiting("dead") == ["a", "b"]  # refused again, it is a dead letter again


def test_a_redrive_keeps_to_its_rate(player: Player, toys: Toys, queue: str) -> None:
    player.redrive("dead", rate=1)
    player.advance(timedelta(seconds=0.5))
    assert [one["body"] for one in records(toys)] == ["a"]
    player.advance(timedelta(seconds=1))
    assert [one["body"] for one in records(toys)] == ["a", "b"]


def test_it_is_started_watched_and_stopped_through_the_api_of_aws(player: Player, toys: Toys, queue: str) -> None:
    sqs = resources.client("sqs")
    handle = sqs.start_message_move_task(SourceArn=DEAD, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    with pytest.raises(ClientError, match="already a task"):
        sqs.start_message_move_task(SourceArn=DEAD)
    player.advance(timedelta(milliseconds=500))
    (task,) = sqs.list_message_move_tasks(SourceArn=DEAD)["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"], task["TaskHandle"]) == ("RUNNING", 1, handle)
    assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 1
    player.advance(timedelta(seconds=5))
    assert waiting("dead") == ["b"]


def test_a_message_sent_straight_to_the_dead_letters_has_nowhere_to_go(player: Player, queue: str) -> None:
    resources.create_queue("other")
    send("other", "x")
    task = player.redrive("other")
    player.advance(timedelta(seconds=1))
    assert (task.status, task.reason) == ("FAILED", "CouldNotDetermineMessageSource")
    assert waiting("other") == ["x"]
