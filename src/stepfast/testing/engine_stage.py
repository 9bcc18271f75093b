"""The stage of `Environment`: drives the process under test from what is due now to what is due next."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stepfast.backends.sqlite.importing import put_all, recorded_in
from stepfast.client.update_answers import StartIf, start_body
from stepfast.engine.forking import fork_request
from stepfast.engine.operations import Operations
from stepfast.engine.repairing import repair_of
from stepfast.engine.updating import StartWith
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.simulator.simulated_loop import SimulatedClock, SimulatedLoop, moment
from stepfast.standing import Intervention
from stepfast.testing import stand_ins
from stepfast.testing.memory import MemoryFile, finished
from stepfast.testing.points import Died, Point, Trigger
from stepfast.testing.process import Process
from stepfast.testing.state import KitState


class EngineStage:
    """The engine on SQLite in memory, in simulated time. The stage outlives the processes that crash on it.

    seed: of the jitter of retries; other than 0, also of the order of what is due at one moment.
    """

    def __init__(self, registry: Registry, start: datetime, seed: int, state: KitState) -> None:
        self.state = state
        self._registry, self._draw, self._shuffled = registry, random.Random(seed), seed != 0
        self.crashes: list[Point] = []
        self._loop = SimulatedLoop(start)
        self._clock = SimulatedClock(self._loop)
        self._file = MemoryFile()
        self._cues: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._down = 0.0
        self._process = self._begin()

    def _begin(self) -> Process:
        process = Process(self._file, self._loop, self._registry, self.state, self._draw, shuffled=self._shuffled)
        self.state.reading.connect(process.backend, self._clock, self._registry)

        def check(execution_id: str) -> None:
            if not process.dead:
                self.state.replay_from_scratch(execution_id)

        process.on_advanced = self.state.reach_waits
        process.on_handled = check
        return process

    def close(self) -> None:
        """Ends everything that is under way, and keeps what runs may still be asked for."""
        self.state.reading.close(self.state.started)
        self._loop.run_until_complete(self._process.kill())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        self._file.close()

    # -- time --------------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._loop.time()

    @property
    def writes(self) -> int:
        return self._file.commits

    def drive(self, goal: Callable[[], bool]) -> bool:
        return self._run(goal, None)

    def drive_to(self, at: float) -> None:
        self._run(lambda: False, at)

    def _run(self, goal: Callable[[], bool], until: float | None) -> bool:
        self._require_open()
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "fakes and steps cannot run the environment that runs them: use env.when(…) or env.at(…)"
            )
        self.state.points.recorded.clear()
        return self._loop.run_until_complete(self._drive(goal, until))

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
            if until is not None and self._loop.time() >= until:
                if settled:
                    return False
                settled = await self._loop.settle()
                continue
            times = (until, process.agenda.due, self._cues[0][0] if self._cues else None)
            next_due = min((at for at in times if at is not None), default=None)
            if next_due is None and not process.busy:
                return False
            try:
                async with asyncio.timeout_at(next_due):
                    await process.bell.wait()
            except TimeoutError:
                self._loop.jump_to(next_due or 0.0)

    def call_at(self, at: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._cues, (at, next(self._numbers), act))

    def _take_cues(self) -> bool:
        """Does what is due by now; False when it has killed the process."""
        while self._cues and self._cues[0][0] <= self._loop.time():
            try:
                heapq.heappop(self._cues)[2]()
            except Died:
                return False
        return True

    def add_trigger(self, trigger: Trigger) -> None:
        self.state.points.add(trigger)
        for execution_id in self.state.started:  # it may wait already, and an advance may be far off
            with suppress(Died):  # `_drive` sees that the process is dead
                self.state.reach_waits(execution_id)

    # -- requests ----------------------------------------------------------------------------------------

    @property
    def operations(self) -> Operations:
        """What the outside world asks of the process; no crash hits it."""
        self._require_open()
        return self._process.operations

    def _require_open(self) -> None:
        if self.state.reading.closed:
            raise RuntimeError("the environment is closed: only its runs can still be asked")

    def start(self, workflow: str, input: Any, execution_id: str, labels: Mapping[str, str] | None) -> tuple[str, str]:
        started = finished(self.operations.start(workflow, input, execution_id, labels))
        return started.execution.execution_id, started.into

    def load(self, path: Path) -> dict[str, Workflow[..., Any]]:
        """Copies the executions of a file; the workflows of those without parents, oldest first, by their ids."""
        self._require_open()
        recorded = list(reversed(list(recorded_in(path, self._clock))))
        workflows: dict[str, Workflow[..., Any]] = {}
        for execution in (each.execution for each in recorded):
            workflow = self._registry.get(execution.workflow)
            if workflow is None:
                raise LookupError(f"{path} needs workflow {execution.workflow!r}, which this environment was not given")
            if not execution.is_child:
                workflows[execution.execution_id] = workflow
        hand = Intervention("pause", self._loop.time(), why="it was loaded for a test")
        finished(put_all(self._file, recorded, hand))
        self.state.started |= workflows
        return workflows

    def replace(self, workflow: Workflow[..., Any]) -> None:
        stand_ins.put(self._registry, workflow)

    def signal(self, execution_id: str, name: str, payload: Any, signal_id: str | None) -> None:
        finished(self.operations.signal(execution_id, name, payload, signal_id))

    def query(self, execution_id: str, name: str, payload: Any) -> Any:
        return json.loads(finished(self.operations.query(execution_id, name, payload)))

    def update(self, execution_id: str, name: str, payload: Any, update_id: str, start: StartIf | None) -> None:
        begins = None if start is None else StartWith(**start_body(start))
        finished(self.operations.update(execution_id, name, payload, update_id, 0.0, begins))

    def update_state(self, execution_id: str, update_id: str) -> Mapping[str, Any]:
        return finished(self.operations.update_state(execution_id, update_id)).shown()

    def report(self, token: str, report: Mapping[str, Any]) -> None:
        links = self.operations.links
        finished(links.report(finished(links.check(token)), report))

    def cancel(self, execution_id: str) -> None:
        finished(self.operations.cancel(execution_id))
        self._process.alert(execution_id)

    def resume(self, execution_id: str, steps: Sequence[str] | None) -> None:
        finished(self.operations.resume(execution_id, steps=steps))

    def repair(self, execution_id: str, command: str, change: Mapping[str, Any]) -> None:
        finished(self.operations.repair(execution_id, command, repair_of(change)))

    def fork(self, execution_id: str, request: Mapping[str, Any]) -> None:
        finished(self.operations.fork(execution_id, fork_request(request)))

    def intervene(self, execution_id: str, action: str, why: str | None) -> None:
        finished(getattr(self.operations, action)(execution_id, why))

    # -- crashes -----------------------------------------------------------------------------------------

    def crash(self, execution_id: str, down: timedelta) -> None:
        self.crash_at(Point("at", "time", execution_id, str(moment(self._loop.time()))), down)

    def crash_at(self, point: Point, down: timedelta) -> None:
        """Kills the process at a point; the next process begins this much later."""
        self.crashes.append(point)
        self._down = down.total_seconds()
        self._process.die()
        raise Died

    async def _restart(self) -> None:
        await self._process.kill()
        self._file.lose_posted()
        self._loop.jump(self._down)
        self._process = self._begin()
