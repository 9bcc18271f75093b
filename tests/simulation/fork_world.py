"""A simulated family with an operator who forks any of its members at any moment, and deletes forks and origins.

A side is what belongs to one root: its id, and those of its children, which begin with it and a dot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.forking import ForkRequest
from stepfast.model import ENDED, Execution
from stepfast.testing.memory import finished
from tests.simulation.family_world import FamilyWorld

MOST_FORKS = 4
TABLES = ("executions", "commands", "orders", "signals", "large_values", "history", "labels")


class ForkingWorld(FamilyWorld):
    """done: how often something was done."""

    def __init__(self, workflow: str, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._forks: list[tuple[str, ForkRequest]] = []
        super().__init__(workflow, seed)
        self.deleting = 2 * (seed % 3 == 1)

    def _open(self) -> None:
        super()._open()
        fork, erase = self.backend.fork, self.backend.erase

        async def forked(copy: ForkCopy, children: Any = ()) -> Execution:
            side, before = copy.execution.execution_id, self._sides()
            held = await fork(copy, children)
            if _without(self._sides(), side) != _without(before, side):
                self.watch.violated("a-fork-leaves-its-origin-alone", side)
            self.done["fork"] += held is copy.execution
            self.done["copy"] += len(children) if held is copy.execution else 0
            return held

        async def erased(execution: Execution) -> bool:
            side, before = side_of(execution.execution_id), self._sides()
            gone = await erase(execution)
            if gone and _without(self._sides(), side) != _without(before, side):
                self.watch.violated("a-deletion-takes-its-own-alone", execution.execution_id)
            if gone and execution.execution_id == side and side in self._sides():
                self.watch.violated("a-deletion-takes-its-own-alone", f"{side} has left {self._sides()[side]}")
            self.done["erase"] += gone
            return gone

        self.backend.fork = forked  # type: ignore[method-assign, assignment]
        self.backend.erase = erased  # type: ignore[method-assign]

    def _sides(self) -> dict[str, list[Any]]:
        """All rows of each side."""
        sides: dict[str, list[Any]] = {}
        for table in TABLES:
            for row in self.file._db.execute(f"SELECT execution_id, * FROM {table}"):
                sides.setdefault(side_of(row[0]), []).append((table, *row))
        return {side: sorted(map(repr, rows)) for side, rows in sides.items()}

    def _choose(self) -> Callable[[], object] | None:
        if self.random.random() < 0.02:
            choices = self._from_outside()
            return self.random.choice(choices) if choices else super()._choose()
        return super()._choose()

    def _from_outside(self) -> list[Callable[[], object]]:
        choices, members = super()._from_outside(), self.members()
        if members and self.random.random() < 0.4:
            if len(self._forks) < MOST_FORKS:
                failed = [member for member in members if member.status == "FAILED" and member.link is None]
                choices += [lambda: self._fork(self.random.choice(failed or members))] * 3
            elif self.random.random() < 0.2:
                choices.append(lambda: self._ask(*self.random.choice(self._forks)))
        forks = [member for member in members if member.forked is not None and member.link is None]
        ended = [member.execution_id for member in forks if member.status in ENDED]
        if ended and self.random.random() < 0.1:
            choices.append(lambda: self._operate(self._delete, self.random.choice(ended)))
        return choices

    def _fork(self, origin: Execution) -> None:
        """Forks an execution before one of its commands, or at its failure."""
        snapshot = finished(self.backend.load(origin.execution_id))
        commands = sorted(snapshot.records) if snapshot is not None else []
        at_failure = origin.status == "FAILED" and self.random.random() < 0.7
        before = None if at_failure or not commands else self.random.choice(commands)
        children: Any = self.random.choice(("relink", "copy"))
        asked = origin.execution_id, ForkRequest(f"fork{len(self._forks)}", before, children=children)
        self._forks.append(asked)
        self._ask(*asked)

    def _ask(self, origin: str, request: ForkRequest) -> None:
        self.note(f"fork {origin} as {request.execution_id} before {request.before}, {request.children}")
        self._spawn("fork", self._engine()[2].fork(origin, request))

    def _idle(self) -> Callable[[], object] | None:
        action = super()._idle()
        if action is not None:
            return action
        failed = [one.execution_id for one in self.members() if one.status == "FAILED" and one.link is None]
        if failed:
            self.now += self.random.uniform(1, 60)
            return lambda: self._operate(self._resume, failed[0])
        members = self.members()
        if members and len(self._forks) < MOST_FORKS:
            return lambda: self._fork(self.random.choice(members))
        forks = [member.execution_id for member in members if member.forked is not None and member.link is None]
        if forks and self.done["erase"] < 2:
            return lambda: self._operate(self._delete, forks[0])
        return None


def side_of(execution_id: str) -> str:
    return execution_id.partition(".")[0]


def _without(sides: dict[str, list[Any]], side: str) -> dict[str, list[Any]]:
    return {name: rows for name, rows in sides.items() if name != side}
