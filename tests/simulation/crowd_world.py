"""A thousand steps of ten customers on five slots: a seeded world of one limit, in which workers die at any call."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.limit_items import LimitId
from stepfast.engine.limit_wants import Want
from stepfast.engine.limiting import StepWaits
from stepfast.engine.messages import Message
from stepfast.engine.ports import Later
from stepfast.replay.commands import Command
from tests.simulation.late_world import START, Lateness, LateProcess, LateWorld, paced, until

HOLD_SECONDS = 5.0
CUSTOMERS = 10


class TooMany(AssertionError):
    """More attempts run at once than there are slots."""


class CrowdWorld(LateWorld):
    """Each step holds its slot for HOLD_SECONDS. A worker that dies leaves its claim and its slot to their leases."""

    def __init__(self, limits: Any, limit: Any, count: int, seed: int, crash: float) -> None:
        self.claimed: dict[str, tuple[int, float]] = {}
        self.work: list[tuple[float, float]] = []
        self.waits: dict[str, float] = {}
        self.running = self.most = self.died = 0
        self.slots = limit.numbers.concurrency or 0
        super().__init__(limits, limit, count, seed, Lateness(jitter=0.05, crash=crash), sole=False)

    def customer(self, message: Message) -> str:
        return f"c{int(message.execution_id[1:]) % CUSTOMERS}"

    async def _handle(self, process: LateProcess, message: Message) -> None:
        id, revision = message.execution_id, self.claimed.get(message.execution_id, (0, 0.0))[0]
        if self._postponed(message):
            return
        wants = [Want(self.limit, LimitId(self.limit.name), self.customer(message), 0)]
        command, record = Command("paced", "step", "paced", None, "{}", paced), SimpleNamespace(revision=revision)
        taken = await process.limiter.take(wants, message, START, command, record if revision else None)
        if isinstance(taken, StepWaits):
            if isinstance(taken.disposition, Later):
                self._deliver(message, taken.disposition.at)
            return
        await until(self.now + 0.002)
        if self.claimed.get(id, (0, 0.0))[0] != revision:
            self._deliver(message, self.now + 1.0)  # Another delivery has claimed it.
            return
        self.claimed[id] = revision + 1, self.now + paced.timeout + LEASE_MARGIN
        await self._attempt(message)
        await process.limiter.give_back(f"{id}/paced", taken)

    def _postponed(self, message: Message) -> bool:
        _, lease = self.claimed.get(message.execution_id, (0, 0.0))
        if message.execution_id in self.begun:
            return True
        if lease > self.now:
            self._deliver(message, lease)
        return lease > self.now

    async def _attempt(self, message: Message) -> None:
        begin, customer = self.now, self.customer(message)
        self.running += 1
        self.most = max(self.most, self.running)
        if self.running > self.slots:
            raise TooMany(f"{self.running} attempts run at once")
        self.waits[customer] = max(self.waits.get(customer, 0.0), begin - START)
        try:
            await until(self.now + HOLD_SECONDS)
            self.begun[message.execution_id] = begin
        finally:
            self.running -= 1
            self.work.append((begin, self.now))

    def _dies(self, message: Message) -> bool:
        dies = self.random.random() < self.late.crash
        self.died += dies
        return dies

    def busy(self) -> float:
        """The share of the slots that was busy until the last step began."""
        last = max(begin for begin, _ in self.work)
        spent = sum(min(end, last) - begin for begin, end in self.work if begin < last)
        return float(spent / (last - START) / self.slots)

    def longest_to_mean(self) -> float:
        longest: Sequence[float] = list(self.waits.values())
        return max(longest) / (sum(longest) / len(longest))
