"""Takes what a step needs of its limits before it is claimed, and gives it back after its outcome is written.

Order of writes: slot, claim, result, release (rule *slot*). A crash between two of them leaves a slot taken until its
lease is over, and never lets one attempt too many run.
"""

from __future__ import annotations

import itertools
import secrets
import zlib
from collections.abc import Iterable, Mapping, Sequence

from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.limit_items import (
    CLAIM_SECONDS,
    LATE_SECONDS,
    SPACING,
    LimitId,
    LimitItem,
    Permit,
    Waiter,
    at_front,
    current,
    free_slots,
    granted,
    held_from,
    lateness,
    moment_of,
    reservation,
    reserved,
    step_name,
    without,
)
from stepfast.engine.limit_numbers import LimitNumbers
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.limit_wants import Want
from stepfast.engine.messages import Message
from stepfast.engine.pacing import Pacer
from stepfast.engine.ports import Clock, Delete, Disposition, Later, Queue, Store
from stepfast.engine.taking_at_once import TakingAtOnce
from stepfast.language.limits import Numbers
from stepfast.model import Record
from stepfast.records import dataclass
from stepfast.replay.commands import Command
from stepfast.unguarded import replace, unguarded

SLOT_HOLD_SECONDS = 10.0
"""The longest time for which a step keeps slots while it waits for a moment of another limit."""
SLEEP_SECONDS = 240.0
"""Seconds until the message of a step that waits in line comes back by itself: a hand-over may have been lost."""
TAKE_RETRY_SECONDS, LONGEST_RETRY_DOUBLINGS = 0.08, 4
"""The mean pause after the first write of an item that another write came before, and how often the pause doubles."""
SHORT_NAP_SECONDS = 0.01
"""The longest time for which a chain waits for the moment of its next step: the outcome before is not written yet."""
LONGEST_HOLD_SECONDS = 1.0
"""The longest time for which a step that is claimed is kept from beginning: its lease runs."""
SLOT_MARGIN = 2.0
"""Seconds that a slot outlives the claim: clocks of two machines may differ."""


@dataclass(frozen=True, slots=True)
class StepWaits:
    """The step waits. disposition: of its message."""

    disposition: Disposition


@dataclass(frozen=True, slots=True)
class PassedOn(Delete):
    """Another message was sent in its place, with its permits, for this moment."""

    at: float


@unguarded
@dataclass(frozen=True, slots=True)
class TakeRequest:
    """A step that wants to begin. since: when its message was sent. lease: seconds that its attempt may take."""

    message: Message
    step: str
    revision: int
    since: float
    lease: float


