"""One pass over an execution: load, replay, take signals, dispatch what is new, mark (rule 2)."""

from __future__ import annotations

import logging
from dataclasses import replace

from stepfast.errors import InvalidRequest
from stepfast.finish import finish
from stepfast.model import Cursor, Message, MessageKind, Record, Signal, Snapshot
from stepfast.ports import Clock, Queue, Store
from stepfast.registry import Registry
from stepfast.replay import Command, Replay

log = logging.getLogger(__name__)


class Advancer:
    """Extends the order of results and sends what is outstanding; any number of passes is harmless."""

    def __init__(self, store: Store, queue: Queue, clock: Clock, registry: Registry) -> None:
        self._store, self._queue, self._clock, self._registry = store, queue, clock, registry

    async def advance(self, execution_id: str, *, resend: bool = False) -> None:
        """Advances until nothing is left to decide; `resend` sends again what was sent before (rule 13).

        An execution whose workflow is not deployed is left as it is: it waits for a deployment that
        has the workflow, and the sweep finds it then.
        """
        while True:
            snapshot = await self._store.load(execution_id)
            if snapshot is None or snapshot.execution.status != "RUNNING":
                return
            workflow = self._registry.get(snapshot.execution.workflow)
            if workflow is None:
                log.warning(
                    "execution %s waits: its workflow %r is not deployed here",
                    execution_id,
                    snapshot.execution.workflow,
                )
                return
            replay = Replay(workflow, snapshot.execution)
            try:
                replay.advance(snapshot.records, snapshot.cursor.applied, extend=True)
                if await self._pass(snapshot, replay, resend):
                    return
            finally:
                replay.close()

    async def _pass(self, snapshot: Snapshot, replay: Replay, resend: bool) -> bool:
        """True when done, False to start over on what is stored by now."""
        execution, cursor = snapshot.execution, snapshot.cursor
        decided = len(replay.applied) == len(cursor.applied)
        if replay.finished and decided:
            await finish(self._store, self._queue, self._clock, execution, replay)
            return True
        if replay.stale:
            return False
        if (taken := self._take_signal(snapshot, replay)) is not None:
            await self._store.put_record(execution.execution_id, taken, wake=True)
            return False
        sent = await self._dispatch(snapshot, replay, resend)
        if decided and len(replay.outstanding) <= 1:
            return True  # no choice was made and none is open: nothing to remember
        return await self._mark(snapshot, replay, sent)

    def _take_signal(self, snapshot: Snapshot, replay: Replay) -> Record | None:
        """The record of the first wait that a stored signal ends; it names the signal that it took."""
        if not snapshot.signals or replay.finished:
            return None
        taken = {record.signal for record in snapshot.records.values()}
        free = sorted(
            (one for one in snapshot.signals if one.signal_id not in taken),
            key=lambda one: (one.received_at, one.signal_id),
        )
        for command in replay.outstanding.values():
            record = snapshot.records.get(command.id)
            if command.kind != "signal" or (record is not None and record.recorded):
                continue
            for signal in free:
                if signal.name == command.name and _fits(command, signal):
                    return Record(
                        command.id,
                        "signal",
                        command.name,
                        "SUCCEEDED",
                        snapshot.execution.generation,
                        revision=record.revision + 1 if record else 1,
                        output=signal.payload,
                        signal=signal.signal_id,
                        first_at=command.issued_at,
                        ended_at=self._clock.now(),
                    )
        return None

    async def _dispatch(self, snapshot: Snapshot, replay: Replay, resend: bool) -> frozenset[str]:
        """Sends a message for each command that is outstanding and not under way; returns their ids."""
        generation = snapshot.execution.generation
        under_way: set[str] = set()
        if not resend:
            under_way |= snapshot.cursor.dispatched if snapshot.cursor.generation == generation else set()
        now = self._clock.now()
        for record in snapshot.records.values():
            chained = record.then
            if chained and chained.generation == generation and not (resend and chained.lease <= now):
                under_way.add(chained.id)
            if record.generation == generation and record.status != "OPEN":
                overdue = max(record.lease or 0.0, record.due or 0.0) <= now
                if record.recorded or not (resend and overdue):
                    under_way.add(record.id)
        due = [
            command
            for command in ([] if replay.finished else replay.outstanding.values())
            if command.kind != "signal" and command.id not in under_way
        ]
        if due:
            await self._queue.send([(_message(snapshot, command), command.due) for command in due])
        return frozenset(command.id for command in due)

    async def _mark(self, snapshot: Snapshot, replay: Replay, sent: frozenset[str]) -> bool:
        """Writes order and dispatched ids in one compare-and-set, after the sends: marked means sent."""
        cursor, generation = snapshot.cursor, snapshot.execution.generation
        before = cursor.dispatched if cursor.generation == generation else frozenset()
        marked = Cursor(tuple(replay.applied), before | sent, generation, cursor.revision)
        if marked == cursor:
            return True
        marked = replace(marked, revision=cursor.revision + 1)
        won = await self._store.put_cursor(snapshot.execution.execution_id, marked)
        return won and not replay.finished


def _fits(command: Command, signal: Signal) -> bool:
    assert command.codec is not None
    try:
        command.codec.decode(signal.payload)
    except InvalidRequest:
        return False
    return True


def _message(snapshot: Snapshot, command: Command) -> Message:
    kind: MessageKind = "timer" if command.kind == "timer" else "step"
    pool = command.step.pool if command.step else "default"
    return Message(kind, snapshot.execution.execution_id, command.id, snapshot.execution.generation, pool)
