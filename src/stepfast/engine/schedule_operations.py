"""What operators ask of schedules: to see, pause and unpause them, to start one now, and to make up for a range."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

from stepfast.engine import caller
from stepfast.engine import schedule_items as items
from stepfast.engine.arguments import check_id
from stepfast.engine.gate_operations import LONGEST_WHY
from stepfast.engine.ports import Clock, Store
from stepfast.engine.schedule_items import Moment, Overlap, Pause, Schedule, ScheduleItem, ScheduleTarget
from stepfast.engine.schedule_starts import MomentOutcome, ScheduledStarts, change_item
from stepfast.errors import InvalidRequest, UnknownName
from stepfast.records import dataclass

NEXT_SHOWN = 5
"""Moments to come that are shown of a schedule."""
MOST_BACKFILLED = 100
"""Runs of one backfill."""
LookLater = Callable[[ScheduleTarget], Awaitable[None]]
"""Has the line of a schedule looked at later, where no process does so by itself."""


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """A schedule as it stands. next: its moments to come, as far as they are known; none while it is paused.

    jittered: when the executions of `next` start.
    """

    schedule: Schedule
    item: ScheduleItem
    next: Sequence[float]
    jittered: Sequence[float]


class ScheduleOperations:
    """Operations on the schedules that the settings of this deployment declare.

    declared: reads them, at the first call. look_later: called when a moment waits. None: a process of this home looks
    at all lines by itself.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        starts: ScheduledStarts,
        declared: Callable[[], Iterable[Schedule]],
        look_later: LookLater | None = None,
    ) -> None:
        self._store, self._clock, self._starts, self._read_declared = store, clock, starts, declared
        self._look_later = look_later

    @cached_property
    def _declared(self) -> dict[str, Schedule]:
        return {schedule.name: schedule for schedule in self._read_declared()}

    async def page(self, limit: int = 100, after: str = "") -> tuple[list[ScheduleReport], str]:
        """At most `limit` schedules by name, from behind a name on, and the name to go on from, "" after the last."""
        names = [name for name in sorted(self._declared) if name > after]
        reports = [await self._report(self._declared[name]) for name in names[:limit]]
        return reports, names[limit - 1] if len(names) > limit else ""

    async def describe(self, name: str) -> ScheduleReport:
        """One schedule. Raises UnknownName where the settings have none of this name."""
        return await self._report(self._schedule(name))

    async def pause(self, name: str, why: str = "") -> ScheduleReport:
        """Has nothing start by the clock until `unpause`, in any process. One that is paused stays as it is.

        Executions that run go on. Raises UnknownName where the settings have no such schedule.
        """
        schedule = self._schedule(name)
        if len(why) > LONGEST_WHY:
            raise InvalidRequest(f"a reason has at most {LONGEST_WHY} characters", (("why", "too long"),))
        pause = Pause(self._clock.now(), caller.who() or "", why)
        await change_item(self._store, name, lambda item: item if item.paused else replace(item, pause=pause))
        return await self._report(schedule)

    async def unpause(self, name: str) -> ScheduleReport:
        """Has the schedule start again from now on. A moment that it has missed stays missed, unless it is backfilled.

        Raises UnknownName where the settings have no such schedule.
        """
        schedule, now = self._schedule(name), self._clock.now()

        def change(item: ScheduleItem) -> ScheduleItem:
            return replace(item, pause=replace(item.pause, until=now)) if item.pause and item.paused else item

        await change_item(self._store, name, change)
        return await self._report(schedule)

    async def trigger(
        self, name: str, execution_id: str | None = None, overlap: Overlap | None = None
    ) -> MomentOutcome:
        """Starts the schedule's workflow now, also while it is paused, by its overlap policy. Nothing is delayed.

        execution_id: with it the call is safe to repeat; None makes one. overlap: in place of the schedule's policy.
        Raises UnknownName where the settings have no such schedule, and what Operations.start raises.
        """
        schedule, now = self._schedule(name), self._clock.now()
        if execution_id is not None:
            check_id(execution_id, "execution_id", "an execution id")
        id = execution_id or f"{name}-{items.stamp(now)}-{secrets.token_hex(4)}"
        moment = Moment(id, round(now, 3), "trigger", now, caller.who() or "")
        outcome = await self._starts.take(schedule.target, moment, overlap)
        if outcome.kind == "waiting":
            await self._have_looked(schedule)
        return outcome

    async def backfill(
        self, name: str, since: float, until: float, overlap: Overlap | None = None
    ) -> list[tuple[float, MomentOutcome]]:
        """Starts an execution for each moment from `since` on and before `until`, with the ids of the clock's.

        A moment whose execution is there starts none, so the call is safe to repeat. overlap: "allow" starts all at
        once, "wait" one after the other. None is "allow" for a schedule that allows overlaps, else "wait".
        Raises UnknownName where the settings have no such schedule, and InvalidRequest for a range that is not over,
        holds no moment or more than MOST_BACKFILLED, and for a rate of which no moment is known yet.
        """
        schedule, now = self._schedule(name), self._clock.now()
        policy: Overlap = overlap or ("allow" if schedule.target.overlap == "allow" else "wait")
        if policy not in ("allow", "wait"):
            raise _wrong("overlap", "a backfill has the overlap allow or wait: the others would leave moments out")
        if not since < until:
            raise _wrong("to", "`from` is before `to`")
        if until > now:
            raise _wrong("to", "`to` is not in the future: what is to come starts by the clock")
        at, by = self._moments(schedule, await self._store.schedules.read(name), since, until), caller.who() or ""
        moments = [Moment(schedule.target.id_at(time), time, "backfill", now, by) for time in at]
        outcomes = await self._starts.backfill(schedule.target, moments, policy)
        if any(outcome.kind == "waiting" for outcome in outcomes):
            await self._have_looked(schedule)
        return list(zip(at, outcomes, strict=True))

    def _moments(self, schedule: Schedule, item: ScheduleItem, since: float, until: float) -> list[float]:
        moments = list[float]()
        at = schedule.next_after(since - 0.001, item.phase)
        while at is not None and at < until:
            moments.append(at)
            if len(moments) > MOST_BACKFILLED:
                last = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
                raise _wrong(
                    "to", f"these are more than {MOST_BACKFILLED} moments: end at {last}, and go on from there"
                )
            at = schedule.next_after(at, item.phase)
        if not moments:
            rate = schedule.expression.startswith("rate") and item.phase is None
            raise _wrong(
                "from", "it has not been due yet, which its times go by" if rate else "it is never due in this time"
            )
        return moments

    async def _have_looked(self, schedule: Schedule) -> None:
        if self._look_later is not None:
            await self._look_later(schedule.target)

    async def _report(self, schedule: Schedule) -> ScheduleReport:
        item = await self._store.schedules.read(schedule.name)
        next = list[float]()
        at: float | None = self._clock.now()
        while schedule.enabled and not item.paused and len(next) < NEXT_SHOWN:
            assert at is not None
            if (at := schedule.next_after(at, item.phase)) is None:
                break
            next.append(at)
        return ScheduleReport(schedule, item, next, [time + schedule.target.offset(time) for time in next])

    def _schedule(self, name: str) -> Schedule:
        if name not in self._declared:
            names = ", ".join(sorted(self._declared)) or "none"
            raise UnknownName(f"the settings have no schedule named {name!r}; there are: {names}")
        return self._declared[name]


def _wrong(field: str, text: str) -> InvalidRequest:
    return InvalidRequest(text, ((field, text),))
