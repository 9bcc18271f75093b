"""Continues an execution as a new run, with the input that its code has raised ContinueAsNew with (rule *runs*)."""

from __future__ import annotations

from dataclasses import replace

from stepfast.engine.metrics import STEP, tallies_of
from stepfast.engine.ports import Clock, NextRun, Store
from stepfast.model import Execution
from stepfast.replay.replay import Replay


async def continue_as_new(store: Store, clock: Clock, execution: Execution, replay: Replay) -> bool:
    """Begins the next run; False when another has ended, resumed or continued the execution meanwhile."""
    return await store.continue_as_new(next_run(execution, replay, clock.now()))


def next_run(execution: Execution, replay: Replay, now: float) -> NextRun:
    """What the run of a finished replay hands over.

    Only signals that the code has seen stay behind. A wait may have a record and the code may have continued without
    looking at it: the signal of that record goes along.
    """
    generation = execution.generation + 1
    begun = replace(
        execution,
        input=replay.continues or "null",
        generation=generation,
        first_generation=generation,
        run=execution.run + 1,
        began_at=now,
        resumed_at=None,
        progress=None,
    )
    ended = replace(execution, status="SUCCEEDED", continued=True, ended_at=now)
    taken = [signal for id in replay.seen if (signal := replay.records[id].signal) is not None]
    counts = tallies_of(ended, replay.records.values())
    return NextRun(begun, ended, taken, {name: tally for name, tally in counts.items() if name.startswith(STEP)})
