"""Schedules in a seeded world: moments come twice, late and out of order, and whoever decides about them may die.

Several calls run at the same time. Each call of the store is a place where another one goes on, or where the call dies;
its message then comes again, as SQS and a restart of `stepfast dev` have it.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

import stepfast
from stepfast import workflow
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.operations import Operations
from stepfast.engine.schedule_items import Moment, Overlap, ScheduleTarget
from stepfast.engine.schedule_starts import MomentOutcome, ScheduledStarts
from stepfast.language.registry import Registry
from stepfast.testing.memory import MemoryFile, finished
from tests.contract.clock import FixedClock

PERIOD = 60.0
MOMENTS = 6
MOST_TURNS = 5000
"""Turns of calls after which a run that has not come to its end is stuck."""


@workflow("hold")
async def hold() -> None:
    await stepfast.signal("go", str)


class Turn:
    """Lets the driver of the world choose who goes on."""

    def __await__(self) -> Generator[None]:
        yield


class Interleaved:
    """A port whose every call lets others go on, or dies, before it and after it."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._port, name)
        if name == "schedules":
            return Interleaved(member)
        if not callable(member):
            return member

        async def call(*arguments: Any, **options: Any) -> Any:
            await Turn()
            result = await member(*arguments, **options)
            await Turn()
            return result

        return call


@dataclass
class Call:
    """A delivery of a moment's message that is being handled."""

    moment: Moment
    coroutine: Coroutine[Any, Any, MomentOutcome]


@dataclass
class ScheduleWorld:
    """One schedule with one policy, driven by a seed. A broken invariant is an AssertionError."""

    seed: int
    overlap: Overlap
    calls: list[Call] = field(default_factory=list)
    messages: list[Moment] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    deliveries: int = 0

    def __post_init__(self) -> None:
        self.draw, self.clock = random.Random(self.seed), FixedClock()
        self.backend = SqliteBackend(MemoryFile(), self.clock)  # type: ignore[arg-type]
        self.target = ScheduleTarget("each", "hold", overlap=self.overlap)
        self.store: Any = Interleaved(self.backend)
        registry = Registry([hold])
        self.engine = Operations(self.store, self.clock, registry, None)  # type: ignore[arg-type]
        self.starts: ScheduledStarts = self.engine.scheduled
        self.direct = Operations(self.backend, self.clock, registry, None)  # type: ignore[arg-type]
        at = [self.clock.now() + PERIOD * number for number in range(1, MOMENTS + 1)]
        self.moments = [Moment(self.target.id_at(time), time) for time in at]
        # Some come twice, and all in any order that is not more than two places wrong.
        twice = [moment for moment in self.moments for _ in range(self.draw.choice((1, 1, 2)))]
        self.messages = sorted(twice, key=lambda moment: moment.at + self.draw.uniform(0, 2 * PERIOD))

    # -- what happens ------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            for _ in range(MOST_TURNS):
                if not self.messages and not self.calls:
                    self.check_end()
                    return
                self._happen()
                self.check_always()
            raise AssertionError(f"seed {self.seed}, {self.overlap}: it does not come to its end")
        finally:
            for call in self.calls:
                call.coroutine.close()

    def _happen(self) -> None:
        chance = self.draw.random()
        if self.messages and len(self.calls) < 3 and (not self.calls or chance < 0.15):
            self._deliver()
        elif self.calls and chance < 0.9:
            self._go_on(self.draw.choice(self.calls))
        elif self.calls and chance < 0.94:
            self._die(self.draw.choice(self.calls))
        elif running := self.running():
            finished(self.direct.cancel(running[0]))  # It ends; how does not matter to the schedule.
        self.clock.time += self.draw.uniform(0, 5)

    def _deliver(self) -> None:
        moment = self.messages.pop(0)
        self.clock.time = max(self.clock.time, moment.at)
        self.deliveries += 1
        self.calls.append(Call(moment, self.starts.take(self.target, moment)))

    def _go_on(self, call: Call) -> None:
        try:
            call.coroutine.send(None)
        except StopIteration as done:
            self.calls.remove(call)
            self._settle(call.moment, done.value)

    def _settle(self, moment: Moment, outcome: MomentOutcome) -> None:
        if outcome.kind == "waiting":
            self.messages.append(moment)
            if self.draw.random() < 0.5 and (running := self.running()):
                finished(self.direct.cancel(running[0]))
        elif outcome.kind == "skipped":
            self.skipped.add(moment.id)

    def _die(self, call: Call) -> None:
        """The process is killed: nothing of the call is left but what it has written."""
        call.coroutine.close()
        self.calls.remove(call)
        self.messages.append(call.moment)

    # -- what must hold ----------------------------------------------------------------------------------------

    def existing(self) -> list[str]:
        ids = [moment.id for moment in self.moments]
        return [execution.execution_id for execution in finished(self.backend.read_many(ids))]

    def running(self) -> list[str]:
        ids = [moment.id for moment in self.moments]
        executions = finished(self.backend.read_many(ids))
        return [execution.execution_id for execution in executions if execution.status == "RUNNING"]

    def check_always(self) -> None:
        told = f"seed {self.seed}, {self.overlap}"
        running, existing = self.running(), self.existing()
        assert self.overlap == "allow" or len(running) <= 1, f"{told}: {running} run at the same time"
        assert not self.skipped & set(existing), f"{told}: a moment that was skipped has started"

    def check_end(self) -> None:
        told, existing = f"seed {self.seed}, {self.overlap}", set(self.existing())
        if self.overlap in ("allow", "wait"):
            assert existing == {moment.id for moment in self.moments}, f"{told}: not every moment has started"
        if self.overlap == "replace":
            last = self.moments[-1].id
            assert last in existing, f"{told}: the last moment has not started"
            assert self.running() in ([], [last]), f"{told}: an earlier moment has replaced the last one"
        assert existing | self.skipped == {moment.id for moment in self.moments}, f"{told}: a moment is lost"
        item = finished(self.backend.schedules.read("each"))
        assert not item.unbegun, f"{told}: a decision was not carried out"
        assert not item.waiting, f"{told}: something waits for ever"


def played(seed: int, overlap: Overlap) -> ScheduleWorld:
    world = ScheduleWorld(seed, overlap)
    world.run()
    return world
