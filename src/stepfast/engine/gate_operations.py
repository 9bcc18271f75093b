"""What operators ask of gates: to see them, to close one and to open it, each with who, when and why (rule *gate*)."""

from __future__ import annotations

from collections.abc import Sequence

from stepfast.engine.gate_keeper import write_state
from stepfast.engine.gates import GATE_SHARD, GateState, GateStatus, closed_by_hand, gate_id, opened_by_hand, state_in
from stepfast.engine.limit_items import LimitId, names_in
from stepfast.engine.limit_operations import WaitingStep, named
from stepfast.engine.ports import Clock, Queue, Store
from stepfast.errors import InvalidRequest, UnknownName
from stepfast.language.limits import LONGEST_LIMIT_KEY, Gate
from stepfast.language.registry import Registry
from stepfast.model import run_of
from stepfast.records import dataclass

MOST_COUNTED_WAITING = 1000
"""Waiting steps that are counted of a gate."""
LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class ProbingStep:
    """The step that is the next probe of a closed gate, or that is the probe now."""

    execution_id: str
    command_id: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """A gate of one key of a limit. Times are seconds since the epoch, UTC.

    status: OPEN, CLOSED, or RAMPING while it opens. since: when that began; None for OPEN. cause: why it closed.
    by, why: who closed or opened it by hand. next_probe: when the next probe may
    begin; None unless it is CLOSED, and where somebody has to open it. probe: which step that is; None where nobody
    has come yet, or the gate is not CLOSED. rate: attempts a second that a ramp lets
    through now. waiting: steps in its line, at most MOST_COUNTED_WAITING. first: those that come first. failed: FAILED
    executions that it will resume.
    """

    name: str
    key: str
    status: GateStatus
    since: float | None
    cause: str
    by: str
    why: str
    next_probe: float | None
    probe: ProbingStep | None
    rate: float | None
    waiting: int
    first: Sequence[WaitingStep]
    failed: int


class GateOperations:
    """Operations on the gates of the limits of this deployment.

    queue: brings the first of the line at once when a gate is opened. Without it the steps that wait come by
    themselves, within four minutes.
    """

    def __init__(self, store: Store, clock: Clock, registry: Registry, queue: Queue | None = None) -> None:
        self._store, self._clock, self._registry, self._queue = store, clock, registry, queue

    def declared(self) -> dict[str, Gate]:
        """The gates that the code declares, by the name of their limit."""
        limits = (limit for step in self._registry.steps for limit in step.limits)
        return {limit.name: limit.gate for limit in limits if limit.gate is not None}

    async def gates(self, name: str | None = None, limit: int = 100, after: str = "") -> tuple[list[GateReport], str]:
        """The gates that are closed, opening, or have met failures, in the order of their keys.

        name: of a limit; by default the first page of each limit. limit: at most so many of a limit. after: the
        position that an earlier call returned. A gate of which nothing is known is OPEN and not listed.
        Raises UnknownName for a limit without a gate.
        """
        names = sorted(self.declared()) if name is None else [name]
        reports, position = list[GateReport](), ""
        for held in names:
            gate = self._gate(held)
            items, position = await self._store.limits.items(held, limit, after)
            for item in items:
                if item.id.shard == GATE_SHARD and item.gate:
                    reports.append(await self._report(item.id, state_in(item.gate), gate))
        return reports, position if name is not None else ""

    async def gate(self, name: str, key: str = "") -> GateReport:
        """One gate as it stands. Raises UnknownName for a limit without a gate."""
        gate, id = self._gate(name), gate_id(name, key)
        return await self._report(id, state_in((await self._store.limits.read(id)).gate), gate)

    async def close_gate(
        self, name: str, key: str = "", *, until: float | None = None, by: str = "", why: str = ""
    ) -> GateReport:
        """Closes a gate: no attempt begins until a time, and from then on one probe after the other.

        until: in seconds since the epoch; None until somebody opens it. Attempts that run end as they would; those that
        fail wait. Safe to repeat: the last call counts. Raises UnknownName for a limit without a gate, and
        InvalidRequest for a time that has passed.
        """
        if until is not None and not self._clock.now() < until < float("inf"):
            raise InvalidRequest("until is a time to come")
        return await self._change(name, key, closing=True, until=until, by=by, why=why)

    async def open_gate(self, name: str, key: str = "", *, by: str = "", why: str = "") -> GateReport:
        """Opens a gate: its steps go on at a growing rate. A gate that is not CLOSED stays as it is.

        Raises UnknownName for a limit without a gate.
        """
        report = await self._change(name, key, closing=False, until=None, by=by, why=why)
        first = await self._store.limits.first(gate_id(name, key))
        if first is not None and self._queue is not None and report.status == "RAMPING":
            await self._queue.send([(first.message, None)])  # When it comes, it has the line handed out.
        return report

    async def _change(
        self, name: str, key: str, *, closing: bool, until: float | None, by: str, why: str
    ) -> GateReport:
        gate, id = self._gate(name), gate_id(name, key)
        if len(key) > LONGEST_LIMIT_KEY:
            raise InvalidRequest(f"a key has at most {LONGEST_LIMIT_KEY} characters")
        if len(why) > LONGEST_WHY or len(by) > LONGEST_WHY:
            raise InvalidRequest(f"a reason and a name have at most {LONGEST_WHY} characters")
        while True:
            now = self._clock.now()
            item = await self._store.limits.read(id)
            state = state_in(item.gate)
            changed = closed_by_hand(state, now, until, by, why) if closing else opened_by_hand(state, now, by, why)
            if changed == state or await write_state(self._store, item, changed, gate, now):
                return await self._report(id, changed, gate)

    async def _report(self, id: LimitId, state: GateState, gate: Gate) -> GateReport:
        now = self._clock.now()
        waiting = await self._store.limits.line(id, MOST_COUNTED_WAITING)
        return GateReport(
            id.name,
            id.key,
            state.status,
            None if state.status == "OPEN" else state.since,
            state.cause,
            state.by,
            state.why,
            state.next_probe if state.status == "CLOSED" else None,
            _probing(state),
            state.rate(gate, now) if state.status == "RAMPING" else None,
            len(waiting),
            named(waiting),
            len(state.failed),
        )

    def _gate(self, name: str) -> Gate:
        declared = self.declared()
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise UnknownName(f"no limit with a gate is named {name!r}; there are: {known}")
        return declared[name]


def _probing(state: GateState) -> ProbingStep | None:
    if state.status != "CLOSED" or not state.probe:
        return None
    run_id, command_id = names_in(state.probe)
    return ProbingStep(run_of(run_id)[0], command_id)
