"""Starts what schedules are due for, once for each moment and by the overlap policy (rules *moment* and *overlap*).

A start is decided in the schedule's item before its execution is created. A worker that finds a decision that was not
carried out, carries it out. So of any number of calls for one moment, with a crash anywhere, one execution comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from stepfast.engine import schedule_items as items
from stepfast.engine.pausing import is_held
from stepfast.engine.ports import Clock, Store
from stepfast.engine.schedule_items import Moment, Overlap, ScheduleItem, ScheduleTarget
from stepfast.engine.starting import Started
from stepfast.errors import ExecutionConflict, ExecutionNotFound, InvalidRequest, Refused, WrongStatus
from stepfast.model import Execution
from stepfast.records import dataclass

log = logging.getLogger(__name__)

SOONEST_LOOK_SECONDS, LATEST_LOOK_SECONDS = 5.0, 60.0
"""Bounds of the seconds after which a waiting moment is looked at again: a quarter of the time that it has waited."""

Change = Callable[[ScheduleItem], ScheduleItem]
OutcomeKind = Literal["started", "waiting", "skipped", "missed"]


@dataclass(frozen=True, slots=True)
class MomentOutcome:
    """What became of a moment.

    execution_id: of the execution that it has started, or would start. created: whether it was not there before this
    call. why: for what was skipped. look_at: when to look again at what waits.
    """

    kind: OutcomeKind
    execution_id: str
    created: bool = False
    why: str = ""
    look_at: float | None = None


class StartsAndCancels(Protocol):
    """What this needs of the operations on executions."""

    async def start(
        self, workflow: str, input: Any, execution_id: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Started: ...
    async def cancel(self, execution_id: str) -> Execution: ...


class ScheduledStarts:
    """Decides about the moments of schedules. Any number of processes may call it for the same schedule."""

    def __init__(self, store: Store, clock: Clock, operations: StartsAndCancels) -> None:
        self._store, self._clock, self._operations = store, clock, operations

    async def take(self, target: ScheduleTarget, moment: Moment, overlap: Overlap | None = None) -> MomentOutcome:
        """Starts the execution of a moment, or decides that it waits or starts nothing. Safe to repeat.

        overlap: in place of the policy of the target. Raises what Operations.start raises. The moment is then open,
        and another call decides about it.
        """
        policy, is_new = overlap or target.overlap, False
        while True:
            item = await self._store.schedules.read(target.schedule)
            outcome = await self._known(target, item, moment)
            if outcome is not None:
                return replace(outcome, created=outcome.created or (is_new and outcome.kind == "started"))
            if policy == "allow":
                return await self._allow(target, item, moment)
            if await self._store.read(moment.id) is not None:
                return MomentOutcome("started", moment.id)
            is_new = True
            if item.unbegun:
                await self._begin_all(target, item)
                continue
            running = await self._running(item)
            changed = self._decided(item, moment, policy, running)
            await self._write(changed.seen(moment), item)  # The next turn reads what stands now, and carries it out.

    async def look(self, target: ScheduleTarget) -> float | None:
        """Starts the first moment in line once nothing runs. Returns when to look again; None if none waits.

        It also carries out what was decided by a process that has died.
        """
        while True:
            item = await self._store.schedules.read(target.schedule)
            if item.unbegun:
                await self._begin_all(target, item)
                continue
            first = item.next_waiting
            if first is None or await self._running(item):
                break
            await self._write(items.claimed(item, first), item)
        return _next_look(item.waiting[0], self._clock.now()) if item.waiting else None

    async def backfill(
        self, target: ScheduleTarget, moments: Sequence[Moment], overlap: Overlap
    ) -> list[MomentOutcome]:
        """Starts the executions of many moments ("allow"), or puts them into the line ("wait"). Safe to repeat."""
        if overlap == "wait":
            return await self._line_up(target, moments)
        outcomes = list[MomentOutcome]()
        for moment in moments:
            outcomes.append(await self._start(target, moment))
        await self._remember(
            target, [moment for moment, outcome in zip(moments, outcomes, strict=True) if outcome.created]
        )
        return outcomes

    # -- one moment ----------------------------------------------------------------------------------------------

    async def _known(self, target: ScheduleTarget, item: ScheduleItem, moment: Moment) -> MomentOutcome | None:
        """What was decided about a moment before; also for one that falls into a pause."""
        if (start := items.found(item.started, moment.id)) is not None:
            return MomentOutcome("started", start.id) if start.begun else await self._begin(target, start)
        if (skip := items.found(item.skipped, moment.id)) is not None:
            return MomentOutcome("skipped", skip.id, why=skip.why)
        if items.found(item.waiting, moment.id) is not None:
            look_at = await self.look(target)
            item = await self._store.schedules.read(target.schedule)
            if items.found(item.waiting, moment.id) is None:
                return await self._known(target, item, moment)
            return MomentOutcome("waiting", moment.id, look_at=look_at)
        if item.misses(moment):
            log.info("schedule %s starts nothing at %s: it was paused", target.schedule, items.stamp(moment.at))
            if item.seen(moment) != item:
                await self._write(item.seen(moment), item)
            return MomentOutcome("missed", moment.id)
        return None

    def _decided(self, item: ScheduleItem, moment: Moment, policy: Overlap, running: Sequence[str]) -> ScheduleItem:
        """The item with what the policy says of a new moment."""
        if policy == "wait":
            clock_fits = len(item.waiting) < items.MOST_WAITING
            return items.in_line(item, moment) if clock_fits else items.skipped(item, moment, "too many wait")
        if item.is_late(moment):
            return items.skipped(item, moment, "a later moment came first")
        if not running or policy == "replace":
            return items.claimed(item, moment, tuple(running))
        return items.skipped(item, moment, f"{running[0]} is RUNNING")

    async def _allow(self, target: ScheduleTarget, item: ScheduleItem, moment: Moment) -> MomentOutcome:
        outcome = await self._start(target, moment)
        if outcome.kind == "skipped":
            await self._change(target, lambda item: items.skipped(item, moment, outcome.why).seen(moment))
        elif outcome.created or not item.is_late(moment):  # not for a message that comes again after a long time
            await self._remember(target, [moment])
        return outcome

    # -- carrying out --------------------------------------------------------------------------------------------

    async def _begin_all(self, target: ScheduleTarget, item: ScheduleItem) -> None:
        for moment in reversed(item.unbegun):
            await self._begin(target, moment)

    async def _begin(self, target: ScheduleTarget, moment: Moment) -> MomentOutcome:
        """Carries out a decision to start: cancels what it replaces, creates the execution, and marks it."""
        for earlier in moment.replaces:
            try:
                await self._operations.cancel(earlier)
            except (WrongStatus, ExecutionNotFound):
                pass  # It has ended meanwhile.
        try:
            outcome = await self._start(target, moment)
        except Refused:
            # Nothing can start: the moment is open again, and holds no other up.
            await self._change(target, lambda item: items.unclaimed(item, moment.id))
            raise
        if outcome.kind == "skipped":
            await self._change(
                target, lambda item: items.skipped(items.unclaimed(item, moment.id), moment, outcome.why)
            )
        else:
            await self._change(target, lambda item: items.begun(item, moment.id))
        return outcome

    async def _start(self, target: ScheduleTarget, moment: Moment) -> MomentOutcome:
        labels = {"schedule": target.schedule, **target.labels}
        try:
            started = await self._operations.start(target.workflow, target.input, moment.id, labels)
        except ExecutionConflict:
            # Its id is taken: by this moment, with the input that the schedule had before, or by somebody's own start.
            log.warning("execution %s is there already, with another workflow or input", moment.id)
            return MomentOutcome("started", moment.id)
        became = started.execution.execution_id
        if became != moment.id:  # By the start options of the workflow, which hold for every start.
            why = f"{became} is RUNNING" if started.into == "skipped" else f"it became a part of {became}"
            log.info("schedule %s starts nothing at %s: %s", target.schedule, items.stamp(moment.at), why)
            return MomentOutcome("skipped", became, why=why)
        return MomentOutcome("started", moment.id, started.created)

    async def _running(self, item: ScheduleItem) -> list[str]:
        """The executions of the last starts that are RUNNING or held with their workflow, newest first."""
        ids = [moment.id for moment in item.started]
        executions = await self._store.read_many(ids) if ids else []
        running = {execution.execution_id for execution in executions if _runs(execution)}
        return [id for id in ids if id in running]

    # -- many moments --------------------------------------------------------------------------------------------

    async def _line_up(self, target: ScheduleTarget, moments: Sequence[Moment]) -> list[MomentOutcome]:
        ids = [moment.id for moment in moments]
        existing = {execution.execution_id for execution in await self._store.read_many(ids)}
        new = [moment for moment in moments if moment.id not in existing]
        await self._change(target, lambda item: _with_line(item, new))
        await self.look(target)
        item = await self._store.schedules.read(target.schedule)
        waiting = {moment.id for moment in item.waiting}
        return [
            MomentOutcome("waiting" if id in waiting else "started", id, id not in existing | waiting) for id in ids
        ]

    async def _remember(self, target: ScheduleTarget, moments: Sequence[Moment]) -> None:
        def change(item: ScheduleItem) -> ScheduleItem:
            for moment in moments:
                item = items.begun(items.claimed(item, moment), moment.id).seen(moment)
            return item

        await self._change(target, change)

    # -- writing -------------------------------------------------------------------------------------------------

    async def _change(self, target: ScheduleTarget, change: Change) -> ScheduleItem:
        return await change_item(self._store, target.schedule, change)

    async def _write(self, item: ScheduleItem, before: ScheduleItem) -> ScheduleItem | None:
        return await self._store.schedules.write(item, before.version)


async def change_item(store: Store, name: str, change: Change) -> ScheduleItem:
    """Writes what `change` makes of the item as it stands, and returns it; nothing is written where it is the same."""
    while True:
        item = await store.schedules.read(name)
        changed = change(item)
        if changed == item:
            return item
        written = await store.schedules.write(changed, item.version)
        if written is not None:
            return written


def _with_line(item: ScheduleItem, moments: Sequence[Moment]) -> ScheduleItem:
    """The item with moments in its line, unless they start already. Raises InvalidRequest if there is no room."""
    new = [moment for moment in moments if items.found(item.started, moment.id) is None]
    lined = items.in_line(item, *new)
    if len(lined.waiting) > items.MOST_WAITING:
        raise InvalidRequest(
            f"{len(item.waiting)} moments of schedule {item.name!r} wait, and {items.MOST_WAITING} may: ask for fewer"
        )
    return lined


def _next_look(first: Moment, now: float) -> float:
    waited = max(0.0, now - first.decided_at)
    return now + min(LATEST_LOOK_SECONDS, max(SOONEST_LOOK_SECONDS, waited / 4))


def _runs(execution: Execution) -> bool:
    """Whether it is RUNNING, or held with its workflow: it will run once that is unpaused."""
    return execution.status == "RUNNING" or is_held(execution)
