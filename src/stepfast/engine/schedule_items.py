"""What is stored of a schedule, and how each decision about one of its moments changes it (rule *moment*). Pure.

A moment is a time at which a schedule is due. Its execution id is made of the schedule's name and the moment, so that
whatever comes twice starts once. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from stepfast.records import dataclass

Overlap = Literal["allow", "skip", "wait", "replace"]
"""What happens at a moment while an execution that the schedule has started before is RUNNING."""
OVERLAPS: tuple[Overlap, ...] = ("allow", "skip", "wait", "replace")
Cause = Literal["clock", "trigger", "backfill"]
"""Why an execution of a schedule starts: its moment has come, somebody starts it now, or a range is made up for."""
MOST_REMEMBERED = 10
"""Starts, and skipped moments, that are remembered of a schedule."""
MOST_WAITING = 200
"""Moments that wait for an earlier execution to end. Further moments are skipped."""
MOST_JITTER = 3600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class ScheduleTarget:
    """What a schedule starts at each of its moments.

    jitter: seconds; each moment starts later by an offset of less than that.
    """

    schedule: str
    workflow: str
    input: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)
    overlap: Overlap = "allow"
    jitter: int = 0

    def offset(self, moment: float) -> float:
        """Seconds between a moment and its start: the same on every machine, in both homes."""
        if self.jitter <= 0:
            return 0.0
        named = f"{self.schedule}\0{self.workflow}\0{stamp(moment)}"
        drawn = int.from_bytes(hashlib.sha256(named.encode()).digest()[:6], "big")
        return self.jitter * drawn / 2**48

    def id_at(self, moment: float) -> str:
        return f"{self.schedule}-{stamp(moment)}"


NextAfter = Callable[[float, float | None], float | None]
"""The first moment after a time; None if there is none. The second argument is a moment at which a rate was due."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as the settings of the deployment declare it. expression: cron(…), rate(…) or at(…)."""

    target: ScheduleTarget
    expression: str
    timezone: str
    enabled: bool
    next_after: NextAfter = field(compare=False)

    @property
    def name(self) -> str:
        return self.target.schedule


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a schedule about which something was decided, or that waits.

    id: of its execution. decided_at: when. by: who asked for it, "" for the clock. begun: False from the decision to
    start until the execution is there. replaces: executions to cancel before it starts. why: of what was skipped.
    """

    id: str
    at: float
    cause: Cause = "clock"
    decided_at: float = 0.0
    by: str = ""
    begun: bool = False
    replaces: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """The last pause of a schedule. until: when it ended; None while it lasts."""

    since: float
    by: str = ""
    why: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class ScheduleItem:
    """The state of a schedule.

    version: changes with each write; "" before the first. phase: a moment at which it was due by the clock. started:
    the last starts, newest decision first. skipped: likewise. waiting: in the order of their moments.
    """

    name: str
    version: str = ""
    pause: Pause | None = None
    phase: float | None = None
    started: tuple[Moment, ...] = ()
    skipped: tuple[Moment, ...] = ()
    waiting: tuple[Moment, ...] = ()

    @property
    def paused(self) -> bool:
        return self.pause is not None and self.pause.until is None

    @property
    def unbegun(self) -> tuple[Moment, ...]:
        """Starts that are decided, and whose executions may not be there yet."""
        return tuple(moment for moment in self.started if not moment.begun)

    @property
    def next_waiting(self) -> Moment | None:
        """The first of the line that may start: while the schedule is paused, what somebody has asked for."""
        return next((moment for moment in self.waiting if not self.paused or moment.cause != "clock"), None)

    def misses(self, moment: Moment) -> bool:
        """Whether a moment of the clock fell into a pause: it starts nothing."""
        if moment.cause != "clock" or self.pause is None:
            return False
        return self.paused or self.pause.since <= moment.at < (self.pause.until or 0.0)

    def is_late(self, moment: Moment) -> bool:
        """Whether something was decided about a later moment of the clock before this one came."""
        decided = (*self.started, *self.skipped)
        return moment.cause == "clock" and any(other.cause == "clock" and other.at > moment.at for other in decided)

    def seen(self, moment: Moment) -> ScheduleItem:
        """The item once a moment of the clock has come, from which the times of a rate are known."""
        if moment.cause != "clock" or (self.phase is not None and self.phase >= moment.at):
            return self
        return replace(self, phase=moment.at)


def found(moments: tuple[Moment, ...], id: str) -> Moment | None:
    return next((moment for moment in moments if moment.id == id), None)


def claimed(item: ScheduleItem, moment: Moment, replaces: tuple[str, ...] = ()) -> ScheduleItem:
    """The item with the decision to start a moment; it waits no more."""
    item = replace(_without(item, moment.id), skipped=tuple(other for other in item.skipped if other.id != moment.id))
    return remembered(item, replace(moment, begun=False, replaces=replaces))


def remembered(item: ScheduleItem, *moments: Moment) -> ScheduleItem:
    """The item with these starts as its last. Those that have not begun are never forgotten."""
    ids = {moment.id for moment in moments}
    starts = [*reversed(moments), *(moment for moment in item.started if moment.id not in ids)]
    kept = [moment for place, moment in enumerate(starts) if place < MOST_REMEMBERED or not moment.begun]
    return replace(item, started=tuple(kept))


def begun(item: ScheduleItem, id: str) -> ScheduleItem:
    """The item once the execution of a start is there."""
    started = tuple(replace(moment, begun=True, replaces=()) if moment.id == id else moment for moment in item.started)
    return replace(item, started=started)


def unclaimed(item: ScheduleItem, id: str) -> ScheduleItem:
    """The item without a start that was refused."""
    return replace(item, started=tuple(moment for moment in item.started if moment.id != id))


def skipped(item: ScheduleItem, moment: Moment, why: str) -> ScheduleItem:
    moments = (replace(moment, why=why), *(other for other in item.skipped if other.id != moment.id))
    return replace(_without(item, moment.id), skipped=moments[:MOST_REMEMBERED])


def in_line(item: ScheduleItem, *moments: Moment) -> ScheduleItem:
    """The item with these moments in its line, each once."""
    line = {moment.id: moment for moment in (*moments, *item.waiting)}
    return replace(item, waiting=tuple(sorted(line.values(), key=lambda moment: (moment.at, moment.id))))


def _without(item: ScheduleItem, id: str) -> ScheduleItem:
    return replace(item, waiting=tuple(moment for moment in item.waiting if moment.id != id))


def stamp(moment: float) -> str:
    """A time as an execution id can contain it, without colons: 2026-11-22T150000Z."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H%M%SZ}"


