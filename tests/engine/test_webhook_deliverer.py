"""The deliverer on a file in memory, with a receiver that fails as a test says, and a clock that a test moves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.ports import End
from stepfast.engine.webhook_deliverer import (
    DELIVERY_KEPT_SECONDS,
    POST_RETRY_SECONDS,
    POSTS_AT_ONCE,
    Deliverer,
    PostAnswer,
    PostFailed,
)
from stepfast.engine.webhooks import Webhook
from stepfast.model import Execution
from stepfast.testing.memory import MemoryFile
from stepfast.webhook_signing import event_id_in
from tests.contract.clock import FixedClock

T = TypeVar("T")
HOOK = Webhook("ops", "https://example.com/hook", (b"k" * 24,))
TAKES, FAILS = PostAnswer(204), PostAnswer(500)


class Crash(BaseException):
    """The process dies."""


class Receiver:
    """Answers as it is told; remembers what it has taken, and checks each signature."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock, self.answer, self.asked = clock, TAKES, list[str]()
        self.taken: list[str] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, webhook: Webhook, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        event_id = event_id_in("standard", webhook.keys, headers, body, self.clock.now(), 300)
        assert event_id is not None
        self.asked.append(event_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if isinstance(self.answer, PostAnswer) and self.answer.status < 300:
            self.taken.append(event_id)
        return self.answer


class World:
    """A file with executions, and the deliverer of its process."""

    def __init__(self, *hooks: Webhook) -> None:
        self.clock, self.file = FixedClock(), MemoryFile()
        self.receiver = Receiver(self.clock)
        self.hooks = hooks or (HOOK,)
        self.open()

    def open(self) -> None:
        """As a new process."""
        self.store = SqliteBackend(self.file, self.clock)  # type: ignore[arg-type]
        self.store.webhooks.watch()
        self.deliverer = Deliverer(self.store.webhooks, self.clock, self.hooks, self.receiver, lambda: 0.0)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(call)

    def start(self, id: str = "one", workflow: str = "w") -> Execution:
        return self.run(self.store.create(Execution(id, workflow, "1", self.clock.now())))

    def end(self, execution: Execution, status: Any = "SUCCEEDED") -> None:
        assert self.run(self.store.finish(End(replace(execution, status=status, ended_at=self.clock.now()))))

    def lap(self) -> int:
        return self.run(self.deliverer.lap())

    def backlog(self, name: str = "ops") -> tuple[int, int]:
        found = self.run(self.store.webhooks.backlog(name))
        return found.pending, found.dead


@pytest.fixture
def world() -> World:
    return World()


def test_each_change_is_delivered_once_and_then_forgotten(world: World) -> None:
    world.end(world.start())
    assert world.lap() + world.lap() + world.lap() == 2
    assert len(set(world.receiver.taken)) == 2
    assert world.backlog() == (0, 0)


def test_what_fails_comes_again_later_and_later_and_is_dead_in_the_end(world: World) -> None:
    world.start()
    world.receiver.answer = FAILS
    for seconds in POST_RETRY_SECONDS:
        assert world.lap() == 1
        assert world.lap() == 0
        world.clock.time += seconds - 1
        assert world.lap() == 0
        world.clock.time += 1
    assert world.backlog() == (1, 0)
    assert world.lap() == 1
    assert world.backlog() == (0, 1)
    world.clock.time += 86400
    assert world.lap() == 0
    assert len(set(world.receiver.asked)) == 1
    assert sum(POST_RETRY_SECONDS) > 3 * 86400


def test_a_dead_letter_that_is_redelivered_has_all_its_attempts_again(world: World) -> None:
    world.start()
    world.start("two")
    world.receiver.answer = PostAnswer(410)
    assert world.lap() == 2
    assert world.backlog() == (0, 2)
    dead = world.run(world.store.webhooks.page("ops", True, 10, 0))
    assert [letter.reason for letter in dead] == ["the receiver answered 410"] * 2
    assert world.run(world.store.webhooks.redeliver("ops", dead[0].event_id, world.clock.now())) == 1
    assert world.run(world.store.webhooks.redeliver("other", None, world.clock.now())) == 0
    world.receiver.answer = TAKES
    world.lap()
    assert world.receiver.taken == [dead[0].event_id]
    assert world.run(world.store.webhooks.redeliver("ops", None, world.clock.now())) == 1
    world.lap()
    assert world.backlog() == (0, 0)


def test_a_receiver_may_ask_for_more_time_but_not_for_ever(world: World) -> None:
    world.start()
    world.receiver.answer = PostAnswer(429, retry_after=600.0)
    world.lap()
    world.clock.time += 599
    assert world.lap() == 0
    world.clock.time += 1
    world.receiver.answer = PostAnswer(503, retry_after=float("inf"))
    assert world.lap() == 1
    world.clock.time += 86400
    assert world.lap() == 1


def test_a_redirect_is_a_failure(world: World) -> None:
    world.start()
    world.receiver.answer = PostAnswer(302)
    world.lap()
    assert world.backlog() == (1, 0)


def test_changes_of_one_execution_come_in_their_order_also_after_a_failure(world: World) -> None:
    first = world.start()
    world.receiver.answer = FAILS
    world.lap()
    world.end(first)
    assert world.lap() == 0, "the second change waits for the first one"
    world.start("two")
    world.receiver.answer = TAKES
    assert world.lap() == 1, "another execution does not wait"
    world.clock.time += POST_RETRY_SECONDS[0]
    while world.lap():
        pass
    first_id = world.receiver.asked[0]
    assert world.receiver.taken.index(first_id) < len(world.receiver.taken) - 1
    assert len(world.receiver.taken) == 3


def test_a_receiver_that_is_down_is_asked_once_at_a_time_and_gets_all_when_it_is_back(world: World) -> None:
    for number in range(40):
        world.start(f"x{number}")
    world.receiver.answer = FAILS
    assert world.lap() == POSTS_AT_ONCE
    assert [world.lap() for _ in range(40 - POSTS_AT_ONCE + 1)] == [1] * (40 - POSTS_AT_ONCE) + [0]
    world.receiver.answer = TAKES
    world.clock.time += 6 * 3600
    while world.lap():
        pass
    assert world.backlog() == (0, 0)
    assert len(set(world.receiver.taken)) == 40
    assert world.receiver.most_at_once == POSTS_AT_ONCE


def test_a_webhook_gets_what_it_wants_and_each_has_its_own_backlog() -> None:
    failed, billing = (
        replace(HOOK, name="failed", statuses=("FAILED",)),
        replace(HOOK, name="b", workflows=("billing-*",)),
    )
    world = World(failed, billing)
    world.end(world.start("one"), "FAILED")
    world.end(world.start("two", "billing-eu"))
    world.end(world.start("three", "stepfast.map"))
    world.run(world.deliverer.spread())
    assert (world.backlog("failed"), world.backlog("b")) == ((1, 0), (2, 0))


def test_without_a_receiver_that_wants_it_a_change_is_dropped() -> None:
    world = World(replace(HOOK, workflows=("none",)))
    world.start()
    assert world.lap() == 0
    assert world.file.row("SELECT count(*) FROM status_changes", ()) == (0,)


def test_a_post_that_gets_no_answer_is_put_off_with_its_reason(world: World) -> None:
    async def nobody(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        raise PostFailed("no connection: Connection refused")

    world.deliverer = Deliverer(world.store.webhooks, world.clock, world.hooks, nobody, random.Random(1).random)
    world.start()
    world.lap()
    (pending,) = world.run(world.store.webhooks.page("ops", False, 10, 0))
    assert (pending.attempts, pending.reason) == (1, "no connection: Connection refused")
    assert pending.due is not None
    assert 0.8 * POST_RETRY_SECONDS[0] <= pending.due - world.clock.now() <= POST_RETRY_SECONDS[0]


def test_after_a_month_what_nobody_has_taken_is_dropped(world: World) -> None:
    world.start()
    world.receiver.answer = PostAnswer(410)
    world.lap()
    world.clock.time += DELIVERY_KEPT_SECONDS - 1
    world.run(world.deliverer.tidy())
    assert world.backlog() == (0, 1)
    world.clock.time += 2
    world.run(world.deliverer.tidy())
    assert world.backlog() == (0, 0)


def test_a_deleted_execution_leaves_nothing_that_is_still_to_be_told(world: World) -> None:
    execution = world.start()
    world.run(world.deliverer.spread())
    world.end(execution)
    ended = world.run(world.store.read("one"))
    assert ended is not None
    assert world.run(world.store.erase(ended))
    assert world.lap() == 0


# -- crashes -----------------------------------------------------------------------------------------------------


def _dies_at(world: World, place: int, after: bool) -> None:
    """Has the process die at a commit or an attempt, counted from now: before it is done, or after."""
    left = [place]
    write, ask = world.file.write, world.receiver.__class__.__call__

    def dies() -> bool:
        left[0] -= 1
        return left[0] == 0

    async def crashing_write(run: Callable[[Any], T]) -> T:
        if (now := dies()) and not after:
            raise Crash
        written = await write(run)
        if now:
            raise Crash
        return written

    async def crashing_post(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        if (now := dies()) and not after:
            raise Crash
        answer = await ask(world.receiver, webhook, headers, body)
        if now:
            raise Crash
        return answer

    world.file.write = crashing_write  # type: ignore[method-assign]
    world.deliverer = Deliverer(world.store.webhooks, world.clock, world.hooks, crashing_post, lambda: 0.0)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("status", [204, 500])
def test_wherever_the_process_dies_no_event_is_lost_and_a_second_delivery_is_recognised(
    after: bool, status: int
) -> None:
    place = 0
    while True:
        place += 1
        world = World()
        world.end(world.start())
        world.end(world.start("two"), "FAILED")
        world.receiver.answer = PostAnswer(status)
        plain = world.file.write
        _dies_at(world, place, after)
        crashed = False
        try:
            for _ in range(6):
                world.lap()
        except Crash:
            crashed = True
        world.file.write = plain  # type: ignore[method-assign]
        world.open()
        world.receiver.answer = TAKES
        world.clock.time += POST_RETRY_SECONDS[-1]
        for _ in range(10):
            world.lap()
        assert len(set(world.receiver.taken)) == 4, f"died at {place}"
        assert len(world.receiver.taken) <= 4 + crashed, f"died at {place}: one more at most"
        assert world.backlog() == (0, 0)
        if not crashed:
            break
    assert place >= 6, "it died at many places"
