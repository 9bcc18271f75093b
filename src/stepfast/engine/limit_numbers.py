"""The numbers of limits as they are now: set at run time, else of the settings, else of the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stepfast.engine.limit_items import LimitId, Permit
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.limit_wants import Want
from stepfast.engine.ports import Clock
from stepfast.language.limits import Limit, Numbers, Rate

NUMBERS_KEPT_SECONDS = 3.0
"""Seconds for which a process goes by the numbers that it has read."""
NOTHING = Numbers(None, 0)
"""Of a limit that no step here has, this process gives nothing away."""


class LimitNumbers:
    """Knows the limits of the steps that it has seen, and reads the numbers that were set for them now and then.

    settings: numbers that replace those of the code, by the name of the limit.
    """

    def __init__(self, limits: LimitStore, clock: Clock, settings: Mapping[str, Numbers] | None) -> None:
        self._limits, self._clock, self._settings = limits, clock, settings or {}
        self._known: dict[str, Limit[Any]] = {}
        self._set: dict[str, tuple[float, Numbers | None]] = {}

    def meet(self, wants: Iterable[Want]) -> None:
        """Learns of the limits of a step."""
        for want in wants:
            self._known[want.limit.name] = want.limit

    async def of(self, id: LimitId) -> Numbers:
        """The numbers of one item of a limit."""
        now, read = self._clock.now(), self._set.get(id.name)
        if read is None or not read[0] <= now < read[0] + NUMBERS_KEPT_SECONDS:
            stored = await self._limits.numbers(id.name)
            read = self._set[id.name] = now, stored[0] if stored else None
        limit = self._known.get(id.name)
        if limit is None:
            return NOTHING
        numbers = read[1] or self._settings.get(id.name) or limit.numbers
        return numbers if limit.shards == 1 else numbers.shard(id.shard, limit.shards)

    async def rates_of(self, permits: Iterable[Permit]) -> Mapping[LimitId, Rate]:
        """The rates by which these permits were reserved."""
        numbers = {permit.id: await self.of(permit.id) for permit in permits if permit.reserved}
        return {id: held.rate for id, held in numbers.items() if held.rate is not None}
