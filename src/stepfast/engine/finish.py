"""The end of an execution, as advancer and worker both write it (rule *finish and park*)."""

from __future__ import annotations

import dataclasses
import secrets

from stepfast.engine.cancelling import end_cleaned_up
from stepfast.engine.continuing import continue_as_new
from stepfast.engine.late_failures import LateFailure
from stepfast.engine.messages import BY_GATE, Message
from stepfast.engine.metrics import tallies_of
from stepfast.engine.ports import Clock, End, Queue, Store
from stepfast.engine.showing import news_of, show
from stepfast.engine.update_answers import record_answers
from stepfast.model import Execution
from stepfast.replay.children import has_open_child
from stepfast.replay.failures import causes_of, failure_of
from stepfast.replay.replay import Replay
from stepfast.unguarded import replace


async def finish(store: Store, queue: Queue, clock: Clock, execution: Execution, replay: Replay) -> bool:
    """Writes what the replay came to; False when another has ended, resumed or continued the execution meanwhile.

    That is the end of the execution, or the beginning of its next run. The answers of updates are written before.

    Of a root, a failure is parked before it is written: a crash between the two leaves a message that finds the
    execution still running, which is harmless, and never a failure without its dead letter.
    """
    if not await record_answers(store, clock, execution, replay):
        return False  # its wake brings an advance that goes on from here
    if replay.cancelled or replay.continues is not None:
        await show(store, execution, replay)
    if replay.cancelled:
        return await end_cleaned_up(store, clock, execution, replay)
    if replay.error is None and replay.continues is not None:
        return await continue_as_new(store, clock, execution, replay)
    if replay.error is None:
        return await store.finish(succeeded(execution, replay, clock.now()))
    late = LateFailure(store, queue, clock, execution, replay)
    await late.before_end()
    parked = None if execution.is_child else secrets.token_hex(8)
    if parked is not None:
        await queue.send([(_park(execution, parked), None)])
    ended = replace(
        execution,
        status="FAILED",
        error=dataclasses.replace(failure_of(replay), parked=parked),
        causes=causes_of(replay),
        ended_at=clock.now(),
    )
    end = End(ended, tallies_of(ended, replay.records.values()), execution.is_awaited, shown=news_of(execution, replay))
    written = await store.finish(end)
    await late.after_end()
    return written


def succeeded(execution: Execution, replay: Replay, now: float) -> End:
    """The end of a replay that has a result. It wakes a child, to report it, and a parent whose children may run."""
    ended = replace(execution, status="SUCCEEDED", result=replay.result, ended_at=now)
    childless = not has_open_child(replay.issued, replay.records)
    wake = execution.is_awaited or not childless
    return End(ended, tallies_of(ended, replay.records.values()), wake, childless, news_of(execution, replay))


def _park(execution: Execution, parked: str) -> Message:
    return Message("park", execution.execution_id, parked, execution.generation, run=execution.run)


def is_parked_by(execution: Execution, message: Message) -> bool:
    """Whether the failure was written by the sender of this park message.

    Of several that come to the same failure one writes it. The message of another, sent long after the failure
    was written, would else pass for an operator's redrive. Earlier versions gave no name.
    """
    named = message.command_id not in ("", BY_GATE)
    return execution.error is None or not named or execution.error.parked in (None, message.command_id)