class Limiter:
    """Keeps the limits of steps.

    nap: seconds that a step may wait for its moment in the hands of its worker. settings: numbers that replace those of
    the code, by the name of the limit. sole: this process begins all steps of the deployment. Then it knows all
    beginnings and spaces them (pacing.py), and a step may be late by more.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        *,
        nap: float = 0.0,
        settings: Mapping[str, Numbers] | None = None,
        sole: bool = False,
    ) -> None:
        self._store, self._queue, self._clock, self._nap = store, queue, clock, nap
        self._pacer = Pacer(clock) if sole else None
        self._numbers = LimitNumbers(store.limits, clock, settings)
        self._at_once = TakingAtOnce(store.limits, clock, self._numbers, self._pacer) if self._pacer else None

    @property
    def _limits(self) -> LimitStore:
        return self._store.limits

    # -- taking ------------------------------------------------------------------------------------------------

    async def take(
        self, wants: Sequence[Want], message: Message, sent_at: float, command: Command, record: Record | None
    ) -> tuple[Permit, ...] | StepWaits:
        """Takes from all limits of a step, or has its message wait. wants: of the step, in their order.

        A permit that the message has is used, if its record is as it was when the permit was taken: so a permit is
        used once. Permits of gates stay with the message. The limits are taken in one order by all. A step that must
        wait for one of them gives all others back before.
        """
        self._numbers.meet(wants)
        revision = record.revision if record else 0
        if self._at_once is not None and len(wants) == 1 and not message.permits:
            at_once = await self._at_once.take(wants[0].id, revision)
            if at_once is not None:
                return (at_once,)
        now = self._clock.now()
        named = replace(message, command_id=command.id)
        name = step_name(message.run_id, command.id)
        request = TakeRequest(named, name, revision, sent_at, slot_lease(command))
        standing = {permit.id: permit for permit in message.permits if permit.stands(revision, now)}
        asked = {want.id for want in wants}
        await self.give_back(request.step, [p for p in message.permits if p.id not in standing or p.id not in asked])
        # A moment that was reserved is kept while the step waits for something else; slots are not.
        permits: dict[LimitId, Permit] = {id: permit for id, permit in standing.items() if id in asked}
        of_gates = tuple(permit for permit in message.permits if permit.id not in asked and not permit.token)
        for want in wants:
            if want.id in permits:
                continue
            moments = tuple(permit for permit in permits.values() if not permit.token)
            answer = await self._take_one(want, replace(request, message=replace(named, permits=(*of_gates, *moments))))
            if isinstance(answer, float):
                await self.give_back(request.step, permits.values())
                return StepWaits(Later(answer))
            permits[want.id] = answer
        return await self._at_its_moment(request, list(permits.values()), of_gates)

    async def _at_its_moment(
        self, request: TakeRequest, permits: list[Permit], of_gates: tuple[Permit, ...]
    ) -> tuple[Permit, ...] | StepWaits:
        """Has the step begin at the latest of its moments, and its message wait until then with its permits.

        A step that has missed a moment by more than a little takes another. In the hands of one worker it is allowed
        twice the lateness each time, so that it ends.
        """
        lead = 0.0
        for tries in itertools.count():
            now = self._clock.now()
            # The clock of whoever gave a slot may be ahead of this one: only a moment of a rate is waited for.
            begin = max((permit.since for permit in permits if permit.reserved), default=now)
            if begin > now + self._nap:
                break
            waited = begin > now or tries > 0
            if begin > now:
                await self._clock.sleep(begin - now)
            came = request.message.permits
            timely = [await self._timely(p, request, tries) if waited or p in came else p for p in permits]
            if timely == permits:
                await self._paced(permits)
                return tuple(permits)
            lead = max([lead, *(now - old.since for old, new in zip(permits, timely, strict=True) if old != new)])
            permits = timely
        late = [permit for permit in permits if permit.token and begin - permit.since > SLOT_HOLD_SECONDS]
        await self.give_back(request.step, late)
        kept = tuple(_waiting(permit, request.since) for permit in permits if permit not in late)
        # Where messages are late, or the clocks differ, the next one would miss its moment as well, for ever.
        due = begin - self._nap - min(lead, LATE_SECONDS)
        await self._queue.send([(replace(request.message, permits=(*of_gates, *kept)), due)])
        return StepWaits(PassedOn(begin))

    async def _timely(self, permit: Permit, request: TakeRequest, tries: int) -> Permit:
        """The permit with the moment that it has now: put off for others that are late, or another if it is late."""
        if not permit.reserved:
            return permit
        while True:
            numbers = await self._numbers.of(permit.id)
            item, now = await self._limits.read(permit.id), self._clock.now()
            moment, rate = moment_of(item, permit), numbers.rate
            late = LATE_SECONDS if self._pacer is not None or rate is None else lateness(rate)
            if rate is None or now <= moment + min(LATE_SECONDS, late * 2**tries):
                return permit if moment <= now else replace(permit, since=moment, put_off=item.put_off)
            changed, other = at_front(item, permit, rate, now)
            changed, other = held_from(changed, request.step, other)
            if await self._limits.write(replace(changed, changed_at=now), item.version) is not None:
                return other
            await self._pause(request.step, 1)

    async def _paced(self, permits: Iterable[Permit]) -> None:
        """Has a step wait while too many have really begun."""
        if self._pacer is not None and (rates := await self._numbers.rates_of(permits)):
            await self._pacer.claim(rates)

    async def begin(self, permits: Iterable[Permit]) -> None:
        """Has a claimed step wait for a moment if its claim and others were written late, all at once."""
        if self._pacer is None or self._pacer.begin_now([permit.id for permit in permits if permit.reserved]):
            return
        await self._pacer.begin(await self._numbers.rates_of(permits), LONGEST_HOLD_SECONDS)

    async def take_now(self, wants: Sequence[Want], run_id: str, command: Command) -> tuple[Permit, ...] | None:
        """As `take` for the next step of a chain, but None, and nothing taken, where the step would have to wait."""
        self._numbers.meet(wants)
        name, now = step_name(run_id, command.id), self._clock.now()
        permits = list[Permit]()
        for want in wants:
            item = current(await self._limits.read(want.id), now)
            numbers = await self._numbers.of(want.id)
            permit = None
            late = reserved(item, numbers, now)[1] > now + min(self._nap, SHORT_NAP_SECONDS)
            waits = late or name in item.holders or free_slots(item, numbers) <= 0
            if not waits and await self._first(item) is None:
                permit = await self._write_take(item, numbers, name, slot_lease(command), 0, now)
            if permit is None:
                await self.give_back(name, permits)
                return None
            permits.append(permit)
        begin = max((permit.since for permit in permits), default=now)
        if begin > now:
            await self._clock.sleep(begin - now)
        if self._pacer is not None and not self._pacer.claim_now(await self._numbers.rates_of(permits)):
            await self.give_back(name, permits)
            return None
        return tuple(permits)

    async def _take_one(self, want: Want, request: TakeRequest) -> Permit | float:
        """A permit of one limit; a time to ask again if there is none now."""
        refused = 0
        while True:
            await self._pause(request.step, refused)
            now = self._clock.now()
            item = current(await self._limits.read(want.id), now)
            mine = item.holders.get(request.step)
            if mine is not None:
                if now < mine.since + CLAIM_SECONDS:
                    # Another delivery of this step has it, or its message is on its way.
                    return mine.since + CLAIM_SECONDS
                item = without(item, request.step, mine.token)  # The worker that had it has died.
            numbers, first = await self._numbers.of(want.id), None
            if numbers.concurrency is None and (rate := numbers.rate) is not None and not item.holders:
                # A moment that has just passed by is as good as one that the step is late for: then those who come
                # together all reserve from the moment that the first of them has left.
                least = now - lateness(rate) / 2
                taken = await self._limits.reserve(item, rate.interval * SPACING, least, now)
                if taken is not None:
                    return reservation(taken, rate, request.revision, now)
                continue  # Its moment has begun to lie ahead, or has passed by. That is seldom so again.
            if numbers.concurrency is not None:
                first = await self._first(item) if mine is None else None
                if free_slots(item, numbers) <= 0 or (first is not None and first.step != request.step):
                    waiter = Waiter(
                        want.turn,
                        want.priority,
                        request.since,
                        request.step,
                        request.message,
                        request.revision,
                        request.lease,
                    )
                    await self._limits.join(want.id, waiter)
                    await self._hand_over(want.id, request.step)
                    return now + SLEEP_SECONDS
            permit = await self._write_take(item, numbers, request.step, request.lease, request.revision, now)
            if permit is None:
                refused += 1
                continue
            if first is not None:
                await self._limits.leave(want.id, first)
                return replace(permit, asked=first.since, in_line=True, turn=first.turn)
            return permit

    async def _pause(self, step: str, tries: int) -> None:
        """Lets those pass who write the same item: each refused write costs a write unit of DynamoDB."""
        if tries:
            spread = zlib.crc32(f"{step}/{tries}".encode()) / 2**32
            await self._clock.sleep(2 * spread * TAKE_RETRY_SECONDS * 2 ** min(tries - 1, LONGEST_RETRY_DOUBLINGS))

    async def _write_take(
        self, item: LimitItem, numbers: Numbers, step: str, lease: float, revision: int, now: float
    ) -> Permit | None:
        """The permit once it is written; None if another write came before."""
        token = "" if numbers.concurrency is None else secrets.token_hex(4)
        taken, permit = granted(item, step, numbers, token, lease, revision, now)
        if taken == item:
            return permit
        return permit if await self._limits.write(replace(taken, changed_at=now), item.version) is not None else None

    # -- giving back -------------------------------------------------------------------------------------------

    async def give_back(self, step: str, permits: Iterable[Permit]) -> None:
        """Gives slots back that are not used, or not any more. step: as `step_name` names it."""
        for permit in permits:
            if permit.token:
                await self._give_back(permit, step)

    async def _give_back(self, permit: Permit, step: str) -> None:
        for tries in itertools.count():
            await self._pause(step, tries)
            now = self._clock.now()
            item = current(await self._limits.read(permit.id), now)
            changed = without(item, step, permit.token)
            if changed == item:
                break
            heir = await self._heir(changed)
            if await self._pass_on(changed, item.version, heir, now):
                break
        await self._hand_over(permit.id, step)

    async def _hand_over(self, id: LimitId, step: str) -> None:
        """Gives free slots to those who wait: a step that joined a moment ago may have missed the last release.

        step: the name of the step that has joined, or given back.
        """
        tries = 0
        while True:
            await self._pause(step, tries)
            now = self._clock.now()
            item = current(await self._limits.read(id), now)
            heir = await self._heir(item)
            if heir is None:
                return
            tries = 0 if await self._pass_on(item, item.version, heir, now) else tries + 1

    async def _heir(self, item: LimitItem) -> Waiter | None:
        """Who gets a slot next; None where no slot is free or nobody waits."""
        if free_slots(item, await self._numbers.of(item.id)) <= 0:
            return None
        while (waiter := await self._first(item)) is not None:
            if waiter.step not in item.holders:
                return waiter
            await self._limits.leave(item.id, waiter)  # It has its slot, and whoever gave the slot has died.
        return None

    async def _pass_on(self, item: LimitItem, version: str, heir: Waiter | None, now: float) -> bool:
        """Writes an item, with the slot of the heir, and sends the heir's message."""
        if heir is None:
            return await self._limits.write(replace(item, changed_at=now), version) is not None
        numbers, token = await self._numbers.of(item.id), secrets.token_hex(4)
        item, permit = granted(item, heir.step, numbers, token, heir.lease, heir.revision, now)
        if await self._limits.write(replace(item, turn=heir.turn, changed_at=now), version) is None:
            return False
        due = None if permit.since <= now + self._nap else permit.since - self._nap
        permit = replace(permit, asked=heir.since, in_line=True, turn=heir.turn)
        await self._queue.send([(replace(heir.message, permits=(*heir.message.permits, permit)), due)])
        await self._limits.leave(item.id, heir)
        return True

    async def _first(self, item: LimitItem) -> Waiter | None:
        """Whose turn it is of those who wait: the keys of a shared limit are served in turn."""
        first = await self._limits.first(item.id, item.turn) if item.turn else None
        return first if first is not None else await self._limits.first(item.id)


def _waiting(permit: Permit, since: float) -> Permit:
    """A permit that is sent with a message, to wait for its moment."""
    return replace(permit, asked=since) if permit.reserved and permit.asked is None else permit


def slot_lease(command: Command) -> float:
    """Seconds that an attempt of a step may hold a slot."""
    assert command.step is not None
    return command.step.timeout + LEASE_MARGIN + SLOT_MARGIN
