"""What operators ask of limits: to see what is taken and who waits, and to change numbers while steps run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stepfast.engine import caller
from stepfast.engine.gates import GATE_SHARD
from stepfast.engine.limit_items import LimitItem, Waiter, current
from stepfast.engine.limit_numbers import NUMBERS_KEPT_SECONDS
from stepfast.engine.ports import Clock, Queue, Store
from stepfast.errors import DefinitionError, InvalidRequest, UnknownName
from stepfast.language.limits import Limit, Numbers, numbers_with
from stepfast.language.registry import Registry
from stepfast.records import dataclass

MOST_WAITING_SHOWN = 100
"""Steps of one line that are counted, and looked at for the time of the first."""
MOST_LINES_BROUGHT = 1000
"""Keys whose lines move at once when a limit gets more slots."""
MOST_WAITING_NAMED = 10
"""Steps of one line that are named."""


@dataclass(frozen=True, slots=True)
class WaitingStep:
    """A step in a line. since: when it began to wait, in seconds since the epoch."""

    execution_id: str
    command_id: str
    since: float
    priority: int


def named(line: Sequence[Waiter]) -> tuple[WaitingStep, ...]:
    """The first of a line, in the order in which they are served."""
    return tuple(
        WaitingStep(waiter.message.execution_id, waiter.message.command_id, waiter.since, waiter.priority)
        for waiter in line[:MOST_WAITING_NAMED]
    )


@dataclass(frozen=True, slots=True)
class LimitReport:
    """A limit that the code declares.

    declared: the numbers of the code. numbers: those that hold now. set_by: who has set these; None where nobody has.
    """

    limit: Limit[object]
    declared: Numbers
    numbers: Numbers
    set_by: str | None


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A key of a limit that is in use. Times are seconds since the epoch, UTC.

    taken: slots. moment: the next moment that the rate leaves free; None without a rate, and where it is past.
    waiting: steps in its line, MOST_WAITING_SHOWN at most. since: when the first of them began to wait. first: those
    that are served first, MOST_WAITING_NAMED at most.
    """

    key: str
    shard: int
    taken: int
    moment: float | None
    waiting: int
    since: float | None
    first: Sequence[WaitingStep]


class LimitOperations:
    """Operations on the limits that the workflows of this deployment declare.

    settings: numbers that replace those of the code, by the name of the limit. queue: brings the first of the lines
    soon if a limit gets more slots. Without it they come with the next slot that is given back, or within four minutes.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        registry: Registry,
        settings: Mapping[str, Numbers],
        queue: Queue | None = None,
    ) -> None:
        self._store, self._clock, self._registry, self._settings = store, clock, registry, settings
        self._queue = queue

    async def list(self) -> Sequence[LimitReport]:
        """All limits, in the order of their names."""
        return [await self._report(limit) for _, limit in sorted(self._declared().items())]

    async def describe(self, name: str) -> LimitReport:
        """One limit. Raises UnknownName where no step has it."""
        return await self._report(self._limit(name))

    async def keys(self, name: str, limit: int = 100, after: str = "") -> tuple[Sequence[KeyReport], str]:
        """At most `limit` keys in use, and the position to go on from, "" after the last.

        Raises UnknownName where no step has the limit.
        """
        self._limit(name)
        items, position = await self._store.limits.items(name, limit, after)
        reports = [await self._key(item) for item in items if item.id.shard != GATE_SHARD]
        return [key for key in reports if key.taken or key.moment or key.waiting], position

    async def set(
        self,
        name: str,
        *,
        rate: float | None = None,
        per: float | None = None,
        burst: int | None = None,
        concurrency: int | None = None,
    ) -> LimitReport:
        """Sets numbers from now on; those that are None stay as they are now. Every process has them within seconds.

        Raises UnknownName where no step has the limit, and InvalidRequest for a number that is not valid, and for a
        kind of number that the limit does not have: the code decides what is limited.
        """
        held = await self.describe(name)
        if rate is None and per is None and burst is None and concurrency is None:
            raise InvalidRequest("say what to set: rate, per, burst or concurrency")
        if concurrency is not None and held.declared.concurrency is None:
            raise _no_such("concurrency", name)
        if concurrency is None and held.declared.rate is None:
            raise _no_such("rate", name)
        if rate is not None and held.declared.rate is None:
            raise _no_such("rate", name)
        try:
            numbers = numbers_with(held.numbers, rate=rate, per=per, burst=burst, concurrency=concurrency)
        except DefinitionError as error:
            raise InvalidRequest(str(error)) from error
        if numbers.concurrency is not None and numbers.concurrency < held.limit.shards:
            raise InvalidRequest(f"limit {name!r} is in {held.limit.shards} shards: each has a slot at least")
        await self._store.limits.set_numbers(name, numbers, caller.who() or "")
        return await self._bring(held)

    async def reset(self, name: str) -> LimitReport:
        """Goes back to the numbers of the settings and the code. Raises UnknownName where no step has the limit."""
        held = await self.describe(name)
        await self._store.limits.set_numbers(name, None)
        return await self._bring(held)

    async def _bring(self, before: LimitReport) -> LimitReport:
        """Has the first of each line come, if there are more slots than before: no step gives them one.

        They come when every process knows the new numbers. Those who come too early stand in line again.
        """
        name, report = before.limit.name, await self.describe(before.limit.name)
        more = (report.numbers.concurrency or 0) - (before.numbers.concurrency or 0)
        if self._queue is None or more <= 0:
            return report
        due = self._clock.now() + NUMBERS_KEPT_SECONDS
        items, _ = await self._store.limits.items(name, MOST_LINES_BROUGHT)
        for item in items:
            line = await self._store.limits.line(item.id, min(more, MOST_WAITING_SHOWN))
            if line and item.id.shard != GATE_SHARD:
                await self._queue.send([(waiter.message, due) for waiter in line])
        return report

    def _declared(self) -> dict[str, Limit[object]]:
        return {limit.name: limit for step in self._registry.steps for limit in step.limits}

    def _limit(self, name: str) -> Limit[object]:
        declared = self._declared()
        if name not in declared:
            names = ", ".join(sorted(declared)) or "none"
            raise UnknownName(f"no step has a limit named {name!r}; there are: {names}")
        return declared[name]

    async def _report(self, limit: Limit[object]) -> LimitReport:
        stored = await self._store.limits.numbers(limit.name)
        numbers, by = (self._settings.get(limit.name, limit.numbers), None) if stored is None else stored
        return LimitReport(limit, limit.numbers, numbers, by)

    async def _key(self, item: LimitItem) -> KeyReport:
        now = self._clock.now()
        line: Sequence[Waiter] = await self._store.limits.line(item.id, MOST_WAITING_SHOWN)
        return KeyReport(
            item.id.key,
            item.id.shard,
            len(current(item, now).holders),
            item.moment if item.moment > now else None,
            len(line),
            min((waiter.since for waiter in line), default=None),
            named(line),
        )


def _no_such(number: str, name: str) -> InvalidRequest:
    text = f"limit {name!r} has no {number}: the code decides what is limited, and what is set here is how much"
    return InvalidRequest(text, ((number, text),))
