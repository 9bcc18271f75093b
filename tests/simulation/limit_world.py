"""A seeded world of many executions whose steps keep to limits: handlers interleaved, killed and repeated at random.

Time moves as messages are handled. Advances are made whole, since they have nothing to do with limits.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from stepfast import Limit, step, workflow
from stepfast.backends.sqlite.store import SqliteBackend, Stored
from stepfast.engine.advancer import Advancer
from stepfast.engine.limit_items import lateness
from stepfast.engine.limiting import Limiter
from stepfast.engine.operations import Operations
from stepfast.engine.ports import Delete, Delivery, Disposition, Later, Refuse
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.errors import Refused, Unavailable
from stepfast.language.limits import Rate
from stepfast.language.registry import Registry
from stepfast.testing.memory import MemoryFile, finished
from tests.simulation.machines import point

VISIBILITY = 31.0
SKEW = 1.0
HANDLED = 1.0
"""Seconds from the moment of a step to its beginning, while other handlers go on."""
SLOTS = 2
QUIET = 30.0
"""Seconds that a world without faults takes at most, where no rate has to be waited for."""

slots = Limit("slots", concurrency=SLOTS)
paced = Limit("paced", rate=2, per=10, burst=2)
turns = Limit("turns", concurrency=SLOTS, key=lambda number: f"c{number % 3}", shared=True)


@step(limits=[slots], timeout=15)
async def one_slot(number: int) -> int:
    return number


@step(limits=[paced], timeout=15)
async def one_moment(number: int) -> int:
    return number


@step(limits=[slots, turns, paced], timeout=15)
async def three_limits(number: int) -> int:
    return number


@workflow
async def slot(number: int) -> int:
    return await one_slot(number)


@workflow
async def moment(number: int) -> int:
    return await one_moment(number)


@workflow
async def three(number: int) -> int:
    return await three_limits(number)


@workflow
async def chained(number: int) -> int:
    return await one_slot(number) + await one_slot(number + 1)


FLOWS = (slot, moment, three, chained)


class BrokenLimit(AssertionError):
    """An invariant of limits does not hold."""


class LimitClock:
    def __init__(self, world: LimitWorld, skew: float) -> None:
        self._world, self._skew = world, skew

    def now(self) -> float:
        return self._world.now + self._skew

    async def sleep(self, seconds: float) -> None:
        self._world.now += seconds
        await point("sleep")


class LimitPorts:
    """The backend behind points at which a handler may be overtaken or killed; so are its limits."""

    def __init__(self, world: LimitWorld, target: str) -> None:
        self._world, self._target = world, target
        if target == "store":
            self.limits = LimitPorts(world, "limits")
            self.workflow_pauses: Any = world.backend.workflow_pauses  # see held_world.py

    def __getattr__(self, name: str) -> Any:
        backend = self._world.backend
        method = getattr(backend.limits if self._target == "limits" else backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            await point(name)
            self._world.maybe_unavailable(name)
            result = await method(*arguments, **options)
            self._world.called(name, arguments, result)
            await point(f"{name} done")
            return result

        return call


@dataclass(eq=False)
class LimitHandler:
    """What handles one delivery.

    at: the point that it has come to. gate: the state of a gate that it has read last.
    """

    seq: int
    coroutine: Coroutine[str, None, None]
    at: str = ""
    gate: str = ""


class LimitWorld:
    """Executions of one workflow, from their start until all have ended."""

    flows: tuple[Any, ...] = FLOWS

    def __init__(self, seed: int, flow: Any = None) -> None:
        self.random = random.Random(seed)
        self.flow = flow or self.flows[seed % len(self.flows)]
        self.crash = (0.0, 0.004, 0.02)[seed % 7 % 3]
        self.duplicate = (0.0, 0.1, 0.4)[seed % 5 % 3]
        self.unavailable = (0.0, 0.0, 0.003)[seed // 3 % 3]
        self.cancelling = seed % 3 == 2
        self.count = 3 + seed % 9
        self.now = 1000.0
        self.visibility = VISIBILITY
        self.running: dict[tuple[str, str], int] = {}
        self.effects, self.begun = Counter[str](), list[float]()
        self.live: list[LimitHandler] = []
        self.handler: LimitHandler | None = None
        self.queue: dict[int, float] = {}
        self.messages: dict[int, Stored] = {}
        self.wakes: list[str] = []
        self.file = MemoryFile()
        self.backend = SqliteBackend(self.file, LimitClock(self, -SKEW))  # type: ignore[arg-type]
        self.backend.on_wake = lambda execution_id, seq: self.wakes.append(execution_id)
        self.backend.on_message = self._arrived
        self.registry = Registry(self.flows)
        self.machines = [self._machine() for _ in range(3)]
        clock = LimitClock(self, 0.0)
        lives = LiveReplays(deltas=self.backend)
        self.advancer = Advancer(self.backend, self.backend, clock, self.registry, lives)
        self.operations = Operations(self.backend, clock, self.registry, self.advancer, lives)

    def _machine(self) -> StepHandler:
        clock, ports, runner = LimitClock(self, self.random.uniform(-SKEW, SKEW)), LimitPorts(self, "store"), self
        store: Any = ports
        return StepHandler(
            store,
            store,
            clock,
            self.registry,
            runner,
            random.Random(self.random.random()),
            limiter=Limiter(store, store, clock),
        )

    def maybe_unavailable(self, name: str) -> None:
        if self.random.random() < self.unavailable:
            raise Unavailable(f"{name} did not answer")

    def called(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        """A call of a port was answered."""

    def _arrived(self, stored: Stored) -> None:
        self.queue[stored.seq], self.messages[stored.seq] = stored.due, stored

    # -- attempts --------------------------------------------------------------------------------------------------

    async def run(self, call: AttemptCall) -> Ended:
        """Runs an attempt, and looks at how many run. An attempt whose worker was killed has ended."""
        name, key = call.step.name, (call.context.execution_id, call.context.step_id)
        self.effects[f"{key}"] += 1
        self.begun.append(self.now)
        limits = {limit.name for limit in call.step.limits}
        self.running[key] = self.running.get(key, 0) + 1
        try:
            if "slots" in limits and sum(self.running.values()) > SLOTS:
                raise BrokenLimit(f"{sum(self.running.values())} attempts of {name} run at once")
            for _ in range(self.random.choice((0, 2, 6, 60))):
                await point(f"{name} runs")
        finally:
            self.running[key] -= 1
        return self._ended(call)

    def _ended(self, call: AttemptCall) -> Ended:
        if self.random.random() < 0.1:
            return Ended(error=RuntimeError("once more"))
        return Ended(call.arguments.arguments["number"])

    async def _handle(self, delivery: Delivery) -> Disposition:
        return await self.random.choice(self.machines).handle(delivery)

    async def _drive(self, seq: int) -> None:
        stored = self.messages[seq]
        if self.random.random() < 0.3:
            bare = replace(stored.delivery.message, hint=None)
            stored = replace(stored, delivery=replace(stored.delivery, message=bare))
        disposition = await self._handle(stored.delivery)
        await point("disposition")
        if seq not in self.queue:
            return
        if isinstance(disposition, Delete):
            del self.queue[seq]
            self.backend.delete(seq)
        elif isinstance(disposition, Later):
            self.queue[seq] = disposition.at
        elif isinstance(disposition, Refuse):
            del self.queue[seq]

    # -- the scheduler ---------------------------------------------------------------------------------------------

    def play(self, limit: int = 60_000) -> dict[str, str]:
        """Plays until all executions have ended; their statuses."""
        for number in range(self.count):
            finished(self.operations.start(self.flow.name, number, f"x{number}"))
        for _ in range(limit):
            self._advance()
            statuses = self.statuses()
            if self._over(statuses):
                return statuses
            if self.cancelling and self.random.random() < 0.002:
                self._cancel()
            visible = [seq for seq, at in self.queue.items() if at <= self.now]
            choices = ["go"] * 4 * bool(self.live) + ["deliver"] * bool(visible and len(self.live) < 10)
            if not choices:
                if not self._due():
                    raise BrokenLimit(f"nobody goes on: {statuses}")
                self.now = max(self.now, min(self._due()))
                continue
            if self.random.choice(choices) == "deliver":
                self._deliver(self.random.choice(visible))
            else:
                self._go()
            self.now += 0.01
        raise BrokenLimit(f"still under way: {self.statuses()}")

    def _due(self) -> list[float]:
        """When something happens by itself."""
        return list(self.queue.values())

    def _advance(self) -> None:
        while self.wakes:
            finished(self.advancer.advance(self.wakes.pop()))

    def _over(self, statuses: dict[str, str]) -> bool:
        return "RUNNING" not in statuses.values() and not self.live

    def statuses(self) -> dict[str, str]:
        return dict(self.file.all_rows("SELECT execution_id, status FROM executions", ()))

    def _cancel(self) -> None:
        running = sorted(id for id, status in self.statuses().items() if status == "RUNNING")
        if len(running) > 1:
            finished(self.operations.cancel(self.random.choice(running)))

    def _deliver(self, seq: int) -> None:
        if self.random.random() >= self.duplicate:
            self.queue[seq] = self.now + self.visibility
        self.live.append(LimitHandler(seq, self._drive(seq)))

    def _go(self) -> None:
        handler = self.handler = self.random.choice(self.live)
        try:
            if self.random.random() < self._risk(handler):
                handler.coroutine.close()
            else:
                handler.at = handler.coroutine.send(None)
                return
        except StopIteration:
            pass
        except (Unavailable, Refused):
            self.queue[handler.seq] = self.now + 1.0
        self.live.remove(handler)

    def _risk(self, handler: LimitHandler) -> float:
        return self.crash

    def close(self) -> None:
        for handler in self.live:
            handler.coroutine.close()
        self.file.close()


def check_moments(begun: list[float], rate: float, per: float, burst: int) -> None:
    """No window of `per` seconds has more beginnings than the rate and the burst allow, but for skew and lateness."""
    begun = sorted(begun)
    most = int(rate) + burst
    for place in range(len(begun) - most):
        if begun[place + most] - begun[place] < per - 2 * SKEW - lateness(Rate(rate, per)) - HANDLED:
            raise BrokenLimit(f"{most + 1} attempts began within {begun[place + most] - begun[place]:.1f} s")


def played(seed: int, turns: int = 60_000) -> None:
    """Plays a world to its end. Raises BrokenLimit for a world in which an invariant does not hold."""
    world = LimitWorld(seed)
    try:
        world.play(turns)
        if world.flow is moment:
            check_moments(world.begun, 2, 10, 2)
        if not (world.crash or world.unavailable) and world.flow in (slot, chained) and world.now > 1000.0 + QUIET:
            raise BrokenLimit(f"without any fault it took {world.now - 1000.0:.0f} s: somebody slept through a turn")
    finally:
        world.close()
