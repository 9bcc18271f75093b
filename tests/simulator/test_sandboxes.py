"""Invocations: cold and warm, JSON on the way, remaining time, timeouts, interleaving."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from stepfast.simulator import resources
from stepfast.simulator.player import Player
from stepfast.simulator.rules import Rules
from stepfast.simulator.sandbox import Sandbox
from stepfast.simulator.simulated_time import SimulatedTime
from tests.simulator.conftest import Toys


def test_an_event_goes_through_json(player: Player, toys: Toys) -> None:
    toys.function(lambda event: {"keys": list(event)})
    assert player.invoke("toy", {1: "one"}).result == {"keys": ["1"]}


def test_what_is_not_json_fails_the_invocation(player: Player, toys: Toys) -> None:
    toys.function(lambda event: {"set": {1}})
    invocation = player.invoke("toy", {})
    assert invocation.outcome == "error"
    assert isinstance(invocation.error, TypeError)


def test_a_sandbox_is_used_again_and_a_busy_one_is_not(player: Player) -> None:
    built = []

    def build(sandbox: Sandbox) -> Any:
        built.append(sandbox)
        return lambda event, context: sandbox.call(asyncio.sleep(event))

    function = player.function("toy", build)
    assert [player.invoke("toy", 0).cold, player.invoke("toy", 0).cold] == [True, False]
    ended: list[Any] = []
    function.invoke(5, ended.append)
    function.invoke(5, ended.append)
    player.advance(timedelta(seconds=6))
    assert len(built) == 2
    assert [one.outcome for one in ended] == ["ok", "ok"]
    function.forget()
    assert player.invoke("toy", 0).cold


def test_an_exception_leaves_the_sandbox_warm_and_an_exit_does_not(player: Player) -> None:
    def handler(event: Any, context: Any) -> None:
        raise SystemExit(1) if event == "exit" else ValueError("no")

    player.function("toy", lambda sandbox: handler)
    outcomes = [(one.outcome, one.cold) for one in (player.invoke("toy", e) for e in ("", "", "exit", ""))]
    assert outcomes == [("error", True), ("error", False), ("error", False), ("error", True)]


def test_remaining_time_runs_down_with_simulated_time(player: Player) -> None:
    def build(sandbox: Sandbox) -> Any:
        def handler(event: Any, context: Any) -> list[int]:
            left = [context.get_remaining_time_in_millis()]
            sandbox.call(asyncio.sleep(20))
            return [*left, context.get_remaining_time_in_millis()]

        return handler

    player.function("toy", build, timeout=30)
    assert player.invoke("toy", None).result == [30_000, 10_000]


@pytest.mark.timeout(25)  # less than the seconds that pass in simulated time
def test_a_function_is_ended_at_its_timeout_and_its_sandbox_with_it(player: Player, toys: Toys) -> None:
    toys.sleeper(lambda event: float(event), timeout=30)
    invocation = player.invoke("sleeper", 3600)
    assert invocation.outcome == "timeout"
    assert invocation.ended_at == invocation.started_at + 30
    assert player.invoke("sleeper", 1).cold


def test_clocks_of_the_process_show_the_simulated_time(player: Player, toys: Toys) -> None:
    toys.function(lambda event: time.time())
    player.advance(timedelta(days=2))
    assert player.invoke("toy", None).result == player.now.timestamp() == time.time()


def test_the_clocks_of_a_function_may_be_ahead_and_aws_has_the_true_time(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q")

    def handler(clients: Any, event: Any, context: Any) -> list[float]:
        before = time.time()
        clients.sqs.send_message(QueueUrl=queue, MessageBody="x")
        return [before, time.time()]

    toys.caller(handler).skew = 180.0
    true = player.now.timestamp()
    before, after = player.invoke("caller", None).result
    assert before == true + 180
    assert after == pytest.approx(true + 180.005, abs=1e-4)
    assert time.time() == pytest.approx(true + 0.005, abs=1e-4)
    received = resources.client("sqs").receive_message(QueueUrl=queue, AttributeNames=["SentTimestamp"])
    assert int(received["Messages"][0]["Attributes"]["SentTimestamp"]) / 1000 == pytest.approx(true, abs=0.1)


def test_aws_calls_of_two_invocations_interleave(player: Player, toys: Toys) -> None:
    queue = resources.create_queue("q")

    def handler(clients: Any, event: Any, context: Any) -> None:
        for number in range(3):
            clients.sqs.send_message(QueueUrl=queue, MessageBody=f"{event}{number}")

    function = toys.caller(handler)
    ended: list[Any] = []
    function.invoke("a", ended.append)
    function.invoke("b", ended.append)
    player.advance(timedelta(seconds=1))
    bodies = [one.parameters["MessageBody"] for one in player.world.account.calls]
    assert bodies == ["a0", "b0", "a1", "b1", "a2", "b2"]


def _order(seed: int) -> list[str]:
    with Player(SimulatedTime(seed=seed)) as player:
        toys, queue = Toys(player), resources.create_queue("q")

        def handler(clients: Any, event: Any, context: Any) -> None:
            for number in range(5):
                clients.sqs.send_message(QueueUrl=queue, MessageBody=f"{event}{number}")

        function = toys.caller(handler)
        for name in "abc":
            function.invoke(name, lambda _: None)
        player.advance(timedelta(seconds=1))
        return [str(one.parameters["MessageBody"]) for one in player.world.account.calls]


def test_a_seed_is_one_interleaving_always_the_same() -> None:
    orders = [_order(seed) for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]


def test_an_aws_call_takes_the_time_of_the_rules() -> None:
    with Player(SimulatedTime(rules=Rules(call=0.5))) as player:
        queue = resources.create_queue("q")
        Toys(player).caller(lambda clients, event, context: clients.sqs.get_queue_attributes(QueueUrl=queue) and None)
        invocation = player.invoke("caller", None)
        assert invocation.ended_at == invocation.started_at + 0.5


def test_only_one_cloud_is_open_at_a_time(player: Player) -> None:
    with pytest.raises(RuntimeError, match="one at a time"), Player(SimulatedTime()):
        pass


def test_a_function_that_hangs_for_ever_runs_into_its_timeout(player: Player) -> None:
    def build(sandbox: Sandbox) -> Any:
        async def hang() -> None:
            await asyncio.get_running_loop().create_future()

        return lambda event, context: sandbox.call(hang())

    player.function("toy", build, timeout=10)
    assert player.invoke("toy", None).outcome == "timeout"
