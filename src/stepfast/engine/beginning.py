"""Has executions begin that wait for the turn of their key, or a moment of their throttle (rules *turn*, *throttle*).

The holder of a key follows from the key's item and from the status of the execution that the item names. So the end of
an execution writes nothing to the item: the next start or advance that looks at it passes the key on. The wake of the
end makes sure that one does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from stepfast.engine.limit_items import LATE_SECONDS, reserved
from stepfast.engine.ports import Clock, Queue, Store
from stepfast.engine.start_items import (
    Hold,
    StartKey,
    begin_message,
    debounce_id,
    key_of,
    may_hold,
    place_of,
    throttle_id,
)
from stepfast.errors import ExecutionNotFound, WrongStatus
from stepfast.model import Execution
from stepfast.standing import StartInfo

Cancel = Callable[[str], Awaitable[object]]
Holds = Callable[[Execution], Awaitable[bool]]


class Beginning:
    """Begins executions, and passes the keys on of those that have ended.

    cancel: cancels an execution of an id, for those that replace others; None leaves that to others. holds: holds an
    execution whose workflow is paused, and says whether it has.
    """

    def __init__(
        self, store: Store, queue: Queue, clock: Clock, cancel: Cancel | None = None, holds: Holds | None = None
    ) -> None:
        self._store, self._queue, self._clock, self._cancel, self._holds_back = store, queue, clock, cancel, holds

    async def drive(self, execution: Execution) -> float | None:
        """Has a waiting execution begin if it may, with wake. Returns its moment, if that is yet to come.

        None: it has begun or ended, or whoever passes its key on sends it a message.
        """
        while True:
            start = execution.start
            assert start is not None
            due = start.begins_at is None or start.begins_at <= self._clock.now()
            if due and self._holds_back is not None and await self._holds_back(execution):
                return None
            id = key_of(execution)
            if id is not None and not await self._holds(execution, start, id):
                return None
            now = self._clock.now()
            if start.begins_at is not None and now < start.begins_at:
                return start.begins_at
            changed = replace(start, waits=False, begins_at=now)
            # A moment that has passed by is used by nobody: many executions that are late would begin at once.
            if start.throttle is not None and (start.begins_at is None or now > start.begins_at + LATE_SECONDS):
                moment = await reserved_moment(self._store, self._clock, execution.workflow, start)
                now = self._clock.now()
                changed = replace(start, begins_at=moment) if moment > now else replace(changed, begins_at=now)
            if await self._store.begin(execution, changed):
                await self._free(execution)
                return changed.begins_at if changed.waits else None
            # Another has been faster. Its moment counts, since both may be deliveries of one message.
            stored = await self._store.read(execution.execution_id)
            if stored is None or stored.status != "RUNNING" or not stored.waits:
                return None
            execution = stored

    async def release(self, execution: Execution) -> None:
        """Passes on the key of an execution that has ended, and takes it out of its line. Safe to repeat."""
        await self._free(execution)
        id = key_of(execution)
        if id is None:
            return
        if execution.waits:
            await self._store.starts.leave(id, place_of(execution))
        await self._pass_on(id)

    async def _free(self, execution: Execution) -> None:
        """Forgets that a start may become a part of this execution. If a crash comes before, the next start does so."""
        if execution.start is None or execution.start.debounce is None:
            return
        hold = await self._store.starts.hold(debounce_id(execution.workflow, execution.start.debounce))
        if hold.holder == execution.execution_id:
            await self._store.starts.pass_on(hold, "")

    async def _holds(self, execution: Execution, start: StartInfo, id: StartKey) -> bool:
        while True:
            hold = await self._store.starts.hold(id)
            if hold.holder == execution.execution_id:
                return True
            holder = await holder_of(self._store, hold)
            if holder is None:
                await self._pass_on(id, execution)
            elif start.into != "replaced" or self._cancel is None:
                return False
            else:
                try:
                    await self._cancel(holder.execution_id)
                except (WrongStatus, ExecutionNotFound):
                    continue  # It has just ended.
                if await holder_of(self._store, hold) is not None:
                    return False  # It cleans up. Its end passes the key on.

    async def _pass_on(self, id: StartKey, here: Execution | None = None) -> None:
        """Gives a key that nobody holds to the first of its line. here: the execution that needs no message."""
        while True:
            hold = await self._store.starts.hold(id)
            if await holder_of(self._store, hold) is not None:
                return
            heir = await self._first(id) or here
            if heir is None:
                if not hold.holder or await self._store.starts.pass_on(hold, ""):
                    return
                continue
            if here is None or heir.execution_id != here.execution_id:
                # Before the write: a crash in between leaves a message too many, not an execution that nobody brings.
                await self._queue.send([(begin_message(heir), None)])
            if await self._store.starts.pass_on(hold, heir.execution_id):
                await self._store.starts.leave(id, place_of(heir))
                return

    async def _first(self, id: StartKey) -> Execution | None:
        """The first of the line that waits; entries of others are dropped."""
        while (place := await self._store.starts.first(id)) is not None:
            execution = await self._store.read(place.execution_id)
            if execution is not None and may_hold(execution, id) and execution.waits:
                return execution
            await self._store.starts.leave(id, place)
        return None


async def holder_of(store: Store, hold: Hold) -> Execution | None:
    """The execution that holds a key; None where it has ended or is gone."""
    execution = await store.read(hold.holder) if hold.holder else None
    return execution if may_hold(execution, hold.id) else None


async def reserved_moment(store: Store, clock: Clock, workflow: str, start: StartInfo) -> float:
    """The next free moment of a throttle, which nobody else gets. If a crash follows, nobody uses it.

    If this process stalls until its moment has long passed, that is lost, and it takes another: those that come after
    would begin beside it otherwise.
    """
    id, numbers = throttle_id(workflow, start)
    while True:
        now = clock.now()
        item = await store.limits.read(id)
        taken, moment = reserved(item, numbers, now)
        written = await store.limits.write(replace(taken, changed_at=now), item.version)
        if written is not None and clock.now() <= moment + LATE_SECONDS:
            return moment
