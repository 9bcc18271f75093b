"""The simulated world with updates at any moment, each sent again under its id (rules *query* and *update*).

Invariants: an update is executed at most once by its id, an answer never changes, all replays agree on the order, a
refused update leaves no trace, and whoever has changed the execution that has ended has been answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from stepfast import UpdateRefused, all_updates_done, query, update, workflow
from stepfast.engine import advancer, chain, finish, resuming, rewind, step_handler
from stepfast.engine.operations import Operations
from stepfast.errors import Refused, WrongStatus
from stepfast.language.registry import Registry
from stepfast.testing.memory import finished
from tests.lanes import seeds
from tests.simulation.breaking import Patch, edited
from tests.simulation.invariants import ID
from tests.simulation.workflows import do
from tests.simulation.world import Handler, World

SEEDS = seeds(60, 300)
WRONG = 99


@workflow("ledger")
async def ledger() -> list[Any]:
    seen: list[Any] = []
    full = asyncio.Event()

    @query
    def count() -> int:
        return len(seen)

    @update
    async def add(number: int) -> list[Any]:
        seen.append(number)
        await do("work", number)
        seen.append(f"after {number}")
        if len([one for one in seen if isinstance(one, int)]) == 3:
            full.set()
        return list(seen)

    @add.check
    def _(number: int) -> None:
        if number == WRONG:
            raise UpdateRefused("that is wrong")

    for name in ("a", "down", "c"):
        await do(name)
        seen.append(name)
    await full.wait()
    await all_updates_done()
    return seen


class Broken(AssertionError):
    """An invariant that did not hold."""


class UpdatingWorld(World):
    """told: what senders were told, by the ids of their updates."""

    def __init__(self, seed: int) -> None:
        self.told: dict[str, Any] = {}
        self.refused = 0
        super().__init__("ledger", seed)
        self.cancelling = False

    def _open(self) -> None:
        self.registry = Registry([ledger])
        super()._open()

    def _from_outside(self, status: str | None) -> list[Callable[[], object]]:
        choices = super()._from_outside(status)
        if status is not None and self.random.random() < 0.03:
            choices.append(lambda: self._spawn("ask", self._ask))
        if status == "RUNNING" and self.random.random() < 0.01:
            choices.append(lambda: self._spawn("wrong", self._send_wrong))
        return choices

    async def _signal(self, handler: Handler) -> None:
        """In the place of a signal: the number is sent as an update."""
        await self._engine()[2].update(ID, "add", handler.seq, f"u{handler.seq}")
        self.promised[f"signal-{handler.seq}"] = True

    async def _send_wrong(self, handler: Handler) -> None:
        try:
            await self._engine()[2].update(ID, "add", WRONG, "wrong")
        except (UpdateRefused, WrongStatus):
            self.refused += 1
        else:
            raise Broken("a wrong update was taken")

    async def _ask(self, handler: Handler) -> None:
        """Somebody looks, and senders ask again."""
        operations, before = self._engine()[2], self.file.commits
        answer = await operations.query(ID, "count")
        assert json.loads(answer) >= 0
        for number in range(3):
            try:
                state = await operations.update_state(ID, f"u{number}")
            except Refused:
                continue
            if state.status != "pending":
                self._hear(f"u{number}", state.shown())
        assert self.file.commits >= before

    def _hear(self, id: str, shown: dict[str, Any]) -> None:
        answer = (shown["status"], shown["result"], shown["error"])
        if self.told.setdefault(id, answer) != answer:
            raise Broken(f"the answer of {id} was {self.told[id]} and is {answer}")

    def verdict(self, status: str) -> None:
        """What must hold at the end."""
        if status != "SUCCEEDED":
            raise Broken(f"it ended {status}")
        snapshot = self.snapshot()
        assert snapshot is not None
        seen = json.loads(snapshot.execution.result or "[]")
        if sorted(one for one in seen if isinstance(one, int)) != [0, 1, 2]:
            raise Broken(f"each update is executed once: {seen}")
        if any(signal.signal_id == "update:wrong" for signal in snapshot.signals):
            raise Broken("a refused update has left a trace")
        whole = Operations(self.backend, self.clock, self.registry, self._engine()[0])
        for number in range(3):
            self._hear(f"u{number}", finished(whole.update_state(ID, f"u{number}")).shown())
            answered, result, _ = self.told[f"u{number}"]
            work = snapshot.records.get(f"update:u{number}/work")
            if answered == "failed" and work is not None and work.status == "FAILED":
                continue  # its step was out of attempts, and the sender was told so
            if answered != "succeeded":
                raise Broken(f"update {number} has changed the execution, and was told {answered}")
            if result != seen[: len(result)]:
                raise Broken(f"update {number} saw {result}, and the execution {seen}")


def run(seed: int, limit: int = 20_000) -> UpdatingWorld:
    world = UpdatingWorld(seed)
    try:
        world.verdict(world.run(limit))
    except BaseException as error:
        error.add_note(f"seed {seed}:\n" + "\n".join(world.trace[-60:]))
        raise
    finally:
        world.close()
    return world


def test_updates_run_once_and_their_answers_stand() -> None:
    worlds = [run(seed) for seed in SEEDS]
    assert sum(len(one.told) for one in worlds) > 100
    assert sum(one.refused for one in worlds) > 5, "too little was refused to say anything"


# -- broken on purpose ---------------------------------------------------------------------------------------


def an_answer_is_written_before_the_order(patch: Patch) -> None:
    early = "        await record_answers(self._store, self._clock, execution, replay)\n"
    edited(
        patch,
        advancer.Advancer,
        "_pass",
        ("    if snapshot.has_signals:\n", early[4:] + "    if snapshot.has_signals:\n"),
    )


def a_resume_opens_an_answer_again(patch: Patch) -> None:
    edited(patch, rewind, "rewind", ('if record.kind != "update"', "if True"))
    patch.setattr(resuming, "rewind", rewind.rewind)


def the_end_is_written_before_the_answers(patch: Patch) -> None:
    edited(patch, finish, "finish", ("if not await record_answers(store, clock, execution, replay):", "if False:"))
    for module in (advancer, chain, step_handler):
        patch.setattr(module, "finish", finish.finish)


MUTANTS: list[tuple[Any, int]] = [
    (an_answer_is_written_before_the_order, 33),
    (a_resume_opens_an_answer_again, 12),
    (the_end_is_written_before_the_answers, 0),
]
"""What goes wrong, and the first seed that has shown it."""


@pytest.mark.parametrize(("broken", "first"), MUTANTS)
def test_it_is_noticed_when_updates_are_broken(broken: Callable[[Patch], None], first: int, monkeypatch: Patch) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        _run_all(first)


def _run_all(first: int) -> None:
    for seed in (first, *range(300)):
        run(seed, limit=4_000)
