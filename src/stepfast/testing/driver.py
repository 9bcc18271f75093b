"""Drives the process under test through simulated time: what is due now, then on to what is due next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from stepfast.engine.operations import Operations
from stepfast.language.registry import Registry
from stepfast.model import Event, Execution, Snapshot
from stepfast.replay.replay import Replay
from stepfast.simulator.simulated_loop import SimulatedClock, SimulatedLoop
from stepfast.testing.calls import Call, CallLog
from stepfast.testing.memory import MemoryFile, finished
from stepfast.testing.points import Died, Point, Points
from stepfast.testing.process import Process
from stepfast.testing.replays import ReplayCheck
from stepfast.testing.steps import Fakes, FakingRunner


class Driver:
    """Everything behind an environment that outlives a crash: time, file, fakes, cues, the account of calls."""

    def __init__(
        self,
        registry: Registry,
        start: datetime,
        draw: random.Random,
        points: Points,
        *,
        shuffled: bool,
        check_replays: bool,
    ) -> None:
        self._check = ReplayCheck() if check_replays else None
        self._registry, self._draw, self._shuffled = registry, draw, shuffled
        self.points, self.fakes = points, Fakes()
        self.crashes: list[Point] = []
        self.loop = SimulatedLoop(start)
        self._clock = SimulatedClock(self.loop)
        self._file = MemoryFile()
        self._calls = CallLog()
        self._cues: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._down = 0.0
        self._kept: dict[str, tuple[Snapshot, Sequence[Event]]] | None = None
        self._begin()

    def _begin(self) -> None:
        self._runner = FakingRunner(self.loop, self.fakes, self.points, self._calls)
        self._process = Process(
            self._file, self._clock, self._registry, self._runner, self.points, self._draw, self._shuffled
        )
        self._process.on_advanced = self.notice_waits
        self._process.on_handled = self._replay_from_scratch

    def _replay_from_scratch(self, execution_id: str) -> None:
        if self._check is not None and not self._process.dead:
            self._check.look(self, execution_id)

    @property
    def operations(self) -> Operations:
        if self._kept is not None:
            raise RuntimeError("the environment is closed: only its runs can still be asked")
        return self._process.operations

    def look(self, execution_id: str) -> None:
        self._runner.look(execution_id)

    # -- going on ----------------------------------------------------------------------------------------

    def drive(self, goal: Callable[[], bool], until: float | None) -> bool:
        """Goes on until the goal is reached, or this simulated time; False when nothing is left before."""
        _ = self.operations  # closed?
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "fakes and steps cannot run the environment that runs them: use env.when(…) or env.at(…)"
            )
        self.points.recorded.clear()
        return self.loop.run_until_complete(self._drive(goal, until))

    async def _drive(self, goal: Callable[[], bool], until: float | None) -> bool:
        settled = False
        while True:
            process = self._process
            process.bell.clear()
            if process.dead:
                await self._restart()
                continue
            if process.failure is not None:
                raise process.failure
            if not self._take_cues():
                continue
            if goal():
                return True
            if process.begin_next():
                settled = False
                await asyncio.sleep(0)
                continue
            if until is not None and self.loop.time() >= until:
                if settled:
                    return False
                settled = await self.loop.settle()
                continue
            times = (until, process.agenda.due, self._cues[0][0] if self._cues else None)
            next_due = min((one for one in times if one is not None), default=None)
            if next_due is None and not process.busy:
                return False
            try:
                async with asyncio.timeout_at(next_due):
                    await process.bell.wait()
            except TimeoutError:
                self.loop.jump_to(next_due or 0.0)

    async def _restart(self) -> None:
        await self._process.kill()
        self._file.lose_posted()
        self.loop.jump(self._down)
        self._begin()

    def crash(self, point: Point, down: timedelta) -> None:
        """The process dies here; the next one begins this much later."""
        self.crashes.append(point)
        self._down = down.total_seconds()
        self._process.die()
        raise Died

    # -- cues --------------------------------------------------------------------------------------------

    def put_cue(self, at: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._cues, (at, next(self._numbers), act))

    def _take_cues(self) -> bool:
        """Does what is due by now; False when it has killed the process."""
        while self._cues and self._cues[0][0] <= self.loop.time():
            try:
                heapq.heappop(self._cues)[2]()
            except Died:
                return False
        return True

    def notice_waits(self, execution_id: str) -> None:
        """Passes a moment for every signal that the execution waits for, if anyone cares."""
        if not self.points.wanted("waiting"):
            return
        snapshot = self.snapshot(execution_id)
        if snapshot.execution.status != "RUNNING":
            return
        for command in self.replay(snapshot).outstanding.values():
            if command.kind == "signal" and command.id not in snapshot.records:
                self.points.reach(Point("at", "waiting", execution_id, command.name, 0, command.id))

    # -- what runs look at -------------------------------------------------------------------------------

    def execution(self, execution_id: str) -> Execution:
        if self._kept is not None:
            return self._kept[execution_id][0].execution
        return finished(self._process.operations.read(execution_id))

    def snapshot(self, execution_id: str) -> Snapshot:
        if self._kept is not None:
            return self._kept[execution_id][0]
        return finished(self._process.operations.load(execution_id))

    def kept(self, execution_id: str) -> Sequence[Event]:
        if self._kept is not None:
            return self._kept[execution_id][1]
        return finished(self._process.backend.history(execution_id))

    def calls(self, execution_id: str) -> list[Call]:
        return self._calls.of(execution_id)

    def replay(self, snapshot: Snapshot) -> Replay:
        replay = self._process.operations.replay(snapshot)
        assert replay is not None  # every workflow started here is in the registry
        return replay

    def close(self, execution_ids: Iterable[str]) -> None:
        """Ends everything that is under way, and keeps what runs may still be asked for."""
        self._kept = {id: (self.snapshot(id), self.kept(id)) for id in execution_ids}
        self.loop.run_until_complete(self._process.kill())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self._file.close()


class Driven:
    """What the parts of an environment share."""

    _opened: Driver | None = None

    @property
    def _driver(self) -> Driver:
        if self._opened is None:
            raise RuntimeError("enter the environment first: with Environment(…) as env")
        return self._opened
