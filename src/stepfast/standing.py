"""How an execution stands beside its status: what its start became, what it is a fork of, who has acted on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Literal

from stepfast.records import dataclass

TurnedInto = Literal["started", "waiting", "skipped", "replaced", "debounced"]


@dataclass(frozen=True, slots=True)
class StartInfo:
    """What a start of a workflow with start options was turned into, and when the execution begins (rule *turn*).

    key: of its singleton; None without. waits: it has not begun. begins_at: its moment, and once it has begun, when
    that was. priority: in the line of its key. replaced: the id of the execution that it cancels. throttle: key, count,
    per and burst of the rate at which executions begin. debounce: the key of those that become one while it waits.
    """

    into: TurnedInto
    key: str | None = None
    waits: bool = False
    begins_at: float | None = None
    priority: int = 0
    replaced: str | None = None
    throttle: tuple[str, float, float, int] | None = None
    debounce: str | None = None


@dataclass(frozen=True, slots=True)
class ForkedFrom:
    """Where a fork comes from, and who has made it (rule *fork*).

    execution_id, run, generation: of the origin, as it stood then. before: the ids of the commands that the fork runs
    anew; empty where no command stood behind the failure. at: when, in seconds since the epoch. by: the name of the
    caller, where callers have names. why: in the words of the caller. request: the digest of what was asked for.

    clock: where the time begins that its code sees, in seconds since the epoch. seeds: what the code draws chance from
    until it has taken more outcomes than this many, each with its number; after the last from the fork's own id.
    """

    execution_id: str
    run: int
    generation: int
    before: tuple[str, ...]
    at: float
    by: str | None = None
    why: str | None = None
    request: str = ""
    clock: float = 0.0
    seeds: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Intervention:
    """What an operator has done to an execution last, which its status shows (rules *pause*, *close*).

    action: what was done; hold: paused as it was to begin, since its workflow is. at: when, in seconds since the epoch.
    by: the name of the caller, where callers have names. why: in the words of the caller. parent: the id of the
    execution that it was paused with; None if it was paused by itself. cleanup: how many seconds its code may clean up,
    if it was cancelled so, now or before.
    """

    action: Literal["pause", "unpause", "close", "reopen", "cancel", "terminate", "hold"]
    at: float
    by: str | None = None
    why: str | None = None
    parent: str | None = None
    cleanup: float | None = None


def hand_mark(hand: Intervention | None) -> str:
    """A short text that is equal for the same intervention alone; "" for none."""
    if hand is None:
        return ""
    return hashlib.sha256(json.dumps(asdict(hand)).encode()).hexdigest()[:12]


def forked_text(forked: ForkedFrom | None) -> str | None:
    """As it is stored, on both homes."""
    return None if forked is None else json.dumps(asdict(forked), separators=(",", ":"))


def forked_in(text: str | None) -> ForkedFrom | None:
    """Of a stored text."""
    if not text:
        return None
    stored = json.loads(text)
    seeds = tuple((seed, taken) for seed, taken in stored["seeds"])
    return ForkedFrom(**{**stored, "before": tuple(stored["before"]), "seeds": seeds})
