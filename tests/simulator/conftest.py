"""A player, and toys: handlers that keep what they were given."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stepfast.simulator import resources
from stepfast.simulator.clients import PlayedClients
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.player import Player
from stepfast.simulator.sandbox import Sandbox
from stepfast.simulator.simulated_time import SimulatedTime


class Toys:
    """Functions whose handlers are plain: each call is kept as (simulated seconds since the start, event)."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.events: list[tuple[float, Any]] = []
        self._start = player.world.clock.now

    def function(self, handler: Callable[[Any], Any], name: str = "toy", **options: Any) -> SimulatedFunction:
        def called(event: Any, context: Any) -> Any:
            self.events.append((self.since(), event))
            return handler(event)

        return self.player.function(name, lambda sandbox: called, **options)

    def caller(
        self, handler: Callable[[Any, Any, Any], Any], name: str = "caller", **options: Any
    ) -> SimulatedFunction:
        """A function whose handler gets the clients of its sandbox as well: (clients, event, context)."""

        def build(sandbox: Sandbox) -> Callable[[Any, Any], Any]:
            clients = PlayedClients()
            return lambda event, context: handler(clients, event, context)

        return self.player.function(name, build, **options)

    def sleeper(self, seconds: Callable[[Any], float], name: str = "sleeper", **options: Any) -> SimulatedFunction:
        """A function that takes its time, by its event, and keeps events as the others do."""
        import asyncio

        def build(sandbox: Sandbox) -> Callable[[Any, Any], Any]:
            def handler(event: Any, context: Any) -> Any:
                self.events.append((self.since(), event))
                sandbox.call(asyncio.sleep(seconds(event)))

            return handler

        return self.player.function(name, build, **options)

    def since(self) -> float:
        return round(self.player.world.clock.now - self._start, 3)

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.events]

    @property
    def batches(self) -> list[list[str]]:
        """The bodies of every SQS batch."""
        return [[one["body"] for one in event["Records"]] for _, event in self.events]

    @property
    def keys(self) -> list[list[str]]:
        """Partition and sort key of every stream batch."""
        return [
            ["/".join(part["S"] for part in one["dynamodb"]["Keys"].values()) for one in event["Records"]]
            for _, event in self.events
        ]


@pytest.fixture
def player() -> Iterator[Player]:
    with Player(SimulatedTime()) as player:
        yield player


@pytest.fixture
def toys(player: Player) -> Toys:
    return Toys(player)


def send(queue: str, *bodies: str, delay: int = 0) -> None:
    for body in bodies:
        resources.client("sqs").send_message(QueueUrl=queue, MessageBody=body, DelaySeconds=delay)


def waiting(queue: str) -> list[str]:
    """The bodies of what is in a queue, whether visible or not."""
    from stepfast.simulator.sqs_rules import messages_in, queue_of

    return [message.body for message in messages_in(queue_of(queue))]
