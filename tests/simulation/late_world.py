"""Steps on a rate whose messages, naps and claims all come late: a seeded world of one limit, in simulated time.

Each process is busy for a while now and then: what should happen meanwhile happens when that is over. The store of the
limit is the one that a test gives, so that both homes are played.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import random
import types
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from stepfast import Limit, step
from stepfast.engine.limit_items import LimitId
from stepfast.engine.limit_wants import Want
from stepfast.engine.limiting import Limiter, StepWaits
from stepfast.engine.messages import Message
from stepfast.engine.ports import Later
from stepfast.replay.commands import Command
from stepfast.testing.memory import finished

CALL_SECONDS = 0.002
"""The longest time that a call of the store takes, where a process is not busy."""
NAPS = {True: 0.01, False: 1.0}
"""Seconds that a step may wait in hand: of the one process of a file, and of a function of AWS."""
VISIBILITY = 40.0
START = 1000.0


class BrokenRate(AssertionError):
    """An invariant of rates does not hold."""


@dataclass(frozen=True)
class Lateness:
    """How late things are. busy_every, busy: a process is busy for up to `busy` seconds, about each `busy_every`.

    messages: every message comes later by this. jitter: and by up to this. crash: the share of calls in which a worker
    dies.
    """

    busy_every: float = 0.5
    busy: float = 0.0
    messages: float = 0.0
    jitter: float = 0.0
    crash: float = 0.0


@step(timeout=20)
async def paced() -> None: ...


@types.coroutine
def until(at: float) -> Generator[float, None, None]:
    """Goes on at this time, or when the process is free."""
    yield at


@dataclass
class LateProcess:
    """One process: its limiter, and the times until which it is busy."""

    limiter: Any = None
    busy: list[tuple[float, float]] = field(default_factory=list)

    def free(self, at: float) -> float:
        place = bisect.bisect(self.busy, (at, float("inf"))) - 1
        return max(at, self.busy[place][1]) if place >= 0 else at


class LateWorld:
    """Steps that want to begin at one moment, until all have begun. sole: one process, which begins all."""

    def __init__(self, limits: Any, limit: Limit[Any], count: int, seed: int, late: Lateness, *, sole: bool) -> None:
        self.random, self.late, self.limit, self.count = random.Random(seed), late, limit, count
        self.now = START
        self.begun: dict[str, float] = {}
        self.refused = 0
        self._limits, self._events, self._order = limits, list[Any](), itertools.count()
        self._processes = [self._process(sole) for _ in range(1 if sole else 3)]

    def _process(self, sole: bool) -> LateProcess:
        process, at = LateProcess(), START + 1.0
        while self.late.busy and at < START + 10_000:
            at += self.random.uniform(0.5, 1.5) * self.late.busy_every
            process.busy.append((at, at + self.random.random() * self.late.busy))
            at = process.busy[-1][1]
        clock, limits = SimpleNamespace(now=lambda: self.now, sleep=self._sleep), LatePorts(self, self._limits)
        store: Any = SimpleNamespace(limits=limits)
        queue: Any = SimpleNamespace(send=self._send)
        process.limiter = Limiter(store, queue, clock, nap=NAPS[sole], sole=sole)
        return process

    async def _sleep(self, seconds: float) -> None:
        await until(self.now + seconds)

    async def _send(self, messages: Any) -> None:
        for message, due in messages:
            self._deliver(message, max(self.now, due or 0.0))

    def _deliver(self, message: Message, due: float) -> None:
        at = due + self.late.messages + self.random.random() * self.late.jitter
        self._push(at, message, None)

    def _push(self, at: float, message: Message, worker: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), message, worker))

    async def _handle(self, process: LateProcess, message: Message) -> None:
        wants = [Want(self.limit, LimitId(self.limit.name), "", 0)]
        command = Command("paced", "step", "paced", None, "{}", paced)
        taken = await process.limiter.take(wants, message, START, command, None)
        if isinstance(taken, StepWaits):
            if isinstance(taken.disposition, Later):
                self._deliver(message, taken.disposition.at)
            return
        await until(self.now + self.random.random() * CALL_SECONDS)  # the claim
        if message.execution_id in self.begun:
            return
        self.begun[message.execution_id] = float("inf")
        await process.limiter.begin(taken)
        self.begun[message.execution_id] = self.now

    def play(self) -> list[float]:
        """Plays until all steps have begun; when they did."""
        for number in range(self.count):
            self._push(START, Message("step", f"x{number}", "paced", 0), None)
        for _ in range(400 * self.count):
            if not self._events:
                break
            self.now, _, message, worker = heapq.heappop(self._events)
            process, coroutine = worker or self._begin(message)
            if (free := process.free(self.now)) > self.now:
                self._push(free, message, (process, coroutine))
                continue
            self._go_on(process, coroutine, message)
        if len(self.begun) < self.count or float("inf") in self.begun.values():
            raise BrokenRate(f"only {len(self.begun)} of {self.count} steps have begun")
        return sorted(self.begun.values())

    def _begin(self, message: Message) -> tuple[LateProcess, Coroutine[Any, None, None]]:
        process = self.random.choice(self._processes)
        return process, self._handle(process, message)

    def _dies(self, message: Message) -> bool:
        return self.random.random() < self.late.crash and self.begun.get(message.execution_id) != float("inf")

    def _go_on(self, process: LateProcess, coroutine: Coroutine[Any, None, None], message: Message) -> None:
        if self._dies(message):
            coroutine.close()
            self._deliver(message, self.now + VISIBILITY)
            return
        try:
            at = coroutine.send(None)
        except StopIteration:
            return
        self._push(at, message, (process, coroutine))


class LatePorts:
    """The store of the limit, each call of which takes a moment."""

    def __init__(self, world: LateWorld, limits: Any) -> None:
        self._world, self._limits = world, limits

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._limits, name)

        async def call(*arguments: Any) -> Any:
            await until(self._world.now + self._world.random.random() * CALL_SECONDS)
            result = finished(method(*arguments))
            if name in ("write", "reserve") and result is None:
                self._world.refused += 1
            return result

        return call


def most_within(times: list[float], seconds: float) -> int:
    """The most of these times that lie within a window."""
    most, first = 0, 0
    for place, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, place - first + 1)
    return most


def check_rate(times: list[float], limit: Limit[Any], used: float, warm: float = 0.0) -> None:
    """No window has more beginnings than the rate and the burst allow, and `used` of the rate is used.

    warm: seconds from the first beginning on, of which the use does not count.
    """
    rate = limit.numbers.rate
    assert rate is not None
    most, allowed = most_within(times, rate.per), int(rate.count) + rate.burst - 1
    if most > allowed:
        raise BrokenRate(f"{most} began within {rate.per:g} s, where {allowed} may")
    counted = [at for at in times if at >= times[0] + warm]
    share = (len(counted) - 1) * rate.interval / (counted[-1] - counted[0])
    if share < used:
        raise BrokenRate(f"only {share:.3f} of the rate was used")
