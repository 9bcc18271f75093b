"""The player in real time: what is due when, threads beside each other, and functions that run too long."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stepfast.simulator import resources
from stepfast.simulator.clock import MICRO
from stepfast.simulator.queues import QueueMapping
from stepfast.simulator.rules import Rules
from stepfast.simulator.sandbox import Invocation
from stepfast.simulator.wall_player import RealPlayer
from stepfast.simulator.wall_world import RealWorld

WAIT_SECONDS = 20.0


@pytest.fixture
def world() -> Iterator[RealWorld]:
    world_in_real_time = RealWorld(Rules())
    world_in_real_time.begin()
    yield world_in_real_time
    world_in_real_time.end()


@pytest.fixture
def player() -> Iterator[RealPlayer]:
    with RealPlayer() as real_player:
        yield real_player


def later(world: RealWorld, act: Callable[[], object], seconds: float) -> None:
    with world.turn:
        world.later(act, seconds)


def within(world: RealWorld, seconds: float) -> int:
    return world.clock.micros + round(seconds * MICRO)


def test_what_is_due_comes_in_order_of_time_and_not_before_it(world: RealWorld) -> None:
    came: list[tuple[str, bool]] = []
    for name, seconds in (("third", 0.15), ("first", 0.05), ("second", 0.1)):
        due = within(world, seconds)
        later(world, lambda name=name, due=due: came.append((name, world.clock.micros >= due)), seconds)
    assert world.drive(lambda: len(came) == 3, within(world, WAIT_SECONDS))
    assert came == [("first", True), ("second", True), ("third", True)]


def test_what_is_put_while_it_waits_for_something_later_is_not_late(world: RealWorld) -> None:
    came: list[str] = []
    later(world, lambda: came.append("later"), 3600)
    assert not world.drive(lambda: bool(came), within(world, 0.05))
    later(world, lambda: came.append("sooner"), 0.0)
    assert world.drive(lambda: came == ["sooner"], within(world, WAIT_SECONDS))


def test_what_is_taken_off_never_comes(world: RealWorld) -> None:
    came: list[str] = []
    with world.turn:
        entry = world.later(lambda: came.append("dropped"), 0.05)
        world.agenda.drop(entry)
        world.later(lambda: came.append("kept"), 0.1)
    assert world.drive(lambda: bool(came), within(world, WAIT_SECONDS))
    assert came == ["kept"]


def test_a_mistake_in_one_entry_does_not_stop_the_others(world: RealWorld, caplog: pytest.LogCaptureFixture) -> None:
    came: list[str] = []
    payload = "a secret"

    def fail() -> None:
        raise ValueError(payload)

    later(world, fail, 0.0)
    later(world, lambda: came.append("after"), 0.05)
    assert world.drive(lambda: bool(came), within(world, WAIT_SECONDS))
    assert "ValueError" in caplog.text
    assert payload not in caplog.text


def test_whoever_waits_is_let_go_when_it_ends() -> None:
    world = RealWorld(Rules())
    world.begin()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(world.drive(lambda: False)))
    waiting.start()
    world.end()
    waiting.join(WAIT_SECONDS)
    assert answers == [False]


# -- functions -------------------------------------------------------------------------------------------------


def send(text: str) -> None:
    resources.client("sqs").send_message(QueueUrl="out", MessageBody=text)


def bodies(queue: str) -> list[str]:
    messages = resources.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [message["Body"] for message in messages.get("Messages", [])]


def test_functions_run_beside_each_other(player: RealPlayer) -> None:
    meeting = threading.Barrier(2)
    with player.world.turn:
        player.function("one", lambda sandbox: lambda event, context: meeting.wait(WAIT_SECONDS))
    ended: list[Invocation] = []
    with player.world.turn:
        for _ in range(2):
            player.functions["one"].invoke({}, ended.append)
    assert player.world.drive(lambda: len(ended) == 2, within(player.world, WAIT_SECONDS))
    assert [invocation.outcome for invocation in ended] == ["ok", "ok"]


def test_a_sandbox_is_used_again_on_the_same_thread(player: RealPlayer) -> None:
    with player.world.turn:
        player.function("one", lambda sandbox: lambda event, context: threading.get_ident())
    first, second = player.invoke("one", {}), player.invoke("one", {})
    assert first.result == second.result
    assert (first.cold, second.cold) == (True, False)


def test_a_function_that_runs_too_long_is_cut_off_and_reaches_aws_no_more(player: RealPlayer) -> None:
    resources.create_queue("out")
    go_on, over = threading.Event(), threading.Event()

    def handler(event: Any, context: Any) -> None:
        try:
            send("before")
            go_on.wait(WAIT_SECONDS)
            send("after")
        finally:
            over.set()

    with player.world.turn:
        player.function("slow", lambda sandbox: handler, timeout=1.0)
    invocation = player.invoke("slow", {})
    assert (invocation.outcome, invocation.result) == ("timeout", None)
    go_on.set()
    assert over.wait(WAIT_SECONDS)
    assert bodies("out") == ["before"]
    assert player.functions["slow"].running == 0


def test_an_error_of_a_function_is_its_outcome_and_the_sandbox_goes_on(player: RealPlayer) -> None:
    def handler(event: Any, context: Any) -> str:
        if event["fails"]:
            raise ValueError("no")
        return "yes"

    with player.world.turn:
        player.function("one", lambda sandbox: handler)
    assert player.invoke("one", {"fails": True}).outcome == "error"
    again = player.invoke("one", {"fails": False})
    assert (again.result, again.cold) == ("yes", False)


def test_a_message_reaches_its_function_and_comes_again_when_it_was_refused(player: RealPlayer) -> None:
    resources.create_queue("in", visibility=1)
    counts: list[str] = []

    def handler(event: Any, context: Any) -> dict[str, Any]:
        (record,) = event["Records"]
        counts.append(record["attributes"]["ApproximateReceiveCount"])
        failed = [{"itemIdentifier": record["messageId"]}] if len(counts) < 2 else []
        return {"batchItemFailures": failed}

    with player.world.turn:
        function = player.function("one", lambda sandbox: handler, timeout=1)
        player.map_queue("in", function, QueueMapping(batch_size=1))
    resources.client("sqs").send_message(QueueUrl="in", MessageBody="hello")
    assert player.world.drive(lambda: len(counts) == 2, within(player.world, WAIT_SECONDS))
    assert player.world.drive(lambda: function.running == 0, within(player.world, WAIT_SECONDS))
    assert counts == ["1", "2"]
    assert bodies("in") == []


def test_conditional_writes_of_many_threads_are_one_after_the_other(player: RealPlayer) -> None:
    resources.create_table("one")
    client = resources.client("dynamodb")
    won: list[str] = []

    def write(key: str) -> None:
        item = {"pk": {"S": key}, "sk": {"S": "key"}}
        try:
            client.put_item(TableName="one", Item=item, ConditionExpression="attribute_not_exists(pk)")
        except client.exceptions.ConditionalCheckFailedException:
            return
        won.append(key)

    keys = [str(number) for number in range(20)]
    threads = [threading.Thread(target=write, args=(key,)) for key in keys for _ in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that moto would be interrupted between its look and its write
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_SECONDS)
    finally:
        sys.setswitchinterval(before)
    assert sorted(won) == sorted(keys)


OUTLIVES = """
import threading
import boto3
from stepfast.simulator.wall_player import RealPlayer

began, go_on, over = threading.Event(), threading.Event(), threading.Event()

def step():
    began.set()
    go_on.wait()
    answer = boto3.client("sqs", region_name="eu-central-1").list_queues()
    print(answer["ResponseMetadata"]["HTTPStatusCode"])
    over.set()

def handler(event, context):
    threading.Thread(target=step).start()
    over.wait()

with RealPlayer() as player:
    with player.world.turn:
        player.function("one", lambda sandbox: handler).invoke({}, print)
    began.wait(10)
go_on.set()
over.wait(10)
"""


@pytest.mark.slow
def test_what_outlives_it_never_finds_the_real_aws(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OUTLIVES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("200\n", 0), done.stderr
