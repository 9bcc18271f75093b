"""A kept replay catches up by a few reads, or says that everything is to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stepfast import signal, step, workflow
from stepfast.engine.advancer import Advancer
from stepfast.engine.catching_up import CATCH_UP_ROUNDS, CatchingUp
from stepfast.engine.operations import Operations
from stepfast.engine.order import Order
from stepfast.engine.ports import Commit
from stepfast.engine.replay_cache import Live
from stepfast.language.registry import Registry
from stepfast.model import Execution, Record
from stepfast.replay.signals import waits_of
from tests.simulation.breaking import edited


@step
async def work(number: int) -> int:
    return number


@workflow("listens")
async def listens(number: int) -> int:
    for _ in range(number):
        await signal("go", int)
    await asyncio.gather(work(1), work(2))
    return await signal("last", int)


REGISTRY = Registry([listens])


class Parts:
    """The port on any store. asked: the ids of each read. old: what a glimpse shows, None for what is stored."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[tuple[str, *tuple[str, ...]]] = []
        self.old: Sequence[Record] | None = None
        self.reader = store.reader

    async def glimpse(self, execution: Execution, command_ids: Sequence[str]) -> Sequence[Record]:
        self.asked.append(("glimpse", *command_ids))
        found = await self.reader.named(execution, command_ids)
        return list(found.values()) if self.old is None else self.old

    async def named(self, execution: Execution, ids: Sequence[str]) -> Mapping[str, Record]:
        """Stands in for the reader's method of this name, so that its reads are among those that were asked."""
        self.asked.append(("named", *ids))
        found: Mapping[str, Record] = await self.reader.named(execution, ids)
        return found

    async def peek_many(
        self, execution_id: str, command_ids: Sequence[str]
    ) -> tuple[Execution, Sequence[Record]] | None:
        self.asked.append(("peek", *command_ids))
        peeked = [await self._store.peek(execution_id, id) for id in command_ids]
        execution = await self._store.read(execution_id)
        return None if execution is None else (execution, [each[1] for each in peeked if each and each[1]])


class Mixed:
    """A store whose reader counts. Nothing else of it is used here."""

    def __init__(self, store: Any, parts: Parts) -> None:
        self.reader, self.entries = parts, store.entries


class Kept:
    """A replay as it was after the start, and the execution that has gone on since."""

    def __init__(self, backend: Any, number: int) -> None:
        self.backend, self.parts = backend, Parts(backend.store)
        self.advancer = Advancer(backend.store, backend.queue, backend.clock, REGISTRY)
        self.operations = Operations(backend.store, backend.clock, REGISTRY, self.advancer)
        backend.run(self.operations.start("listens", number, "one"))
        snapshot = backend.run(backend.store.load("one"))
        replay = self.operations.open_replay(snapshot)
        assert replay is not None
        self.live = Live(replay, Order(snapshot.cursor), None)

    def signal(self, times: int) -> None:
        for _ in range(times):
            self.backend.run(self.operations.signal("one", "go", 1))
            self.backend.run(self.advancer.advance("one"))

    def record(self, id: str) -> None:
        made = Record(id, "step", "work", "SUCCEEDED", 0, attempt=1, output="1", ended_at=1.0)
        assert self.backend.run(self.backend.store.commit("one", Commit(made, wake=True)))
        self.backend.run(self.advancer.advance("one"))

    def catch_up(self) -> list[str] | None:
        """The names of the signals that are waited for; None where everything is to be read."""
        store = Mixed(self.backend.store, self.parts)
        caught = self.backend.run(CatchingUp(store, self.parts).catch_up(self.live))  # type: ignore[arg-type]
        return None if caught is None else [wait.id for wait in waits_of(self.live.replay)]


@pytest.fixture
def kept(backend: Any) -> Any:
    made = Kept(backend, 5)
    yield made
    made.live.replay.close()


def test_nothing_new_is_one_read_behind_a_glimpse(kept: Kept) -> None:
    assert kept.catch_up() == ["signal:go"]
    assert kept.parts.asked == [("glimpse", "signal:go"), ("peek", "signal:go")]


def test_a_signal_that_was_taken_since_is_glimpsed_and_the_execution_read_once(kept: Kept) -> None:
    kept.signal(1)
    assert kept.catch_up() == ["signal:go#2"]
    assert kept.parts.asked == [("glimpse", "signal:go"), ("peek", "signal:go#2")]


def test_what_was_taken_since_is_read_and_nothing_else(kept: Kept) -> None:
    kept.signal(3)
    assert kept.catch_up() == ["signal:go#4"]
    reads = [("glimpse", "signal:go"), ("peek", "signal:go#2"), ("named", "signal:go#3"), ("named", "signal:go#4")]
    assert kept.parts.asked == reads


