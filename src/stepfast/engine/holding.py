"""Holds executions that begin while their workflow is paused, and lets them go (rule *held start*).

A held execution is PAUSED before it has begun, with the intervention `hold`. So it is listed, cancelled, unpaused and
deleted as any PAUSED one is, holds no slot, and costs no visit of the sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.pausing import Pausing, note_of
from stepfast.engine.ports import Clock, Store
from stepfast.engine.workflow_pauses import WorkflowPause
from stepfast.model import Execution
from stepfast.standing import Intervention

PAUSES_KEPT_SECONDS = 5.0
"""Seconds for which a process of AWS goes by what it has read of paused workflows."""


class Holding:
    """Holds executions of one process.

    kept: seconds for which what was read of paused workflows counts. Without a pause, a beginning reads nothing
    meanwhile.
    """

    def __init__(self, store: Store, clock: Clock, kept: float = 0.0) -> None:
        self._store, self._clock, self._kept = store, clock, kept
        self._pausing = Pausing(store, clock)
        self._read: tuple[float, Mapping[str, WorkflowPause]] | None = None

    async def holds(self, execution: Execution, *, begun: bool = False) -> bool:
        """Whether an execution that is about to begin is held instead, since its workflow is paused; then it is PAUSED.

        One that somebody has unpaused, resumed, forked or cancelled goes on, and so does a later run. An execution that
        was started before the pause has begun already, unless it waits for its turn or its moment.
        """
        if begun or not is_untouched(execution):
            return False
        pause = await self._pause_of(execution.workflow)
        if pause is None or (not execution.waits and _began_at(execution) < pause.at):
            return False
        start = execution.start
        if start is not None and start.throttle is not None and not start.waits:
            # An execution that is let go reserves a moment then: all that were held would begin at once otherwise.
            waits = replace(start, waits=True)
            if not await self._store.begin(execution, waits):
                return True  # Somebody has just changed it; the wake of that write comes back here.
            execution = replace(execution, start=waits)
        hand = Intervention("hold", self._clock.now(), pause.by, pause.why)
        turn = StatusTurn(execution, replace(execution, status="PAUSED", intervention=hand), wake=True, untouched=True)
        await self._store.intervene(turn)
        return True

    async def follow(self, execution: Execution) -> bool:
        """Has somebody let a held execution go: the job of the next unpause, or this call. True for a held one.

        The wake of the hold comes here. An unpause ends the pause, and then its job reads the notes. The note is
        written before the look, so either that job reads the note, or this look finds that nothing is paused.
        """
        note = note_of(execution)
        if note is None:
            return False
        await self._store.workflow_pauses.note_held(note)
        if execution.workflow not in await self._store.workflow_pauses.all(settled=True):
            await self._pausing.release_held(execution.execution_id, None)
        return True

    async def _pause_of(self, workflow: str) -> WorkflowPause | None:
        now = self._clock.now()
        if self._read is None or not self._read[0] <= now < self._read[0] + self._kept:
            self._read = (now, await self._store.workflow_pauses.all())
        return self._read[1].get(workflow)


def is_untouched(execution: Execution) -> bool:
    """Whether no operator has done anything to it, and it is in its first run and generation."""
    first = execution.run == 1 and execution.generation == execution.first_generation
    return first and execution.intervention is None and execution.forked is None


def _began_at(execution: Execution) -> float:
    begins_at = execution.start.begins_at if execution.start is not None else None
    return max(execution.created_at, begins_at or 0.0)
