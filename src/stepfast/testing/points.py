"""The points of a test: moments at which the process can crash, or at which a cue is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.model import run_of

Write = Literal["claim", "record", "order", "send", "finish", "child"]
"""The engine's writes: a step's claim, a command's outcome, the applied order, messages, the end, a child's start."""

Side = Literal["before", "after", "at"]


class Died(BaseException):
    """Raised in the process under test to kill it; a BaseException, so that no code of it goes on."""


class Stalled(AssertionError):
    """The event that the test waits for never comes. The message says what the execution waits for."""


class Endless(Exception):
    """Executions go on past the limit of the test, which is the text of this error. The kit raises Stalled for it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment. kind: "step", a Write, "waiting", "status" or "time". name: of the step or signal, or the status."""

    side: Side
    kind: str
    execution_id: str
    name: str | None = None
    attempt: int = 0
    command_id: str = ""

    def __str__(self) -> str:
        attempt = f", attempt {self.attempt}" if self.attempt else ""
        of = "" if self.kind in ("step", "time") else "of "
        return f"{self.side} {self.kind}" + (f" {of}{self.name}" if self.name else "") + attempt


@dataclass(slots=True, eq=False)
class Trigger:
    """Calls `act` at points of this side, kind and name, `times` times; `attempt` is the first that counts.

    description: how the test has set it. every: it must act all of these times, not just once.
    """

    side: Side
    kind: str
    name: str | None
    attempt: int
    times: int
    act: Callable[[Point], None]
    description: str
    every: bool = False
    seen: set[str] = field(default_factory=set)

    def meets(self, point: Point) -> bool:
        if (self.side, self.kind) != (point.side, point.kind) or self.name not in (None, point.name):
            return False
        if point.kind == "waiting":  # each wait counts once, however often it is reached
            return point.execution_id + point.command_id not in self.seen
        return point.attempt >= self.attempt or point.attempt == 0


class Points:
    """Every point that is reached passes here. Triggers act on it, in the order in which they were set."""

    def __init__(self, limit: int) -> None:
        self.passed: list[Point] = []
        self.triggers: list[Trigger] = []
        self.crash_at: dict[int, Callable[[Point], None]] = {}
        self.recorded, self._limit = Counter[str](), limit

    def add(self, trigger: Trigger) -> None:
        self.triggers.append(trigger)

    def wanted(self, kind: str) -> bool:
        """Whether a trigger still acts at points of this kind."""
        return any(trigger.kind == kind and trigger.times > 0 for trigger in self.triggers)

    def reach(self, point: Point) -> None:
        """Lets triggers act, and raises their exceptions, Died included. Raises Endless past the limit."""
        if point.side != "at":
            self.passed.append(point)
            if (crash := self.crash_at.pop(len(self.passed) - 1, None)) is not None:
                crash(point)
        if (point.side, point.kind) == ("before", "record"):
            self.recorded[point.execution_id] += 1
            if self.recorded[point.execution_id] > self._limit:
                raise Endless(
                    f"{self._limit} attempts, timers and signals of {point.execution_id!r} were recorded in one call; "
                    "if that is as it should be, raise the limit: Environment(…, limit=…)"
                )
        for trigger in [trigger for trigger in self.triggers if trigger.times > 0 and trigger.meets(point)]:
            trigger.times -= 1
            trigger.seen.add(point.execution_id + point.command_id)
            trigger.act(point)

    def require_passed(self, *others: str) -> None:
        """AssertionError for what was set and has never come to pass; others: descriptions of more of that kind."""
        left = [trigger for trigger in self.triggers if trigger.times > 0]
        pending = [trigger.description for trigger in left if trigger.every or not trigger.seen]
        pending += [f"crash(at={number})" for number in self.crash_at]
        if pending or others:
            raise AssertionError(f"this has never come to pass: {'; '.join([*pending, *others])}")


class Ports:
    """The store and queue of the process under test. Each write reaches a point before it and another after it."""

    def __init__(
        self, backend: SqliteBackend, points: Points, changed: Callable[[str, Container[str] | None], None]
    ) -> None:
        self._backend, self._points, self._changed = backend, points, changed
        self.reader = backend.reader  # it only reads
        self.limits = backend.limits  # its writes are in the file with the next write that passes here
        self.starts = backend.starts
        self.schedules, self.links, self.audit = backend.schedules, backend.links, backend.audit
        self.workflow_pauses = backend.workflow_pauses
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
            if name in ("finish", "cancel") and result:
                self._changed(before.execution_id, None)
            elif name == "append" and result and arguments[1].withdrawn:
                self._changed(before.execution_id, arguments[1].withdrawn)
            if name in ("finish", "cancel") and result:
                self._points.reach(Point("at", "status", before.execution_id, arguments[0].execution.status))
            return result

        return call


def _point(method: str, arguments: tuple[Any, ...]) -> Point | None:
    """The point before a write; None for a read."""
    match method, arguments:
        case "commit", (run_id, commit):
            execution_id, record = run_of(run_id)[0], commit.record
            kind = "claim" if record.status == "RUNNING" else "child" if record.status == "OPEN" else "record"
            name = f"signal {record.name}" if record.kind == "signal" else record.name
            return Point("before", kind, execution_id, name, record.attempt, record.id)
        case "append", (run_id, *_):
            return Point("before", "order", run_of(run_id)[0])
        case "send", (messages,):
            return Point("before", "send", messages[0][0].execution_id)
        case "report", (execution_id, record, _):
            return Point("before", "record", execution_id, record.name, record.attempt, record.id)
        case (("create" | "relink" | "rewind"), (execution, *_)):  # of a child: an operator's writes do not pass here
            return Point("before", "child", execution.execution_id, execution.workflow)
        case (("finish" | "cancel"), (end, *_)):
            return Point("before", "finish", end.execution.execution_id)
        case "continue_as_new", (turn,):
            return Point("before", "finish", turn.execution.execution_id)
    return None
