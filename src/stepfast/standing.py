"""How an execution stands beside its status: what its start was turned into, and what operators have done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
class Intervention:
    """What an operator has done to an execution last, which its status shows (rules *pause*, *close*).

    action: what was done. at: when, in seconds since the epoch. by: the name of the caller, where callers have names.
    why: in the words of the caller. parent: the id of the execution that it was paused with; None if it was paused by
    itself. cleanup: how many seconds its code may clean up, if it was cancelled so, now or before.
    """

    action: Literal["pause", "unpause", "close", "reopen", "cancel", "terminate"]
    at: float
    by: str | None = None
    why: str | None = None
    parent: str | None = None
    cleanup: float | None = None
