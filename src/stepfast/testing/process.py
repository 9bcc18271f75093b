"""The process under test: the real engine on the file in memory. After a crash, a new Process goes on with the file."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from stepfast.backends.item_files import DiskAndBucketFiles
from stepfast.backends.sqlite.store import SqliteBackend, Stored
from stepfast.engine.advancer import Advancer
from stepfast.engine.operations import Operations
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Delete, Later, Refuse
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.worker import Worker
from stepfast.language.registry import Registry
from stepfast.simulator.simulated_loop import SimulatedClock, SimulatedLoop
from stepfast.testing.agenda import DueAdvance, ProcessAgenda
from stepfast.testing.memory import MemoryFile
from stepfast.testing.points import Died, Ports
from stepfast.testing.state import KitState
from stepfast.testing.steps import AlertedFakeTime, FakingRunner

LEFT_SECONDS = 30.0
"""Seconds until a message that was neither deleted nor refused comes back, as in the embedded runtime."""


class Process:
    """Has the engine handle what is due, each message and each advance in a task of its own.

    `operations` are for the outside world. They pass no points, so no crash hits them.
    """

    def __init__(
        self,
        file: MemoryFile,
        loop: SimulatedLoop,
        registry: Registry,
        state: KitState,
        draw: random.Random,
        *,
        shuffled: bool,
    ) -> None:
        clock, fake_time = SimulatedClock(loop), AlertedFakeTime(loop)
        runner = FakingRunner(loop, state, fake_time)
        self._clock, self.alert = clock, fake_time.alert
        self.backend = SqliteBackend(cast(Any, file), clock)
        self.agenda = ProcessAgenda(draw if shuffled else None)
        self._ports = Ports(self.backend, state.points, fake_time.alert)
        ports = cast(Any, self._ports)
        lives = LiveReplays(deltas=ports)
        self._advancer = Advancer(ports, ports, clock, registry, lives)
        # Without the live replays: a signal waits for the advance that uses a live replay. Here it would wait for
        # ever, since the event loop runs only in `drive`.
        self.operations = Operations(self.backend, clock, registry, self._advancer, queue=self.backend)
        self._worker = Worker(
            StepHandler(ports, ports, clock, registry, runner, draw, lives=lives, files=DiskAndBucketFiles()),
            TimerHandler(ports, ports, clock),
            ParkHandler(ports, clock, registry),
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.bell = asyncio.Event()
        self.on_advanced: Callable[[str], None] = lambda execution_id: None
        self.on_handled: Callable[[str], None] = lambda execution_id: None
        self.backend.on_message = self._arrived
        self.backend.on_wake = self._woken
        messages, wakes = self.backend.outstanding()
        for stored in messages:
            self._arrived(stored)
        for execution_id, seq in wakes:
            self._woken(execution_id, seq)

    def _arrived(self, stored: Stored) -> None:
        self.agenda.put_message(stored)
        self.bell.set()

    def _woken(self, execution_id: str, seq: int) -> None:
        self.agenda.put_wake(execution_id, seq)
        self.bell.set()

    @property
    def dead(self) -> bool:
        return isinstance(self.failure, Died)

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def begin_next(self) -> bool:
        """Begins the task of what is due next; False if nothing is due."""
        work = self.agenda.take(self._clock.now())
        if work is None:
            return False
        task = asyncio.get_running_loop().create_task(
            self._advance(work) if isinstance(work, DueAdvance) else self._drive(work)
        )
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.bell.set()
        if not task.cancelled() and (error := task.exception()) is not None and not self.dead:
            self.failure = error

    async def _advance(self, work: DueAdvance) -> None:
        try:
            await self._advancer.advance(work.execution_id)
            self.backend.advanced(work.execution_id, work.seq)
        finally:
            self.agenda.advanced(work.execution_id)
        self._handled(work.execution_id)
        self.on_advanced(work.execution_id)

    async def _drive(self, stored: Stored) -> None:
        match await self._worker.handle(stored.delivery):
            case Delete():
                self.backend.delete(stored.seq)
            case Refuse():
                self.backend.refuse(stored.seq)
            case Later(at):
                self.agenda.put_message(stored, at)
            case _:
                self.agenda.put_message(stored, self._clock.now() + LEFT_SECONDS)
        self._handled(stored.delivery.message.execution_id)

    def _handled(self, execution_id: str) -> None:
        """Calls on_handled. Its exception fails the test, even if the execution has just ended as it should."""
        try:
            self.on_handled(execution_id)
        except Exception as error:
            self.failure = error

    def die(self) -> None:
        """The process is dead: it writes nothing any more."""
        self._ports.alive, self.failure = False, Died()

    async def kill(self) -> None:
        """Cancels every task. `finally` blocks of steps still run, but their writes are lost."""
        self._ports.alive = False
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=1.0)
