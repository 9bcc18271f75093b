"""The moments of a run: every place where the process can die, and every cue for the outside world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from stepfast.backends.sqlite.store import SqliteBackend

Write = Literal["claim", "record", "order", "send", "finish"]
"""The engine's writes: a step's claim, a command's outcome, the applied order, messages, the end."""

Side = Literal["before", "after", "at"]


class Died(BaseException):
    """The simulated process is dead: nothing of it goes on."""


class Stalled(AssertionError):
    """What the test waits for never comes. The message says what the execution waits for."""


@dataclass(frozen=True, slots=True)
class Point:
    """One moment; `name` is the step's, for a wait the signal's, for an end the status."""

    side: Side
    what: str
    execution_id: str
    name: str | None = None
    attempt: int = 0
    command_id: str = ""

    def __str__(self) -> str:
        attempt = f", attempt {self.attempt}" if self.attempt else ""
        of = "" if self.what in ("step", "time") else "of "
        return f"{self.side} {self.what}" + (f" {of}{self.name}" if self.name else "") + attempt


@dataclass(slots=True, eq=False)
class Trigger:
    """Something that is to happen at a moment, `times` times; `attempt` is the first that counts.

    every: each of the times must come to pass, not just one.
    """

    side: Side
    what: str
    name: str | None
    attempt: int
    times: int
    act: Callable[[Point], None]
    told: str
    every: bool = False
    seen: set[str] = field(default_factory=set)

    def meets(self, point: Point) -> bool:
        if (self.side, self.what) != (point.side, point.what) or self.name not in (None, point.name):
            return False
        if point.what == "waiting":  # one wait is met once, however often it is looked at
            return point.execution_id + point.command_id not in self.seen
        return point.attempt >= self.attempt or point.attempt == 0


class Points:
    """Every moment passes here; triggers act on it, in the order in which they were set."""

    def __init__(self, limit: int) -> None:
        self.passed: list[Point] = []
        self.triggers: list[Trigger] = []
        self.crash_at: dict[int, Callable[[Point], None]] = {}
        self.recorded, self._limit = Counter[str](), limit

    def add(self, trigger: Trigger) -> None:
        self.triggers.append(trigger)

    def wanted(self, what: str) -> bool:
        return any(one.what == what and one.times > 0 for one in self.triggers)

    def reach(self, point: Point) -> None:
        """Lets triggers act; what they raise comes out here, Died included."""
        if point.side != "at":
            self.passed.append(point)
            if (crash := self.crash_at.pop(len(self.passed) - 1, None)) is not None:
                crash(point)
        if (point.side, point.what) == ("before", "record"):
            self.recorded[point.execution_id] += 1
            if self.recorded[point.execution_id] > self._limit:
                raise Stalled(
                    f"{self._limit} attempts, timers and signals of {point.execution_id!r} were recorded in one call; "
                    "if that is as it should be, raise the limit: Environment(…, limit=…)"
                )
        for trigger in [one for one in self.triggers if one.times > 0 and one.meets(point)]:
            trigger.times -= 1
            trigger.seen.add(point.execution_id + point.command_id)
            trigger.act(point)

    def pending(self) -> list[str]:
        """What was set and has never come to pass."""
        unmet = [one.told for one in self.triggers if one.times > 0 and (one.every or not one.seen)]
        return unmet + [f"crash(at={number})" for number in self.crash_at]


class Ports:
    """The store and queue as the engine sees them: each write passes a point before it and one after."""

    def __init__(self, backend: SqliteBackend, points: Points, changed: Callable[[str, Container[str]], None]) -> None:
        self._backend, self._points, self._changed = backend, points, changed
        self.alive = True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            if not self.alive:
                raise Died
            before = _point(name, arguments)
            if before is None:
                return await method(*arguments, **options)
            self._points.reach(before)
            result = await method(*arguments, **options)
            self._points.reach(replace(before, side="after"))
            if name in ("finish", "put_cursor") and result:
                asked = arguments[1].dispatched if name == "put_cursor" else ()
                self._changed(before.execution_id, asked)
            if name == "finish" and result:
                self._points.reach(Point("at", "status", before.execution_id, arguments[0].execution.status))
            return result

        return call


def _point(method: str, arguments: tuple[Any, ...]) -> Point | None:
    """The point before a write; None for a read."""
    match method, arguments:
        case "commit", (execution_id, commit):
            record = commit.record
            what = "claim" if record.status == "RUNNING" else "record"
            name = f"signal {record.name}" if record.kind == "signal" else record.name
            return Point("before", what, execution_id, name, record.attempt, record.id)
        case "put_cursor", (execution_id, *_):
            return Point("before", "order", execution_id)
        case "send", (messages,):
            return Point("before", "send", messages[0][0].execution_id)
        case "finish", (end,):
            return Point("before", "finish", end.execution.execution_id)
    return None
