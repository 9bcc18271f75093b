"""What is stored of a limit for each of its keys, and how a take and a release change it (rules *slot*, *rate*). Pure.

One item holds the slots and the reservations of a key, so that a take of both is one conditional write. Those who wait
for a slot stand in a line beside it, an entry each. The gate of a key has an item of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from stepfast.engine.messages import Message
from stepfast.language.limits import Numbers, Rate
from stepfast.records import dataclass
from stepfast.unguarded import replace, unguarded

CLAIM_SECONDS = 30.0
"""Seconds from a grant, or from a reserved moment, within which the step must be claimed; then others may take it."""
LATE_SECONDS = 5.0
"""The longest time that a step may begin after its reserved moment, whatever the rate."""
SPACING = 1.02
"""What the time between two reserved moments is stretched by. So all steps of a period may be late by a fiftieth of it,
and still there are not more of them in it than the rate says."""
SHORTEST_WAIT_SECONDS = 1e-6
"""A moment that is nearer has come: times are added up, and rounded."""
LEAST_LATENESS = 0.05
"""Seconds that a step may always begin after its moment: the clocks and writes of two processes differ by that much."""


class LimitId(NamedTuple):
    """Names an item: of a limit, a key, and the shard of that key. A shared limit has one item, of the key "".

    A tuple, since each step looks it up in several tables.
    """

    name: str
    key: str = ""
    shard: int = 0


@unguarded
@dataclass(frozen=True, slots=True)
class Holder:
    """A slot that is taken. token: of whoever has it. since: when it can be claimed from. lease: when it is over."""

    token: str
    since: float
    lease: float


@unguarded
@dataclass(frozen=True, slots=True)
class LimitItem:
    """The state of one key of a limit.

    version: changes with each write; "" before the first. moment: the next moment that rate and burst leave free, by
    GCRA. holders: by the name of the step. turn: the key that was served last. gate: the state of a gate, in
    the item of that gate alone. changed_at: when it was written. front: the next moment for a step that has missed
    its own. put_off: seconds by which all reserved moments have been put off for such steps.
    """

    id: LimitId
    version: str = ""
    moment: float = 0.0
    holders: Mapping[str, Holder] = field(default_factory=dict)
    turn: str = ""
    gate: str = ""
    changed_at: float = 0.0
    front: float = 0.0
    put_off: float = 0.0

    def idle_at(self, now: float) -> float:
        """From when on the item says no more than an absent item does; infinity for a gate that has no such moment."""
        if self.gate:
            return self.moment or float("inf")
        return max([now, self.moment, *(holder.lease for holder in self.holders.values())])


@unguarded
@dataclass(frozen=True, slots=True)
class Waiter:
    """An entry of a line: a step that waits for a slot.

    turn: the key, by which the keys of a shared limit are served in turn. priority: the highest is served first.
    since: when it began to wait. step: the name of the step in the holders. message: what brings it back. revision:
    of its record as it waits. lease: seconds that an attempt may hold the slot.
    """

    turn: str
    priority: int
    since: float
    step: str
    message: Message
    revision: int
    lease: float

    @property
    def place(self) -> tuple[str, int, float, str]:
        """What the entries of a line are ordered by."""
        return self.turn, -self.priority, self.since, self.step


@unguarded
@dataclass(frozen=True, slots=True)
class Permit:
    """What a step has taken from one limit, for the one attempt that begins at this revision of its record.

    token: of the slot, "" for none. since: the moment from which the attempt may begin. lease: when the slot is over.
    reserved: whether `since` was reserved by a rate. asked: since when the step has waited for it, None where it has
    not. in_line: it has stood in a line. turn: its key, of a shared limit. put_off: that of the item when the moment
    was reserved; None for a moment at the front, which is not put off any more.
    """

    id: LimitId
    revision: int
    since: float
    token: str = ""
    lease: float = 0.0
    reserved: bool = False
    asked: float | None = None
    in_line: bool = False
    turn: str = ""
    put_off: float | None = 0.0

    def stands(self, revision: int, now: float) -> bool:
        """Whether the attempt may still begin by this permit, if need be after another moment than `since`."""
        if revision != self.revision:
            return False
        return not self.token or now <= self.since + CLAIM_SECONDS


def step_name(run_id: str, command_id: str) -> str:
    """The name of a step among the holders: the same for all deliveries and attempts of it."""
    return f"{run_id}/{command_id}"


def names_in(step: str) -> tuple[str, str]:
    """The run id and the command id in what `step_name` has made. No execution id has a slash."""
    run_id, _, command_id = step.partition("/")
    return run_id, command_id


def current(item: LimitItem, now: float) -> LimitItem:
    """The item without slots whose lease is over."""
    holders = {step: holder for step, holder in item.holders.items() if holder.lease > now}
    return replace(item, holders=holders) if len(holders) < len(item.holders) else item


def free_slots(item: LimitItem, numbers: Numbers) -> int:
    return 1_000_000 if numbers.concurrency is None else numbers.concurrency - len(item.holders)


def reserved(item: LimitItem, numbers: Numbers, now: float) -> tuple[LimitItem, float]:
    """The item with the next moment of the rate reserved, and that moment."""
    rate = numbers.rate
    if rate is None:
        return item, now
    interval = rate.interval * SPACING
    due = max(item.moment, now)
    return replace(item, moment=due + interval), max(now, due - (rate.burst - 1) * interval)


def reservation(item: LimitItem, rate: Rate, revision: int, now: float) -> Permit:
    """The permit of the last moment that was reserved of an item, for a step that has reserved it at `now`."""
    interval = rate.interval * SPACING
    since = item.moment - rate.burst * interval
    since = now if since < now + SHORTEST_WAIT_SECONDS else since
    return Permit(item.id, revision, since, reserved=True, put_off=item.put_off)


def lateness(rate: Rate) -> float:
    """Seconds that a step may begin after its moment: beginnings of one period may differ by that much."""
    return min(LATE_SECONDS, max(LEAST_LATENESS, (SPACING - 1) * rate.per))


def moment_of(item: LimitItem, permit: Permit) -> float:
    """The moment that a permit has reserved, as it has been put off since."""
    return permit.since if permit.put_off is None else permit.since + max(0.0, item.put_off - permit.put_off)


def at_front(item: LimitItem, permit: Permit, rate: Rate, now: float) -> tuple[LimitItem, Permit]:
    """The item and the permit with another moment, for a step that has missed its own.

    It is the next that no other late step has. All moments that are reserved and yet to come are put off by as much as
    one step takes: so the late step loses no more than the time that it is late, and the rate is kept.
    """
    numbers = Numbers(rate)
    taken, since = reserved(item, numbers, now)
    front = max(now, item.front)
    if since > front:
        interval = rate.interval * SPACING
        put_off = item.put_off + interval
        taken = replace(item, front=front + interval, moment=item.moment + interval, put_off=put_off)
        return taken, replace(permit, since=front, put_off=None)
    return taken, replace(permit, since=since, put_off=item.put_off)


def held_from(item: LimitItem, step: str, permit: Permit) -> tuple[LimitItem, Permit]:
    """The item and the permit with the slot of the permit, if it has one, kept from its new moment on."""
    held = item.holders.get(step)
    if not permit.token or held is None or held.token != permit.token:
        return item, permit
    end = permit.since + held.lease - held.since
    return replace(item, holders={**item.holders, step: Holder(held.token, permit.since, end)}), replace(
        permit, lease=end
    )


def granted(
    item: LimitItem, step: str, numbers: Numbers, token: str, lease: float, revision: int, now: float
) -> tuple[LimitItem, Permit]:
    """The item with a slot, a reserved moment, or both, taken for a step; the slot is kept from that moment on.

    lease: seconds that the attempt may hold a slot.
    """
    item, since = reserved(item, numbers, now)
    has_rate = numbers.rate is not None
    if numbers.concurrency is None:
        return item, Permit(item.id, revision, since, reserved=has_rate, put_off=item.put_off)
    end = since + CLAIM_SECONDS + lease
    holders = {**item.holders, step: Holder(token, since, end)}
    return replace(item, holders=holders), Permit(item.id, revision, since, token, end, has_rate, put_off=item.put_off)


def without(item: LimitItem, step: str, token: str) -> LimitItem:
    """The item without the slot of this token; the item itself if the slot is not held any more."""
    held = item.holders.get(step)
    if held is None or held.token != token:
        return item
    return replace(item, holders={name: holder for name, holder in item.holders.items() if name != step})


def numbers_text(numbers: Numbers) -> str:
    """Numbers as they are stored, on both homes."""
    rate = numbers.rate
    return json.dumps([[rate.count, rate.per, rate.burst] if rate is not None else None, numbers.concurrency])


def numbers_in(text: str) -> Numbers:
    """Stored numbers."""
    rate, concurrency = json.loads(text)
    return Numbers(None if rate is None else Rate(*rate), concurrency)
