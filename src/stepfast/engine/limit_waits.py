"""Finds out which steps of an execution wait at a gate or for a limit, since when, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from stepfast.engine.gates import GateState, gate_id, state_in
from stepfast.engine.limit_items import LimitId, LimitItem, Waiter, step_name
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.limit_wants import Want, wants_of
from stepfast.errors import LimitKeyFailed
from stepfast.model import Record, Snapshot
from stepfast.records import dataclass
from stepfast.replay.commands import Command

MOST_LOOKED_AT, MOST_ITEMS_READ, MOST_OF_A_LINE = 100, 20, 1000
"""Steps of an execution that are looked at, items of limits and gates that are read, and entries of a line."""

WaitsFor = Literal["gate", "slot", "rate"]


@dataclass(frozen=True, slots=True)
class LimitWait:
    """A step that waits. Times are seconds since the epoch, UTC.

    since: when it began to wait; None where it is not in a line. before: how many are before it in the line; None where
    it is not in a line. next_at: of a closed gate, when the next probe may begin, of a rate, its last moment that is
    reserved: the step begins then at the latest; None where that is not known. gate: of a gate, its state. probe:
    whether the step is the next probe.
    """

    command_id: str
    waits_for: WaitsFor
    limit: str
    key: str
    since: float | None
    before: int | None
    next_at: float | None
    gate: GateState | None = None
    probe: bool = False


class LimitLooks:
    """Reads the items and lines of limits, each once, and at most MOST_ITEMS_READ of them."""

    def __init__(self, limits: LimitStore, now: float) -> None:
        self._limits, self._now = limits, now
        self._items: dict[LimitId, tuple[LimitItem, Mapping[str, tuple[int, Waiter]]]] = {}

    async def waits_of(self, command: Command, wants: Sequence[Want], name: str) -> LimitWait | None:
        """What a step waits for first: gates come before slots, and slots before rates."""
        for want in wants:
            if want.limit.gate is not None and (wait := await self._at_gate(command, want, name)) is not None:
                return wait
        for want in wants:
            if (held := await self._look(want.id)) is None:
                continue
            item, places = held
            key = want.turn or want.id.key
            if name in places:
                before, waiter = places[name]
                return LimitWait(command.id, "slot", want.limit.name, key, waiter.since, before, None)
            if item.moment > self._now and name not in item.holders:
                return LimitWait(command.id, "rate", want.limit.name, key, None, None, item.moment)
        return None

    async def _at_gate(self, command: Command, want: Want, name: str) -> LimitWait | None:
        key = want.turn or want.id.key
        held = await self._look(gate_id(want.limit.name, key))
        if held is None:
            return None
        state, place = state_in(held[0].gate), held[1].get(name)
        if state.status == "OPEN" or (state.status == "RAMPING" and place is None):
            return None
        before, since = (place[0], place[1].since) if place is not None else (None, None)
        probe = state.status == "CLOSED" and state.probe == name
        next_at = state.next_probe if state.status == "CLOSED" else None
        return LimitWait(command.id, "gate", want.limit.name, key, since, before, next_at, state, probe)

    async def _look(self, id: LimitId) -> tuple[LimitItem, Mapping[str, tuple[int, Waiter]]] | None:
        if id not in self._items:
            if len(self._items) >= MOST_ITEMS_READ:
                return None
            line = await self._limits.line(id, MOST_OF_A_LINE)
            places = {waiter.step: (place, waiter) for place, waiter in enumerate(line)}
            self._items[id] = await self._limits.read(id), places
        return self._items[id]


async def limit_waits(
    limits: LimitStore, snapshot: Snapshot, outstanding: Mapping[str, Command], now: float
) -> list[LimitWait]:
    """The steps that wait at a gate or for a limit, in the order in which the code asks for them.

    outstanding: what the code waits for. At most MOST_LOOKED_AT steps are looked at.
    """
    looks, waits = LimitLooks(limits, now), list[LimitWait]()
    run_id = snapshot.execution.run_id
    for number, (command, record, step) in enumerate(_not_begun(snapshot, outstanding)):
        if number >= MOST_LOOKED_AT:
            break
        try:
            wants = wants_of(step, snapshot.execution, command, record)
        except LimitKeyFailed:
            continue  # The step fails by it.
        wait = await looks.waits_of(command, wants, step_name(run_id, command.id))
        if wait is not None:
            waits.append(wait)
    return waits


def _not_begun(snapshot: Snapshot, outstanding: Mapping[str, Command]) -> Iterator[tuple[Command, Record | None, Any]]:
    for command in outstanding.values():
        record = snapshot.records.get(command.id)
        if command.step is None or not command.step.limits or (record is not None and record.status != "RETRYING"):
            continue
        yield command, record, command.step
