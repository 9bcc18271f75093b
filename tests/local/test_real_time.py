"""The player in real time: what is due when, threads beside each other, and functions that run too long."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stepfast.simulator import resources
from stepfast.simulator.clock import MICRO
from stepfast.simulator.invocation import Invocation
from stepfast.simulator.lambdas import SimulatedFunction
from stepfast.simulator.patching import Patches
from stepfast.simulator.player import Player
from stepfast.simulator.queues import QueueMapping
from stepfast.simulator.sandbox import Build
from stepfast.simulator.timing import Time
from stepfast.simulator.wall_time import WallTime

WAIT_SECONDS = 20.0


@contextmanager
def begun() -> Iterator[WallTime]:
    wall, patches = WallTime(), Patches()
    wall.begin(patches)
    try:
        yield wall
    finally:
        wall.end(lambda: None)
        patches.undo()


@pytest.fixture
def wall() -> Iterator[WallTime]:
    with begun() as time_that_goes_by:
        yield time_that_goes_by


@pytest.fixture
def player() -> Iterator[Player]:
    with Player(WallTime()) as in_real_time:
        yield in_real_time


def later(wall: WallTime, act: Callable[[], object], seconds: float) -> None:
    with wall.turn:
        wall.world.later(act, seconds)


def within(time: Time, seconds: float) -> int:
    return time.world.clock.micros + round(seconds * MICRO)


def add(player: Player, name: str, build: Build, timeout: float = 60.0) -> SimulatedFunction:
    return player.time.outside(lambda: player.function(name, build, timeout=timeout))


def test_what_is_due_comes_in_order_of_time_and_not_before_it(wall: WallTime) -> None:
    came: list[tuple[str, bool]] = []
    for name, seconds in (("third", 0.15), ("first", 0.05), ("second", 0.1)):
        due = within(wall, seconds)
        later(wall, lambda name=name, due=due: came.append((name, wall.world.clock.micros >= due)), seconds)
    assert wall.drive(lambda: len(came) == 3, within(wall, WAIT_SECONDS))
    assert came == [("first", True), ("second", True), ("third", True)]


def test_what_is_put_while_it_waits_for_something_later_is_not_late(wall: WallTime) -> None:
    came: list[str] = []
    later(wall, lambda: came.append("later"), 3600)
    assert not wall.drive(lambda: bool(came), within(wall, 0.05))
    later(wall, lambda: came.append("sooner"), 0.0)
    assert wall.drive(lambda: came == ["sooner"], within(wall, WAIT_SECONDS))


def test_what_is_taken_off_never_comes(wall: WallTime) -> None:
    came: list[str] = []
    with wall.turn:
        entry = wall.world.later(lambda: came.append("dropped"), 0.05)
        wall.world.agenda.drop(entry)
        wall.world.later(lambda: came.append("kept"), 0.1)
    assert wall.drive(lambda: bool(came), within(wall, WAIT_SECONDS))
    assert came == ["kept"]


def test_a_mistake_in_one_entry_does_not_stop_the_others(wall: WallTime, caplog: pytest.LogCaptureFixture) -> None:
    came: list[str] = []
    payload = "a secret"

    def fail() -> None:
        raise ValueError(payload)

    later(wall, fail, 0.0)
    later(wall, lambda: came.append("after"), 0.05)
    assert wall.drive(lambda: bool(came), within(wall, WAIT_SECONDS))
    assert "ValueError" in caplog.text
    assert payload not in caplog.text


def test_whoever_waits_is_let_go_when_it_ends() -> None:
    answers: list[bool] = []
    with begun() as wall:
        waiting = threading.Thread(target=lambda: answers.append(wall.drive(lambda: False)))
        waiting.start()
    waiting.join(WAIT_SECONDS)
    assert answers == [False]


# -- functions -------------------------------------------------------------------------------------------------


def send(text: str) -> None:
    resources.client("sqs").send_message(QueueUrl="out", MessageBody=text)


def bodies(queue: str) -> list[str]:
    messages = resources.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [message["Body"] for message in messages.get("Messages", [])]


def test_functions_run_beside_each_other(player: Player) -> None:
    meeting = threading.Barrier(2)
    function = add(player, "one", lambda sandbox: lambda event, context: meeting.wait(WAIT_SECONDS))
    ended: list[Invocation] = []
    player.time.outside(lambda: [function.invoke({}, ended.append) for _ in range(2)])
    assert player.time.drive(lambda: len(ended) == 2, within(player.time, WAIT_SECONDS))
    assert [invocation.outcome for invocation in ended] == ["ok", "ok"]


def test_a_sandbox_is_used_again_on_the_same_thread(player: Player) -> None:
    add(player, "one", lambda sandbox: lambda event, context: threading.get_ident())
    first, second = player.invoke("one", {}), player.invoke("one", {})
    assert first.result == second.result
    assert (first.cold, second.cold) == (True, False)


def test_a_function_that_runs_too_long_is_cut_off_and_reaches_aws_no_more(player: Player) -> None:
    resources.create_queue("out")
    go_on, over = threading.Event(), threading.Event()

    def handler(event: Any, context: Any) -> None:
        try:
            send("before")
            go_on.wait(WAIT_SECONDS)
            send("after")
        finally:
            over.set()

    add(player, "slow", lambda sandbox: handler, timeout=1.0)
    invocation = player.invoke("slow", {})
    assert (invocation.outcome, invocation.result) == ("timeout", None)
    go_on.set()
    assert over.wait(WAIT_SECONDS)
    assert bodies("out") == ["before"]
    assert player.functions["slow"].running == 0


def test_an_error_of_a_function_is_its_outcome_and_the_sandbox_goes_on(player: Player) -> None:
    def handler(event: Any, context: Any) -> str:
        if event["fails"]:
            raise ValueError("no")
        return "yes"

    add(player, "one", lambda sandbox: handler)
    assert player.invoke("one", {"fails": True}).outcome == "error"
    again = player.invoke("one", {"fails": False})
    assert (again.result, again.cold) == ("yes", False)


def test_a_message_reaches_its_function_and_comes_again_when_it_was_refused(player: Player) -> None:
    resources.create_queue("in", visibility=1)
    counts: list[str] = []

    def handler(event: Any, context: Any) -> dict[str, Any]:
        (record,) = event["Records"]
        counts.append(record["attributes"]["ApproximateReceiveCount"])
        failed = [{"itemIdentifier": record["messageId"]}] if len(counts) < 2 else []
        return {"batchItemFailures": failed}

    function = add(player, "one", lambda sandbox: handler, timeout=1)
    player.time.outside(lambda: player.map_queue("in", function, QueueMapping(batch_size=1)))
    resources.client("sqs").send_message(QueueUrl="in", MessageBody="hello")
    assert player.time.drive(lambda: len(counts) == 2, within(player.time, WAIT_SECONDS))
    assert player.time.drive(lambda: function.running == 0, within(player.time, WAIT_SECONDS))
    assert counts == ["1", "2"]
    assert bodies("in") == []


def test_conditional_writes_of_many_threads_are_one_after_the_other(player: Player) -> None:
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
from stepfast.simulator.player import Player
from stepfast.simulator.wall_time import WallTime

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

with Player(WallTime()) as player:
    player.time.outside(lambda: player.function("one", lambda sandbox: handler).invoke({}, print))
    began.wait(10)
go_on.set()
over.wait(10)
"""


@pytest.mark.slow
def test_what_outlives_it_never_finds_the_real_aws(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OUTLIVES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("200\n", 0), done.stderr
