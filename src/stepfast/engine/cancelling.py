"""Cancels executions: the end and a record for every command without an outcome, in one write (rule *cancel*)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from stepfast.engine import caller
from stepfast.engine.metrics import tallies_of
from stepfast.engine.ports import Clock, End, Store
from stepfast.engine.queries import ReadOperations
from stepfast.errors import WrongStatus
from stepfast.model import UNDER_WAY, Execution, Intervention, Record, Snapshot


class Cancelling:
    """Ends executions that are RUNNING or PAUSED."""

    def __init__(self, store: Store, clock: Clock, reading: ReadOperations) -> None:
        self._store, self._clock, self._reading = store, clock, reading

    async def terminate(
        self, execution_id: str, why: str | None = None, action: Literal["cancel", "terminate"] | None = "terminate"
    ) -> Execution:
        """As Operations.terminate. action: what an operator has asked for; None where the parent ends its child."""
        while True:
            snapshot = await self._reading.load(execution_id)
            execution = snapshot.execution
            if execution.status not in UNDER_WAY:
                raise WrongStatus(
                    f"execution {execution_id!r} is {execution.status}: only a RUNNING or PAUSED one can be cancelled",
                    execution.status,
                )
            now = self._clock.now()
            hand = Intervention(action, now, caller.who(), why) if action is not None else None
            ended = replace(execution, status="CANCELLED", ended_at=now, intervention=hand)
            records = self._cancelled(snapshot, now)
            childless = not any(record.kind == "child" for record in (*records, *snapshot.records.values()))
            end = End(
                ended,
                tallies_of(ended, snapshot.records.values()),
                wake=execution.link is not None or not childless,
                childless=childless,
            )
            if await self._store.cancel(end, records, snapshot.cursor.revision):
                return ended

    def _cancelled(self, snapshot: Snapshot, now: float) -> list[Record]:
        """A CANCELLED record for every command that is stored without an outcome, or only asked for."""
        records, generation = snapshot.records, snapshot.execution.generation
        stored = [
            replace(record, status="CANCELLED", revision=record.revision + 1, ended_at=now, lease=None, due=None)
            for record in records.values()
            if not record.recorded
        ]
        replay = self._reading.replay(snapshot)
        asked = [
            Record(
                command.id,
                command.kind,
                command.name,
                "CANCELLED",
                generation,
                input=command.input,
                ended_at=now,
            )
            for command in (replay.outstanding.values() if replay and not replay.finished else ())
            if command.id not in records
        ]
        return stored + asked
