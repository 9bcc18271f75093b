"""Limits how many steps of a pool are handled at once: by its `max_concurrency`, and by its processes."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from stepfast.engine.embedded import Stored
from stepfast.engine.messages import Message


class Places(Protocol):
    """The processes of a pool."""

    @property
    def places(self) -> int:
        """How many of the pool's `def` steps should be claimed at once."""

    @property
    def refill(self) -> int:
        """How many places should be free before waiting steps get them, so that their claims share a commit."""


@dataclass(slots=True)
class _PlaceLine:
    """The steps of a pool of one kind: those for its processes, or the others."""

    # A second thread also handles the message of a blocked thread. Both together hold one place.
    held: Counter[int] = field(default_factory=Counter)
    waiting: deque[Stored] = field(default_factory=deque)


class _Pool:
    """The places of one pool. limit: of all its steps. processes: of its `def` steps."""

    def __init__(self, limit: int | None, processes: Places | None) -> None:
        self._limit, self._processes = limit, processes
        self._for_processes, self._others = _PlaceLine(), _PlaceLine()
        self.lines = (self._for_processes, self._others)

    def line(self, in_process: bool) -> _PlaceLine:
        return self._for_processes if in_process and self._processes is not None else self._others

    def has_room(self, line: _PlaceLine, promised: Counter[int]) -> bool:
        """Whether one more step of this line may run. promised: places that others will take, by the line's identity"""
        held = sum(len(each.held) for each in self.lines) + promised.total()
        if self._limit is not None and held >= self._limit:
            return False
        if line is self._others or self._processes is None:
            return True
        return len(line.held) + promised[id(line)] < self._processes.places

    def _refills(self) -> bool:
        """Whether enough places of processes are free to give them away."""
        processes = self._processes
        return processes is not None and processes.places - len(self._for_processes.held) >= processes.refill

    def next_waiting(self) -> list[Stored]:
        """The messages that there is room for, removed from their lines, in the order in which they have waited."""
        promised: Counter[int] = Counter()
        messages: list[Stored] = []
        for line in self.lines:
            if line is self._for_processes and not self._refills():
                continue  # The steps that hold the other places will end, and then these are given away together.
            while line.waiting and self.has_room(line, promised):
                messages.append(line.waiting.popleft())
                promised[id(line)] += 1
        return messages


class Limits:
    """Places of pools: a step's message holds a place while it is handled, and waits here without one. Thread-safe.

    limits: the places of each pool; a pool that is not listed has no limit. processes: of the pools that have some; a
    `def` step of such a pool is claimed only once a process will soon be free, so that its lease does not run while it
    waits. async_steps: the names of steps that run in no process. A chain of steps in one pool runs on the place of its
    first step.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        processes: Mapping[str, Places] = MappingProxyType({}),
        async_steps: Collection[str] = (),
    ) -> None:
        self._async_steps = frozenset(async_steps)
        self._lock = threading.Lock()
        self._pools = {name: _Pool(limits.get(name), processes.get(name)) for name in {**limits, **processes}}

    def apply_to(self, message: Message) -> bool:
        """Whether a message needs a place: it is of a step, and its pool has a limit or processes."""
        return message.pool in self._pools and message.kind == "step"

    def enter(self, stored: Stored) -> bool:
        """Takes a place for a message. False if none is free: the message waits here until `leave` returns it."""
        message = stored.delivery.message
        pool = self._pools.get(message.pool)
        if pool is None or message.kind != "step":
            return True
        with self._lock:
            line = pool.line(self._is_def(message))
            if stored.seq not in line.held and not pool.has_room(line, Counter()):
                line.waiting.append(stored)
                return False
            line.held[stored.seq] += 1
            return True

    def leave(self, stored: Stored) -> list[Stored]:
        """Frees the place of a message. Returns messages of its pool that have waited for a place, to handle now."""
        message = stored.delivery.message
        pool = self._pools.get(message.pool)
        if pool is None or message.kind != "step":
            return []
        with self._lock:
            line = pool.line(self._is_def(message))
            line.held[stored.seq] -= 1
            if line.held[stored.seq] <= 0:
                del line.held[stored.seq]
            return pool.next_waiting()

    def _is_def(self, message: Message) -> bool:
        """Whether the step of a message is a `def`, as far as its hint or its name says."""
        command = message.hint.command if message.hint is not None else None
        if command is not None and command.step is not None:
            return not command.step.is_async
        # The id of a command is a path of tasks, the name, and a number (`Replay._id`).
        return message.command_id.rpartition("/")[2].partition("#")[0] not in self._async_steps

    def waits(self) -> set[int]:
        """The numbers of the messages that wait for a place."""
        with self._lock:
            return {stored.seq for pool in self._pools.values() for line in pool.lines for stored in line.waiting}
