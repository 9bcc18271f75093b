"""A replay is closed when its handling is over, unless it was kept for the next one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.messages import Message
from stepfast.engine.opening import ReplayOpener
from stepfast.engine.ports import Delete, Delivery, Later
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.step_handler import NOT_DEPLOYED, StepHandler
from stepfast.language.registry import Registry
from stepfast.model import Execution, Record
from stepfast.replay.replay import Replay
from stepfast.testing.memory import MemoryFile
from tests.engine.steps import NOW, one_call, two_calls


class Stopped:
    """A clock that stands still."""

    def now(self) -> float:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


class Home:
    """A store with one execution, and what opens its replays."""

    def __init__(self, workflow: Any = two_calls, deployed: bool = True) -> None:
        file: Any = MemoryFile()
        self.store: Any = SqliteBackend(file, Stopped())
        self.lives = LiveReplays(deltas=self.store)
        self.registry = Registry([workflow] if deployed else [])
        self.opener = ReplayOpener(self.store, self.registry, self.lives)
        asyncio.run(self.store.create(Execution("e1", workflow.name, "null", NOW)))


def test_a_replay_is_closed_at_the_end_of_the_block() -> None:
    home = Home()

    async def handle() -> Replay | None:
        async with home.opener.open("e1") as opened:
            assert not opened.cached
            return opened.replay

    replay = asyncio.run(handle())
    assert replay is not None
    assert replay.closed


def test_a_replay_is_closed_when_its_handling_fails() -> None:
    home, replays = Home(), list[Replay | None]()

    async def handle() -> None:
        async with home.opener.open("e1") as opened:
            replays.append(opened.replay)
            raise OSError("the handling fails")

    with pytest.raises(OSError, match="the handling fails"):
        asyncio.run(handle())
    assert [replay is not None and replay.closed for replay in replays] == [True]


def test_a_replay_that_was_kept_is_the_next_ones() -> None:
    home = Home()

    async def handle() -> tuple[Replay | None, bool]:
        async with home.opener.open("e1") as opened:
            assert opened.snapshot is not None
            assert opened.replay is not None
            opened.replay.advance(opened.snapshot.records, opened.order.applied)
            opened.keep()
            return opened.replay, opened.cached

    first, cached = asyncio.run(handle())
    assert not cached
    assert asyncio.run(handle()) == (first, True)
    assert first is not None
    assert not first.closed
    home.lives.clear()
    assert first.closed


def test_kept_replays_take_no_more_memory_than_there_is_room_for_and_the_last_is_always_kept() -> None:
    home = Home()
    asyncio.run(home.store.create(Execution("e2", two_calls.name, "null", NOW)))
    home.lives = LiveReplays(room=500_000, deltas=home.store)
    home.opener = ReplayOpener(home.store, home.registry, home.lives)

    async def keep(execution_id: str, characters: int) -> Replay:
        async with home.opener.open(execution_id) as opened:
            assert opened.replay is not None
            large = Record("earlier", "step", "earlier", "SUCCEEDED", 0, output="x" * characters)
            opened.replay.advance({large.id: large}, opened.order.applied)
            opened.keep()
            return opened.replay

    small = [asyncio.run(keep(id, 1_000)) for id in ("e1", "e2")]
    assert not any(replay.closed for replay in small)
    again = asyncio.run(keep("e2", 200_000))
    assert home.lives.take("e1") is None, "e2 alone takes more than there is room for"
    assert small[0].closed
    assert not again.closed
    assert again.weight > 500_000


def test_a_message_that_has_lost_its_execution_closes_the_kept_replay() -> None:
    home = Home()
    runner: Any = None
    handler = StepHandler(home.store, home.store, Stopped(), home.registry, runner, lives=home.lives)

    async def keep() -> Replay | None:
        async with home.opener.open("e1") as opened:
            opened.keep()
            return opened.replay

    kept = asyncio.run(keep())
    assert kept is not None
    assert not kept.closed
    early = Message("step", "e1", "call", generation=1)
    assert asyncio.run(handler.handle(Delivery(early, NOW))) == Later(NOW + 1.0)
    assert kept.closed


def test_nothing_is_replayed_of_an_execution_that_there_is_not() -> None:
    home = Home()

    async def handle() -> tuple[Any, Any]:
        async with home.opener.open("another") as opened:
            return opened.snapshot, opened.replay

    assert asyncio.run(handle()) == (None, None)


def test_a_step_waits_for_its_workflow_to_be_deployed() -> None:
    home = Home(one_call, deployed=False)
    runner: Any = None
    handler = StepHandler(home.store, home.store, Stopped(), home.registry, runner, lives=home.lives)
    disposition = asyncio.run(handler.handle(Delivery(Message("step", "e1", "call", 0), NOW)))
    assert disposition == Later(NOW + NOT_DEPLOYED)
    gone = asyncio.run(handler.handle(Delivery(Message("step", "e2", "call", 0), NOW)))
    assert gone == Delete()


@pytest.mark.parametrize(
    ("changes", "reads"),
    [
        pytest.param({}, 0, id="as it was read"),
        pytest.param({"status": "CANCELLED"}, 1, id="ended"),
        pytest.param({"generation": 1}, 1, id="resumed"),
    ],
)
def test_who_has_just_read_an_execution_need_not_read_it_again(changes: dict[str, Any], reads: int) -> None:
    """What was read counts only where the kept replay goes on with it."""
    home = Home()
    plain, calls = home.store.changes, list[str]()

    async def counted(execution_id: str, mark: int | None = None) -> Any:
        calls.append(execution_id)
        return await plain(execution_id, mark)

    async def handle() -> bool:
        async with home.opener.open("e1") as opened:
            assert opened.snapshot is not None
            assert opened.replay is not None
            opened.replay.advance(opened.snapshot.records, opened.order.applied)
            opened.keep()
        read = replace(opened.snapshot, execution=replace(opened.snapshot.execution, **changes))
        home.store.changes = counted
        async with home.opener.open("e1", read=read) as again:
            assert again.snapshot is not None
            return again.cached and again.snapshot.execution.status == "RUNNING" and not again.snapshot.records

    assert asyncio.run(handle())
    assert len(calls) == reads
