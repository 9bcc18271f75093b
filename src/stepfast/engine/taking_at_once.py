"""Takes a rate that is free, for a step that has waited for nothing: the usual case, and the shortest way to it.

It comes to the same as the long way (limiting.py), which is taken wherever a step would have to wait.
"""

from __future__ import annotations

from stepfast.engine.limit_items import SPACING, LimitId, LimitItem, Permit
from stepfast.engine.limit_numbers import LimitNumbers
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.pacing import Pacer
from stepfast.engine.ports import Clock


class TakingAtOnce:
    """For a process that begins all steps of the deployment. pacer: of the beginnings before their claims."""

    def __init__(self, limits: LimitStore, clock: Clock, numbers: LimitNumbers, pacer: Pacer) -> None:
        self._limits, self._clock, self._numbers, self._pacer = limits, clock, numbers, pacer

    async def take(self, id: LimitId, revision: int) -> Permit | None:
        """A permit that is good at this moment; None, and nothing taken, where the long way has to be gone."""
        numbers = await self._numbers.of(id)
        if numbers.concurrency is not None:
            return None
        rate, item, now = numbers.rate, await self._limits.read(id), self._clock.now()
        if rate is None:
            return Permit(id, revision, now, put_off=item.put_off)
        interval = rate.interval * SPACING
        due = max(item.moment, now)
        if item.holders or due - (rate.burst - 1) * interval > now:
            return None
        taken = LimitItem(
            id, item.version, due + interval, item.holders, item.turn, item.gate, now, item.front, item.put_off
        )
        if await self._limits.write(taken, item.version) is None:
            return None
        rates = {id: rate}
        if not self._pacer.claim_now(rates):
            await self._pacer.claim(rates)
        return Permit(id, revision, now, reserved=True, put_off=item.put_off)
