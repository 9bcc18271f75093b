"""Ends executions by hand: at once, or after their code has cleaned up (rules *cancel*, *clean up*)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from stepfast.engine import caller
from stepfast.engine.history import intervention_event
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.metrics import tallies_of
from stepfast.engine.pausing import note_of
from stepfast.engine.ports import Clock, End, Store
from stepfast.engine.queries import ReadOperations
from stepfast.errors import Unavailable, WrongStatus
from stepfast.model import UNDER_WAY, Event, Execution, OrderEntry, Record, Snapshot
from stepfast.replay.cancelling import CancelMark, is_cancelled
from stepfast.replay.commands import Command
from stepfast.replay.failures import failure_of
from stepfast.replay.replay import Replay
from stepfast.standing import Intervention

CLEANUP_SECONDS = 60.0
"""Seconds that a cancelled execution's code may clean up, unless the caller says otherwise."""
LOOK_AGAIN_SECONDS = 0.1


class Cancelling:
    """Ends executions that are RUNNING or PAUSED."""

    def __init__(self, store: Store, clock: Clock, reading: ReadOperations) -> None:
        self._store, self._clock, self._reading = store, clock, reading

    async def terminate(
        self, execution_id: str, why: str | None = None, action: Literal["cancel", "terminate"] | None = "terminate"
    ) -> Execution:
        """As Operations.terminate. action: what an operator has asked for; None where the parent ends its child."""
        while True:
            snapshot = await self._under_way(execution_id)
            execution, now = snapshot.execution, self._clock.now()
            hand = execution.intervention
            if action is not None:
                cleanup = hand.cleanup if hand is not None else None
                hand = Intervention(action, now, caller.who(), why, cleanup=cleanup)
            ended = replace(execution, status="CANCELLED", ended_at=now, intervention=hand)
            replay = self._reading.replay(snapshot)
            asked = replay.outstanding.values() if replay is not None and not replay.finished else ()
            if await _end(self._store, ended, snapshot, asked):
                await self._forget(execution)
                return ended

    async def cancel(self, execution_id: str, why: str | None = None, cleanup: float = CLEANUP_SECONDS) -> Execution:
        """As Operations.cancel.

        The code is run with the cancel first. If it ends there, having nothing to clean up, so does the execution.
        """
        while True:
            snapshot = await self._under_way(execution_id)
            if is_cancelled(snapshot.cursor.applied):
                return snapshot.execution
            if snapshot.execution.waits:  # None of its code has run.
                return await self.terminate(execution_id, why, "cancel")
            replay = self._reading.open_replay(snapshot)
            if replay is not None and replay.stale:
                replay.close()
                await self._clock.sleep(LOOK_AGAIN_SECONDS)
                continue
            turn = None if replay is None else self._turn(snapshot, replay, why, cleanup)
            if turn is None:
                return await self.terminate(execution_id, why, "cancel")
            if await self._store.intervene(turn):
                await self._forget(snapshot.execution)
                return turn.after

    async def _forget(self, before: Execution) -> None:
        """Deletes the note of an execution that was held. If a crash comes before, the job of the next unpause does."""
        if (note := note_of(before)) is not None:
            await self._store.workflow_pauses.forget_held(note)

    def _turn(self, snapshot: Snapshot, replay: Replay, why: str | None, cleanup: float) -> StatusTurn | None:
        """Puts the cancel into the order, in a new generation; None where the code has nothing to clean up."""
        execution, cursor, now = snapshot.execution, snapshot.cursor, self._clock.now()
        mark = CancelMark(len(replay.taken), now, cleanup)
        try:
            if not replay.finished:
                replay.advance({}, (*replay.applied, mark.id))
            if replay.finished:
                return None
            if chained := [id for id in replay.outstanding if id in replay.chained and id not in snapshot.records]:
                # Its worker has no record that a new generation could know it by. It has one when the step has ended.
                raise Unavailable(f"{chained[0]!r} is shielded from the cancel, and is just running; try again")
            hand = Intervention("cancel", now, caller.who(), why, cleanup=cleanup)
            entry = OrderEntry(
                cursor.revision,
                execution.generation + 1,
                applied=tuple(replay.applied[len(cursor.applied) :]),  # with answers of `patched` on the way
                withdrawn=tuple(replay.withdrawn),
                cut=len(cursor.applied),
            )
        finally:
            replay.close()
        after = replace(execution, status="RUNNING", generation=entry.generation, intervention=hand)
        before = execution.intervention
        events = [intervention_event(before)] if before is not None and execution.status == "PAUSED" else []
        details = {**intervention_event(hand).details, "cleanup": cleanup}
        return StatusTurn(
            execution, after, entry, [*events, Event(now, "execution-cancelling", None, details)], wake=True
        )

    async def _under_way(self, execution_id: str) -> Snapshot:
        snapshot = await self._reading.load(execution_id)
        status = snapshot.execution.status
        if status not in UNDER_WAY:
            text = f"execution {execution_id!r} is {status}: only a RUNNING or PAUSED one can be cancelled"
            raise WrongStatus(text, status)
        return snapshot


async def end_cleaned_up(store: Store, clock: Clock, execution: Execution, replay: Replay) -> bool:
    """Ends an execution whose code was cancelled, and has ended since; False if another has ended or paused it.

    The execution is CANCELLED, whatever the code has returned or raised. A failure of the clean-up is its error.
    """
    while True:
        snapshot = await store.load(execution.execution_id, signals=False)
        if snapshot is None:
            return False
        held = snapshot.execution
        if (held.status, held.generation, held.run) != ("RUNNING", execution.generation, execution.run):
            return False
        clean = replay.error is None or isinstance(replay.error, asyncio.CancelledError)
        error = None if clean else failure_of(replay)
        ended = replace(held, status="CANCELLED", ended_at=clock.now(), error=error)
        # Commands that were taken back must not begin any more, nor those that a chain has claimed meanwhile.
        if await _end(store, ended, snapshot, [*replay.issued.values(), *_chained(snapshot)]):
            return True


def _chained(snapshot: Snapshot) -> Iterator[Command]:
    """Steps that were claimed with the outcome of another and have no record, whether the code asks for them or not."""
    for record in snapshot.records.values():
        if record.then is not None and record.then.id not in snapshot.records:
            name = record.then.id.rpartition("/")[2].partition("#")[0]
            yield Command(record.then.id, "step", name, None)


async def _end(store: Store, ended: Execution, snapshot: Snapshot, asked: Iterable[Command]) -> bool:
    """Writes the end with a CANCELLED record for every command without an outcome. asked: commands of the code."""
    stored: Mapping[str, Record] = snapshot.records
    at = ended.ended_at
    records = [
        replace(record, status="CANCELLED", revision=record.revision + 1, ended_at=at, lease=None, due=None)
        for record in stored.values()
        if not record.recorded
    ]
    unstored = {command.id: command for command in asked if command.id not in stored}
    records += [
        Record(id, command.kind, command.name, "CANCELLED", ended.generation, input=command.input, ended_at=at)
        for id, command in unstored.items()
    ]
    childless = not any(record.kind == "child" for record in (*records, *stored.values()))
    end = End(
        ended,
        tallies_of(ended, stored.values()),
        wake=ended.is_awaited or not childless,
        childless=childless,
    )
    return await store.cancel(end, records, snapshot.cursor.revision)
