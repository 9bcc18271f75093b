"""One pass over an execution: load, replay, take signals, dispatch what is new, mark (rule 2)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace

from stepfast.errors import InvalidRequest
from stepfast.finish import finish
from stepfast.model import Cursor, Execution, Message, MessageKind, Record, Signal, Snapshot
from stepfast.ports import Clock, Queue, Store
from stepfast.registry import Registry
from stepfast.replay import Command, Replay

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Live:
    """A replay that has come as far as this cursor and the records up to this mark."""

    replay: Replay
    cursor: Cursor
    mark: int

    def goes_on_with(self, snapshot: Snapshot | None) -> bool:
        return (
            snapshot is not None
            and snapshot.execution.status == "RUNNING"
            and snapshot.execution.generation == self.replay.execution.generation
            and snapshot.cursor == self.cursor
        )


class Advancer:
    """Extends the order of results and sends what is outstanding; any number of passes is harmless.

    Replays of executions with several commands outstanding are kept alive, and go on with what has
    changed since. They are a hint: used only while generation and cursor are as they left them, and
    dropped at will. `keep` is how many.
    """

    def __init__(self, store: Store, queue: Queue, clock: Clock, registry: Registry, keep: int = 200) -> None:
        self._store, self._queue, self._clock, self._registry = store, queue, clock, registry
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._keep = keep

    async def advance(self, execution_id: str, *, resend: bool = False) -> None:
        """Advances until nothing is left to decide; `resend` sends again what was sent before (rule 13).

        An execution whose workflow is not deployed is left as it is: it waits for a deployment that
        has the workflow, and the sweep finds it then.
        """
        while True:
            live = self._live.pop(execution_id, None)  # while it is used here, it is nobody else's
            snapshot = await self._store.load(execution_id, live.mark if live else 0)
            if live is not None and not live.goes_on_with(snapshot):
                live.replay.close()
                live, snapshot = None, await self._store.load(execution_id)
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
            replay = live.replay if live else Replay(workflow, snapshot.execution)
            kept = False
            try:
                replay.advance(snapshot.records, snapshot.cursor.applied, extend=True)
                done, cursor = await self._pass(snapshot, replay, resend)
                if done and len(replay.outstanding) > 1 and not replay.finished and cursor is not None:
                    kept = self._keep_live(execution_id, _Live(replay, cursor, snapshot.mark))
                if done:
                    return
            finally:
                if not kept:
                    replay.close()

    def forget(self) -> None:
        """Closes the replays that are kept; the next advances load what they need."""
        while self._live:
            self._live.popitem()[1].replay.close()

    def _keep_live(self, execution_id: str, live: _Live) -> bool:
        self._live[execution_id] = live
        if len(self._live) > self._keep:
            _, dropped = self._live.popitem(last=False)
            dropped.replay.close()
        return True

    async def _pass(self, snapshot: Snapshot, replay: Replay, resend: bool) -> tuple[bool, Cursor | None]:
        """True when done, False to start over on what is stored by now; and the cursor it left stored."""
        execution, cursor = snapshot.execution, snapshot.cursor
        decided = len(replay.applied) == len(cursor.applied)
        if replay.finished and decided:
            await finish(self._store, self._queue, self._clock, execution, replay)
            return True, None
        if replay.stale:
            return False, None
        if (taken := self._take_signal(snapshot, replay)) is not None:
            await self._store.put_record(execution.execution_id, taken, wake=True)
            return False, None
        due = self._due(snapshot, replay, resend)
        messages = [(_message(execution, command, len(replay.outstanding) > 1), command.due) for command in due]
        if decided and len(replay.outstanding) <= 1:
            if messages:
                await self._queue.send(messages)
            return True, None  # no choice was made and none is open: nothing to remember
        # Order and dispatched ids in one compare-and-set, after the sends: marked means sent.
        before = cursor.dispatched if cursor.generation == execution.generation else frozenset()
        asked = (before & replay.outstanding.keys()) | {command.id for command in due}
        marked = Cursor(tuple(replay.applied), asked, execution.generation, cursor.revision)
        if marked == cursor:
            if messages:  # sent and marked before, and lost since: sent again, with nothing to mark
                await self._queue.send(messages)
            return True, cursor
        marked = replace(marked, revision=cursor.revision + 1)
        won = await self._store.put_cursor(execution.execution_id, marked, messages)
        return won and not replay.finished, marked

    def _take_signal(self, snapshot: Snapshot, replay: Replay) -> Record | None:
        """The record of the first wait that a stored signal ends; it names the signal that it took."""
        if not snapshot.signals or replay.finished:
            return None
        taken = {record.signal for record in replay.records.values()}
        free = sorted(
            (one for one in snapshot.signals if one.signal_id not in taken),
            key=lambda one: (one.received_at, one.signal_id),
        )
        for command in replay.outstanding.values():
            record = replay.records.get(command.id)
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

    def _due(self, snapshot: Snapshot, replay: Replay, resend: bool) -> list[Command]:
        """The commands that are outstanding and not under way."""
        if replay.finished:
            return []
        generation, now = snapshot.execution.generation, self._clock.now()
        sent = frozenset[str]() if resend or snapshot.cursor.generation != generation else snapshot.cursor.dispatched

        def under_way(command: Command) -> bool:
            record = replay.records.get(command.id)
            if record is None or record.generation != generation or record.status == "OPEN":
                chained = replay.chained.get(command.id)
                return chained is not None and not (resend and chained.lease <= now)
            return record.recorded or not (resend and max(record.lease or 0.0, record.due or 0.0) <= now)

        return [
            command
            for command in replay.outstanding.values()
            if command.kind != "signal" and command.id not in sent and not under_way(command)
        ]


def _fits(command: Command, signal: Signal) -> bool:
    assert command.codec is not None
    try:
        command.codec.decode(signal.payload)
    except InvalidRequest:
        return False
    return True


def _message(execution: Execution, command: Command, hinted: bool) -> Message:
    """A step that has siblings is run alone, without a replay: its message carries what that takes."""
    kind: MessageKind = "timer" if command.kind == "timer" else "step"
    pool = command.step.pool if command.step else "default"
    hint = command if hinted and command.kind == "step" else None
    return Message(kind, execution.execution_id, command.id, execution.generation, pool, hint)
