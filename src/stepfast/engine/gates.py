"""The state of a gate, and what arrivals, failures and operators change in it (rules *gate*, *probe*, *ramp*). Pure.

OPEN lets all through. CLOSED lets one probe through in `probe` seconds. RAMPING lets through what the rate allows. The
rate grows by `ramp` in each period of `probe` seconds, and hands out those who wait in the gate's line. A state is
stored as a text in an item of its own, beside that of the limit's key. The empty text is an open gate that has met no
failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Any, Literal

from stepfast.engine.limit_items import CLAIM_SECONDS, LimitId, Permit
from stepfast.language.limits import Gate, Limit
from stepfast.records import dataclass

GATE_SHARD = 99
"""The shard of the items of gates: those of slots and rates have lower numbers (MOST_SHARDS)."""
MOST_CAUSES, MOST_FAILED = 8, 50
"""Causes whose failures a gate counts, and FAILED executions that it brings back."""
MOST_A_SECOND = 1000.0
"""The rate at which a ramp counts as open."""

GateStatus = Literal["OPEN", "CLOSED", "RAMPING"]


def gate_id(name: str, key: str) -> LimitId:
    """The item of the gate of a limit's key; all shards of the key share it."""
    return LimitId(name, key, GATE_SHARD)


@dataclass(frozen=True, slots=True)
class FailedBehind:
    """An execution in which a step failed for good shortly before the gate closed.

    late: it had not ended yet when the ramp came to bring it back, so that whoever ends it does.
    """

    execution_id: str
    generation: int
    step: str
    at: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class GateState:
    """A gate. Times are seconds since the epoch.

    since: when it closed or began to open; it names this closing, or this ramp, in permits. cause: why it has closed.
    by, why: who closed or opened it by hand. failures: times of the newest failures by cause. failed: executions to
    resume.
    next_probe: before this no probe begins; None until somebody opens the gate. probe: the step that is the probe, from
    probe_at on, until probe_lease is over. moment: of a ramp, the next moment that is free. closed, closed_by,
    closed_why: of a ramp, when the gate closed before it, and who has closed it by hand.
    """

    status: GateStatus = "OPEN"
    since: float = 0.0
    cause: str = ""
    by: str = ""
    why: str = ""
    failures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    failed: tuple[FailedBehind, ...] = ()
    next_probe: float | None = 0.0
    probe: str = ""
    probe_at: float = 0.0
    probe_lease: float = 0.0
    moment: float = 0.0
    closed: float = 0.0
    closed_by: str = ""
    closed_why: str = ""

    def rate(self, gate: Gate, now: float) -> float:
        """Attempts a second that a ramp lets through at a time."""
        periods = min(30, max(0, int((now - self.since) / gate.probe)))
        return min(MOST_A_SECOND, gate.ramp ** (1 + periods) / gate.probe)

    def idle_at(self, gate: Gate) -> float:
        """When it says no more than an empty text does; 0.0 for never."""
        if self.status == "CLOSED":
            return 0.0
        if self.status == "RAMPING":
            return max(self.moment, self.since) + 31 * gate.probe + 86400.0
        times = [time for held in self.failures.values() for time in held]
        late = 86400.0 if to_resume(self) else 0.0  # Those may end any time later.
        return max(times, default=self.since) + gate.window + late


EMPTY = GateState()


def state_text(state: GateState) -> str:
    """A state as it is stored."""
    if state == EMPTY:
        return ""
    fields = {name: value for name, value in asdict(state).items() if value != getattr(EMPTY, name)}
    return json.dumps(fields, separators=(",", ":"))


def state_in(text: str) -> GateState:
    """A stored state."""
    if not text:
        return EMPTY
    fields: dict[str, Any] = json.loads(text)
    fields["failures"] = {cause: tuple(times) for cause, times in fields.get("failures", {}).items()}
    fields["failed"] = tuple(FailedBehind(**entry) for entry in fields.get("failed", ()))
    return GateState(**fields)


