"""What is stored of the starts of workflows with start options, and how an execution stands in it (rule *turn*). Pure.

One item names who holds the key of a singleton. Those that wait stand in a line beside it, an entry each, as steps do
that wait for a slot of a limit. The rate of a throttle is an item of a limit.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from stepfast.engine.limit_items import LimitId
from stepfast.engine.messages import Message
from stepfast.language.limits import Numbers, Rate
from stepfast.model import ENDED, Execution
from stepfast.records import dataclass
from stepfast.standing import StartInfo, TurnedInto

BEGIN = "~begin"
"""What the message of an execution that is to begin names in place of a command; no id of a command has a tilde."""
THROTTLES = "start:"
"""What the names of the items begin with that hold the rates of throttles; no name of a limit has a colon."""


@dataclass(frozen=True, slots=True)
class StartKey:
    """Names the item of a workflow and a key of its singleton."""

    workflow: str
    key: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds a key. version: changes with each write; "" where nothing is stored. holder: "" for nobody."""

    id: StartKey
    version: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class LinePlace:
    """An entry of a line. since: when the execution was created. The highest priority is served first."""

    priority: int
    since: float
    execution_id: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A start that has created nothing, under an id that was given to it.

    became: the id of the execution that it was turned into. sent: the fingerprint of its request (Codec.sent).
    """

    execution_id: str
    workflow: str
    into: TurnedInto
    became: str
    sent: str
    at: float


def key_of(execution: Execution) -> StartKey | None:
    """The key of its singleton, None where it has none."""
    start = execution.start
    return None if start is None or start.key is None else StartKey(execution.workflow, start.key)


def debounce_id(workflow: str, key: str) -> StartKey:
    """Names the item that says which execution of a workflow with debounce waits. No workflow's name has a tilde."""
    return StartKey(f"{workflow}~debounce", key)


def takes_more(execution: Execution | None, id: StartKey) -> bool:
    """Whether the execution that the item of a debounce names still waits, so that another start can become a part."""
    if execution is None or execution.status != "RUNNING" or execution.start is None or not execution.start.waits:
        return False
    key = execution.start.debounce
    return key is not None and debounce_id(execution.workflow, key) == id


def place_of(execution: Execution) -> LinePlace:
    """Where it stands in the line of its key."""
    assert execution.start is not None
    return LinePlace(execution.start.priority, execution.created_at, execution.execution_id)


def may_hold(execution: Execution | None, id: StartKey) -> bool:
    """Whether the execution that an item names as the holder of a key still holds it: it is there, and has not ended.

    The id may have been deleted, and be that of another execution by now.
    """
    return execution is not None and execution.status not in ENDED and key_of(execution) == id


def throttle_id(workflow: str, start: StartInfo) -> tuple[LimitId, Numbers]:
    """The item of a throttle and its numbers."""
    assert start.throttle is not None
    key, count, per, burst = start.throttle
    return LimitId(f"{THROTTLES}{workflow}", key), Numbers(Rate(count, per, burst))


def begin_message(execution: Execution) -> Message:
    """What brings an execution back that waits for its turn or its moment."""
    return Message("timer", execution.execution_id, BEGIN, execution.generation, run=execution.run)


def start_text(start: StartInfo | None) -> str | None:
    """As it is stored, on both homes."""
    return None if start is None else json.dumps(list(asdict(start).values()), separators=(",", ":"))


def start_in(text: str | None) -> StartInfo | None:
    """Of a stored text."""
    if not text:
        return None
    into, key, waits, begins_at, priority, replaced, throttle, debounce = json.loads(text)
    rate = tuple(throttle) if throttle is not None else None
    return StartInfo(into, key, waits, begins_at, priority, replaced, rate, debounce)