# -- as it is stored, on both homes -----------------------------------------------------------------------------------


def state_text(item: ScheduleItem) -> str:
    pause = item.pause
    state = {
        "pause": None if pause is None else [pause.since, pause.by, pause.why, pause.until],
        "phase": item.phase,
        "started": [_row(moment) for moment in item.started],
        "skipped": [_row(moment) for moment in item.skipped],
        "waiting": [_row(moment) for moment in item.waiting],
    }
    return json.dumps({name: value for name, value in state.items() if value}, separators=(",", ":"))


def item_of(name: str, version: str, text: str) -> ScheduleItem:
    state = json.loads(text)
    pause = state.get("pause")
    lists = {key: tuple(_moment(row) for row in state.get(key, ())) for key in ("started", "skipped", "waiting")}
    return ScheduleItem(name, version, None if pause is None else Pause(*pause), state.get("phase"), **lists)


def _row(moment: Moment) -> list[Any]:
    row = [moment.id, moment.at, moment.cause, round(moment.decided_at, 3), moment.by, int(moment.begun)]
    return [*row, list(moment.replaces), moment.why]


def _moment(row: list[Any]) -> Moment:
    id, at, cause, decided_at, by, has_begun, replaces, why = row
    return Moment(id, at, cause, decided_at, by, bool(has_begun), tuple(replaces), why)
