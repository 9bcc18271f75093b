"""Kills at AWS calls, lost answers, outages."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepfast.simulator import resources
from stepfast.simulator.account import Outage
from stepfast.simulator.player import Player
from tests.simulator.conftest import Toys, waiting


@pytest.fixture
def queue(player: Player, toys: Toys) -> str:
    """A queue that the function `caller` sends two messages to, and one more whatever has happened."""
    url = resources.create_queue("q")

    def handler(clients: Any, event: Any, context: Any) -> None:
        try:
            for body in ("one", "two"):
                clients.sqs.send_message(QueueUrl=url, MessageBody=body)
        finally:
            clients.sqs.send_message(QueueUrl=url, MessageBody="last")

    toys.caller(handler, timeout=300)
    return url


@pytest.mark.parametrize(
    ("number", "when", "sent"), [(0, "before", []), (0, "after", ["one"]), (1, "before", ["one"]), (2, "after", 3)]
)
def test_a_killed_sandbox_makes_no_further_call(player: Player, queue: str, number: int, when: Any, sent: Any) -> None:
    player.world.account.kills[number] = when
    invocation = player.invoke("caller", None)
    assert invocation.outcome == "killed"
    assert invocation.result is None
    assert waiting(queue) == (["one", "two", "last"] if sent == 3 else sent)
    assert player.invoke("caller", None).cold


def test_calls_are_listed_with_function_service_operation_and_size(player: Player, queue: str) -> None:
    player.invoke("caller", None)
    calls = player.world.account.calls
    assert [(one.number, one.function, one.service, one.operation) for one in calls] == [
        (number, "caller", "sqs", "SendMessage") for number in range(3)
    ]
    assert calls[0].size == len('{"QueueUrl": "", "MessageBody": "one"}') + len(queue)


def test_a_call_whose_answer_is_lost_is_made_again_by_botocore(player: Player, queue: str) -> None:
    player.world.account.kills[0] = "lost"
    began = player.now
    assert player.invoke("caller", None).ok
    assert waiting(queue) == ["one", "one", "two", "last"]
    assert player.now - began > timedelta(seconds=10)


def test_an_outage_is_retried_by_botocore_in_simulated_time_and_then_raised(player: Player, queue: str) -> None:
    until = player.world.clock.micros + 600 * 10**6
    player.world.account.outages.append(Outage("sqs", "ThrottlingException", until))
    began = player.now
    invocation = player.invoke("caller", None)
    assert isinstance(invocation.error, ClientError)
    assert player.now - began > timedelta(seconds=1)
    assert waiting(queue) == []
    player.advance(timedelta(minutes=10))
    assert player.invoke("caller", None).ok
    assert waiting(queue) == ["one", "two", "last"]


def test_an_outage_may_be_of_one_operation_or_one_function(player: Player, queue: str) -> None:
    until = player.world.clock.micros + 600 * 10**6
    outages = player.world.account.outages
    outages.append(Outage("sqs", "InternalServerError", until, operations=frozenset({"DeleteMessage"})))
    outages.append(Outage("sqs", "InternalServerError", until, functions=frozenset({"other"})))
    assert player.invoke("caller", None).ok
