"""A seeded world whose service is down for a while: steps behind a gate, handlers interleaved, killed and repeated."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast import Gate, Limit, Retry, step, workflow
from stepfast.engine.gates import GATE_SHARD, GateState, state_in
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Delivery, Disposition
from stepfast.engine.step_runner import AttemptCall, Ended
from stepfast.testing.memory import finished
from tests.simulation.limit_world import SKEW, BrokenLimit, LimitHandler, LimitWorld

PROBE, RAMP, FAILURES = 30.0, 2.0, 3
CAUSE = "ConnectionError"
gate = Gate(failures=FAILURES, window=120, probe=PROBE, ramp=RAMP)
service = Limit("service", gate=gate)
narrow = Limit("narrow", concurrency=2, gate=gate)


@step(limits=[service], timeout=15, retry=Retry(max_attempts=1))
async def call_service(number: int) -> int:
    return number


@step(limits=[narrow], timeout=15, retry=Retry(max_attempts=2, initial=1.0, jitter="none"))
async def call_narrow(number: int) -> int:
    return number


slow = Limit("slow", rate=1, per=45, gate=gate)


@step(limits=[slow], timeout=15, retry=Retry(max_attempts=2, initial=1.0, jitter="none"))
async def call_slowly(number: int) -> int:
    return number


@workflow
async def one_call(number: int) -> int:
    return await call_service(number)


@workflow
async def two_calls(number: int) -> int:
    return await call_service(number) + await call_service(number + 1)


@workflow
async def narrow_call(number: int) -> int:
    return await call_narrow(number)


@workflow
async def slow_call(number: int) -> int:
    return await call_slowly(number)


@workflow
async def both_calls(number: int) -> int:
    return sum(await asyncio.gather(call_service(number), call_service(number + 1)))


class GateWorld(LimitWorld):
    """Executions whose service fails every call in one stretch of time, and none before or after.

    In some worlds steps run side by side, so that the advancer writes the ends, and its wakes come late.
    """

    flows = (one_call, two_calls, narrow_call, slow_call, both_calls)

    def __init__(self, seed: int) -> None:
        self.late_wakes = dict[str, float]()
        self.waking_late = seed % 8 == 7
        super().__init__(seed, both_calls if self.waking_late else self.flows[seed % 4])
        self.cancelling = seed % 11 == 5
        self.visibility = (31.0, 90.0)[seed % 5 % 2]  # A message may come back after the gate has opened.
        self.down = self.now + self.random.choice((0.0, 0.1, 0.5))
        self.up = self.now + self.random.choice((20.0, 100.0, 400.0))
        self.count = 4 + seed % 13
        self.probes, self.ramped, self.closed = dict[float, list[float]](), dict[float, list[float]](), list[float]()
        self.told = dict[str, float]()
        self.park = ParkHandler(self.backend, self.advancer._clock, self.registry)

    # -- what is watched -------------------------------------------------------------------------------------------

    def called(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        if name == "read" and getattr(arguments[0], "shard", None) == GATE_SHARD:
            assert self.handler is not None
            self.handler.gate = result.gate
        if name == "write" and result is not None and arguments[0].id.shard == GATE_SHARD:
            state = state_in(arguments[0].gate)
            if state.status == "CLOSED" and state.since not in self.closed:
                self.closed.append(state.since)
            self.told |= {entry.execution_id: entry.at for entry in state.failed}

    async def run(self, call: AttemptCall) -> Ended:
        """An attempt is judged by what its worker has read of the gate before it began."""
        assert self.handler is not None
        read = state_in(self.handler.gate)
        if read.status == "CLOSED":
            times = self.probes.setdefault(read.since, [])
            times.append(self.now)
            if len(times) > 1 and times[-1] - times[-2] < PROBE - 2 * SKEW - 5:
                raise BrokenLimit(f"two probes within {times[-1] - times[-2]:.1f} s")
        elif read.status == "RAMPING":
            self._check_ramp(read)
        return await super().run(call)

    def _check_ramp(self, read: GateState) -> None:
        """Of the attempts of a ramp, no more than its rate have begun: RAMP in the first period, and so on."""
        times = self.ramped.setdefault(read.since, [])
        times.append(self.now)
        passed = self.now - read.since + 2 * SKEW
        most, period = 2.0, 0
        while passed > 0 and period < 20:
            most += RAMP ** (1 + period) * min(1.0, passed / PROBE)
            passed, period = passed - PROBE, period + 1
        if len(times) > most:
            raise BrokenLimit(f"{len(times)} attempts within {self.now - read.since:.0f} s of the ramp")

    def _ended(self, call: AttemptCall) -> Ended:
        if self.down <= self.now < self.up:
            return Ended(error=ConnectionError("the service is down"))
        return Ended(call.arguments.arguments["number"])

    async def _handle(self, delivery: Delivery) -> Disposition:
        if delivery.message.kind == "park":
            return await self.park.handle(delivery)
        return await super()._handle(delivery)

    def _due(self) -> list[float]:
        return [*super()._due(), *self.late_wakes.values()]

    def _advance(self) -> None:
        """Advances are made at once, or long after the write that woke them."""
        while self.waking_late and self.wakes:
            late = self.random.choice((0.0, 0.0, 60.0, 400.0))
            self.late_wakes.setdefault(self.wakes.pop(), self.now + late)
        self.wakes += [id for id, at in self.late_wakes.items() if at <= self.now]
        self.late_wakes = {id: at for id, at in self.late_wakes.items() if at > self.now}
        super()._advance()

    def failed_by_outage(self) -> list[str]:
        """Executions that have FAILED because the service was down, though their gate had to bring them back.

        Not those whose workers died too often, nor those that failed longer than the gate's window before it closed.
        """
        ids = sorted(id for id, status in self.statuses().items() if status == "FAILED")
        ended = {id: finished(self.backend.read(id)) for id in ids}
        return [
            id
            for id, one in ended.items()
            if one is not None and one.error is not None and one.error.type == CAUSE and self._behind(id)
        ]

    def _behind(self, id: str) -> bool:
        """Whether a gate has closed within its window after it has heard of this failure, or has never heard of it."""
        at = self.told.get(id)
        return at is None or any(at < since < at + gate.window - 2 * SKEW for since in self.closed)

    def _risk(self, handler: LimitHandler) -> float:
        """Between an outcome and what follows from it, more handlers die than elsewhere."""
        return 0.3 if self.crash and handler.at in ("commit done", "finish") else self.crash

    def _over(self, statuses: dict[str, str]) -> bool:
        return super()._over(statuses) and not self.queue


def played(seed: int, turns: int = 60_000) -> str:
    """Plays a world to its end. Raises BrokenLimit for a world in which an invariant does not hold."""
    world = GateWorld(seed)
    try:
        world.play(turns)
        failed = world.failed_by_outage()
        if world.closed and not world.unavailable and failed:
            raise BrokenLimit(f"the gate has closed, and yet {failed} failed by the outage")
        return "closed" if world.closed else "open"
    finally:
        world.close()
