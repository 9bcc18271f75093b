"""What the simulated worlds have in common: the embedded home on the real SQL, with its queue and wakes in sight."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from stepfast.backends.sqlite.store import SqliteBackend, Stored
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.language.registry import Registry
from stepfast.testing.memory import MemoryFile

VISIBILITY = 60.0
"""Seconds after which a message that was taken comes back."""


class Running(Protocol):
    """A handler under way."""

    coroutine: Coroutine[Any, Any, None]


class SimulatedHome:
    """A seeded world of one workflow: random numbers, the time, the file, its queue, and who is under way.

    crash: how often a handler dies instead of going on. duplicate: how often a message or a wake comes again.
    """

    clock: Any
    backend: SqliteBackend

    def __init__(self, workflow: str, seed: int, registry: Registry, duplicates: Sequence[float]) -> None:
        self.random = random.Random(f"{workflow}/{seed}")
        self.workflow, self.seed, self.registry = workflow, seed, registry
        self.crash = (0.0, 0.02, 0.1)[seed % 3]
        self.duplicate = duplicates[seed % 4 % len(duplicates)]
        self.unavailable = (0.0, 0.0, 0.01)[seed // 5 % 3]
        self.now = 1000.0
        self.trace: list[str] = []
        self.live: list[Any] = []
        self.wakes: dict[str, int] = {}
        self.queue: dict[int, float] = {}
        self.messages: dict[int, Stored] = {}
        self.file = MemoryFile()

    def note(self, what: str) -> None:
        self.trace.append(f"{self.now:9.2f} {what}")

    def open(self) -> None:
        """A process takes the file over, with the messages and wakes that are in it."""
        self.backend = SqliteBackend(self.file, self.clock)  # type: ignore[arg-type]
        messages, wakes = self.backend.outstanding()
        self.messages |= {stored.seq: stored for stored in messages}
        self.queue = {stored.seq: stored.due for stored in messages}
        self.wakes = dict(wakes)
        self.backend.on_wake = self._woken
        self.backend.on_message = self.arrived

    def worker(self, ports: Any, clock: Any, steps: Any, lives: Any) -> Worker:
        """A worker of a machine with this clock; its random numbers are drawn from those of the world."""
        draw = random.Random(self.random.random())
        return Worker(
            StepHandler(ports, ports, clock, self.registry, steps, draw, lives=lives),
            TimerHandler(ports, ports, clock),
            ParkHandler(ports, clock, self.registry),
        )

    def arrived(self, stored: Stored) -> None:
        """A message is in the queue."""
        self.queue[stored.seq], self.messages[stored.seq] = stored.due, stored

    def _woken(self, execution_id: str, seq: int) -> None:
        self.wakes[execution_id] = max(seq, self.wakes.get(execution_id, 0))

    def advanced(self, execution_id: str, seq: int) -> None:
        """A wake was followed: it is over, unless another has come meanwhile."""
        self.backend.advanced(execution_id, seq)
        if self.wakes.get(execution_id) == seq:
            del self.wakes[execution_id]

    def taken(self, seq: int) -> None:
        """A message is delivered: it comes back after a while, or is delivered twice at the same time."""
        if self.random.random() >= self.duplicate:
            self.queue[seq] = self.now + VISIBILITY

    def close(self) -> None:
        """Ends what a violation has left standing, and closes the file."""
        for handler in self.live:
            handler.coroutine.close()
        self.file.close()