def test_a_glimpse_of_how_it_was_a_moment_ago_hides_nothing(kept: Kept) -> None:
    kept.signal(1)
    kept.parts.old = []
    assert kept.catch_up() == ["signal:go#2"]
    assert kept.parts.asked == [("glimpse", "signal:go"), ("peek", "signal:go"), ("named", "signal:go#2")]


@pytest.mark.parametrize("old", [("OPEN", 0), ("SUCCEEDED", 1)])
def test_a_glimpse_that_shows_no_outcome_of_this_generation_is_not_taken(kept: Kept, old: tuple[Any, int]) -> None:
    kept.parts.old = [Record("signal:go", "signal", "go", *old, output="9", signal="s", ended_at=1.0)]
    assert kept.catch_up() == ["signal:go"]


def test_the_outcomes_of_parallel_steps_are_not_glimpsed(kept: Kept) -> None:
    kept.signal(5)
    kept.catch_up()
    kept.parts.asked.clear()
    assert kept.catch_up() == []
    assert kept.parts.asked == [("peek", "work", "work#2")]


def test_a_resume_after_the_execution_was_read_is_left_to_a_whole_read(kept: Kept) -> None:
    kept.signal(1)
    kept.parts.old = []
    later = {"signal:go#2": Record("signal:go#2", "signal", "go", "OPEN", 1)}

    async def resumed(execution: Execution, ids: Sequence[str]) -> Mapping[str, Record]:
        return later

    kept.parts.named = resumed  # type: ignore[method-assign]
    assert kept.catch_up() is None


def test_results_whose_order_was_chosen_are_applied_in_that_order(kept: Kept) -> None:
    kept.signal(5)
    kept.record("work#2")
    kept.record("work")
    assert kept.catch_up() == ["signal:last"]


def test_too_much_at_once_is_left_to_a_whole_read(backend: Any) -> None:
    kept = Kept(backend, CATCH_UP_ROUNDS + 2)
    kept.signal(CATCH_UP_ROUNDS + 1)
    assert kept.catch_up() is None
    kept.live.replay.close()


def test_an_execution_that_has_ended_is_left_to_a_whole_read(kept: Kept) -> None:
    kept.backend.run(kept.operations.cancel("one"))
    assert kept.catch_up() is None


def test_an_execution_that_is_gone_is_left_to_a_whole_read(kept: Kept) -> None:
    kept.backend.run(kept.operations.cancel("one"))
    kept.backend.run(kept.operations.delete("one"))
    assert kept.catch_up() is None


def test_a_record_of_a_later_generation_than_the_execution_is_not_taken(kept: Kept) -> None:
    """The two are read at different moments, and a resume may be written in between."""
    plain = kept.parts.peek_many

    async def torn(execution_id: str, command_ids: Sequence[str]) -> Any:
        execution, _ = await plain(execution_id, command_ids)  # type: ignore[misc]
        return execution, [Record("signal:go", "signal", "go", "OPEN", execution.generation + 1)]

    kept.parts.peek_many = torn  # type: ignore[method-assign]
    assert kept.catch_up() is None


def test_an_execution_of_another_generation_is_left_to_a_whole_read(kept: Kept) -> None:
    plain = kept.parts.peek_many

    async def resumed(execution_id: str, command_ids: Sequence[str]) -> Any:
        execution, records = await plain(execution_id, command_ids)  # type: ignore[misc]
        return replace(execution, generation=execution.generation + 1), records

    kept.parts.peek_many = resumed  # type: ignore[method-assign]
    assert kept.catch_up() is None


def a_glimpse_is_taken_of_any_generation(patch: pytest.MonkeyPatch) -> None:
    edited(patch, CatchingUp, "_glimpse", (" and record.generation <= replay.execution.generation", ""))


def a_resume_between_two_reads_is_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    edited(patch, CatchingUp, "catch_up", ("any(record.generation > generation for record in records)", "False"))


def a_glimpse_is_all_that_is_read_of_a_wait(patch: pytest.MonkeyPatch) -> None:
    edited(patch, CatchingUp, "catch_up", ("looked: set[str] = set()", "looked = set(replay.outstanding)"))


NOTICED: dict[Callable[[pytest.MonkeyPatch], None], Callable[[Kept], None]] = {
    a_glimpse_is_taken_of_any_generation: lambda kept: (
        test_a_glimpse_that_shows_no_outcome_of_this_generation_is_not_taken(kept, ("SUCCEEDED", 1))
    ),
    a_resume_between_two_reads_is_not_looked_for: (test_a_resume_after_the_execution_was_read_is_left_to_a_whole_read),
    a_glimpse_is_all_that_is_read_of_a_wait: test_a_glimpse_of_how_it_was_a_moment_ago_hides_nothing,
}


@pytest.mark.parametrize("wrong", NOTICED)
def test_a_catch_up_that_believes_too_much_is_noticed(
    kept: Kept, wrong: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong(monkeypatch)
    with pytest.raises(AssertionError):
        NOTICED[wrong](kept)
