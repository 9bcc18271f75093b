"""The end of an execution, as advancer and worker both write it (rule 10)."""

from __future__ import annotations

from dataclasses import replace

from stepfast.failure import causes_of, failure_of
from stepfast.figures import tallies_of
from stepfast.model import Execution, Message
from stepfast.ports import Clock, Queue, Store
from stepfast.replay import Replay


async def finish(store: Store, queue: Queue, clock: Clock, execution: Execution, replay: Replay) -> bool:
    """Writes what the replay came to; False when another has ended or resumed the execution meanwhile.

    A failure is parked before it is written: a crash between the two leaves a message that finds the
    execution still running, which is harmless, and never a failure without its dead letter.
    """
    if replay.error is None:
        ended = replace(execution, status="SUCCEEDED", result=replay.result, ended_at=clock.now())
        return await store.finish(ended, tallies_of(ended, replay.records.values()))
    park = Message("park", execution.execution_id, "", execution.generation)
    await queue.send([(park, None)])
    ended = replace(
        execution,
        status="FAILED",
        error=failure_of(replay),
        causes=causes_of(replay),
        ended_at=clock.now(),
    )
    return await store.finish(ended, tallies_of(ended, replay.records.values()))