@dataclass(frozen=True, slots=True)
class GatePass:
    """A step has passed a gate.

    quiet: the gate was open and knew of nothing, so that a success need not be told. permit: of the ramp; the step need
    not ask again after it has waited for its limits. asked: since when it has waited, None where it has not. state: of
    the gate as it let the step through.
    """

    limit: Limit[Any]
    id: LimitId
    quiet: bool
    permit: Permit | None = None
    asked: float | None = None
    state: GateState | None = None

    @property
    def gate(self) -> Gate:
        assert self.limit.gate is not None
        return self.limit.gate


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a step meets at a gate.

    at: None lets it through; a time has its message come then; infinity puts it into the line. probes: it is the probe.
    """

    state: GateState
    at: float | None = None
    probes: bool = False


LINE = float("inf")


def arrive(
    state: GateState, gate: Gate, step: str, lease: float, now: float, *, handed_out: bool, line_empty: bool
) -> Arrival:
    """What a step meets. lease: seconds that its attempt may take.

    handed_out: the ramp has given it this moment, or it has passed the gate before. line_empty: nobody waits; only
    asked of a ramp.
    """
    if state.status == "OPEN":
        return Arrival(state)
    if state.status == "CLOSED":
        return _arrive_closed(state, gate, step, lease, now)
    if handed_out:
        return Arrival(state)
    if not line_empty or state.moment > now:
        return Arrival(state, LINE)
    if now - state.since >= gate.probe:
        return Arrival(_opened(state))  # The rate does not bind any more.
    return Arrival(replace(state, moment=now + 1 / state.rate(gate, now)))


def _arrive_closed(state: GateState, gate: Gate, step: str, lease: float, now: float) -> Arrival:
    if state.next_probe is None:
        return Arrival(state, LINE)
    if state.probe and state.probe != step and now < state.probe_lease:
        return Arrival(state, LINE)
    at = max(state.next_probe, state.probe_at if state.probe == step else 0.0)
    if now < at:
        return Arrival(appointed(state, step, at), at)
    # The next one is put off now: nobody may learn how this one ends.
    probing = replace(state, next_probe=now + gate.probe, probe=step, probe_at=now, probe_lease=now + lease)
    return Arrival(probing, probes=True)


def appointed(state: GateState, step: str, at: float) -> GateState:
    """The state with a step as the next probe; if it has not come by CLAIM_SECONDS after its time, another is."""
    return replace(state, probe=step, probe_at=at, probe_lease=at + CLAIM_SECONDS)


def waits(state: GateState, step: str, at: float) -> GateState:
    """The state after the probe has found that a limit has it wait until a moment."""
    if state.status != "CLOSED" or state.probe != step or state.next_probe is None:
        return state
    return replace(appointed(state, step, at), next_probe=at)


def needs_probe(state: GateState, now: float) -> bool:
    """Whether somebody of the line is to be appointed the probe."""
    return state.status == "CLOSED" and state.next_probe is not None and (not state.probe or state.probe_lease <= now)


def failed(
    state: GateState,
    gate: Gate,
    cause: str,
    step: str,
    now: float,
    retry_after: float | None = None,
    final: FailedBehind | None = None,
) -> tuple[GateState, bool]:
    """The state after an attempt has failed, and whether the step waits instead of having failed.

    retry_after: seconds that the service asked for. final: set where the step would fail for good.
    """
    if state.status == "CLOSED":
        if state.probe == step:
            next_probe = None if state.next_probe is None else max(state.next_probe, now + (retry_after or gate.probe))
            state = replace(state, next_probe=next_probe, probe="", probe_at=0.0, probe_lease=0.0)
        elif retry_after is not None and state.next_probe is not None:
            state = replace(state, next_probe=max(state.next_probe, now + retry_after))
        return state, True
    known = tuple(entry for entry in state.failed if entry.at > now - gate.window or entry in to_resume(state))
    state = replace(state, failed=known)
    if retry_after is not None:
        return _closed(state, f"RetryAfter({retry_after:g})", now, now + retry_after), True
    recent = {
        held: kept
        for held, times in state.failures.items()
        if (kept := tuple(t for t in times if t > now - gate.window))
    }
    recent[cause] = (*recent.pop(cause, ()), now)[-gate.failures :]
    if len(recent[cause]) >= gate.failures:
        return _closed(state, cause, now, now + gate.probe), True
    if final is not None:
        same = (final.execution_id, final.step)
        known = (*(entry for entry in known if (entry.execution_id, entry.step) != same), final)[-MOST_FAILED:]
    newest = dict(list(recent.items())[-MOST_CAUSES:])
    return replace(state, failures=newest, failed=known), False


def _closed(
    state: GateState, cause: str, now: float, next_probe: float | None, by: str = "", why: str = ""
) -> GateState:
    failed = tuple(replace(entry, late=False) for entry in state.failed)  # The next ramp looks at all of them.
    return GateState("CLOSED", now, cause, by, why, {}, failed, next_probe)


def succeeded(state: GateState, gate: Gate, step: str, now: float) -> GateState:
    """The state after an attempt has succeeded: that of a probe begins the ramp."""
    if state.status != "CLOSED" or state.probe != step:
        return state
    ramp = _ramping(state, now)
    return replace(ramp, moment=now + 1 / ramp.rate(gate, now))


def _ramping(state: GateState, now: float, by: str = "", why: str = "") -> GateState:
    ramp = GateState("RAMPING", now, state.cause, by, why, {}, state.failed, moment=now)
    return replace(ramp, closed=state.since, closed_by=state.by, closed_why=state.why)


def _opened(state: GateState) -> GateState:
    late = to_resume(state)
    return GateState(since=state.since, failed=late) if late else EMPTY


def to_resume(state: GateState) -> tuple[FailedBehind, ...]:
    """The executions that a ramp brings back: those that failed before it began."""
    return tuple(entry for entry in state.failed if entry.at < state.since) if state.status != "CLOSED" else ()


def closed_by_hand(state: GateState, now: float, until: float | None, by: str, why: str) -> GateState:
    """Closes a gate, until a time from which on it probes, or until somebody opens it."""
    return _closed(state, "by hand", now, until, by, why)


def opened_by_hand(state: GateState, now: float, by: str, why: str) -> GateState:
    """Opens a gate: it goes on with a ramp, since many may wait. An open gate stays as it is."""
    return _ramping(state, now, by, why) if state.status == "CLOSED" else state


def hand_out(state: GateState, gate: Gate, now: float, count: int, horizon: float) -> tuple[GateState, list[float]]:
    """The state with at most `count` moments of the ramp given away that lie before the horizon, and these moments."""
    moments = list[float]()
    moment = max(state.moment, now)
    while len(moments) < count and moment < horizon:
        moments.append(moment)
        moment += 1 / state.rate(gate, moment)
    return replace(state, moment=moment), moments
