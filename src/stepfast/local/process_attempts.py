"""Runs an attempt of a `def` step in a process of its pool, watched like an attempt in a thread.

A process can be ended, which a thread cannot. So an attempt past its timeout does not run on, and the death of the
process ends its attempt only.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from stepfast.engine.step_runner import WATCH, AttemptCall, Ended, cut_off
from stepfast.errors import StepCancelled, StepInterrupted, StepTimeout
from stepfast.local.pool_calls import PoolCall, ProcessDied, next_number
from stepfast.local.pool_errors import exception_of
from stepfast.local.pool_messages import CallDone, RunStep
from stepfast.local.pool_process import key_of
from stepfast.local.process_pool import ProcessPool
from stepfast.model import Stop

LOST_SECONDS = 5.0
"""The time that an attempt has to stop at `heartbeat()` if its outcome is not wanted. Then its process is ended."""


async def run_in_process(pool: ProcessPool, attempt: AttemptCall) -> Ended | None:
    """Runs an attempt to its end. Its timeout begins when a process has it.

    Returns None if the processes do not find the step.
    """
    step = attempt.step
    period = WATCH if step.heartbeat is None else min(WATCH, step.heartbeat / 3)
    call = _call_of(attempt, period)
    pool.submit(call)
    beaten, stop = time.monotonic(), None
    while True:
        now = time.monotonic()
        left = period if call.began_at is None else call.began_at + step.timeout - now
        waits: set[asyncio.Future[Any]] = {call.ended}
        if attempt.pulse.interrupted is None:
            waits.add(attempt.pulse.alarm())
        await asyncio.wait(waits, timeout=max(0.0, min(left, period)), return_when=asyncio.FIRST_COMPLETED)
        if call.end is not None:
            return _end_of(attempt, call.end, stop)
        now, began = time.monotonic(), call.began_at
        alive, attempt.pulse.beaten = attempt.pulse.beaten or began is None, False
        if alive:
            beaten = now
        # The watch extends the lease of a call that waits for a process.
        stop = attempt.pulse.interrupted or await attempt.watch(alive)
        if stop is not None and pool.remove(call):
            return cut_off(replace(stop, unbegun=True))
        _tell(pool, call, stop)
        if stop is not None and stop.leave:
            return await _ended(pool, attempt, call) or cut_off(stop)
        if stop is not None and stop.lost:
            pool.end_later(call, LOST_SECONDS)
            return cut_off(stop)
        if began is not None and now >= began + step.timeout:
            return await _late(pool, attempt, call, f"no result within {step.timeout:g} s")
        if step.heartbeat is not None and now >= beaten + step.heartbeat:
            return await _late(pool, attempt, call, f"no heartbeat for {step.heartbeat:g} s")


def _call_of(attempt: AttemptCall, period: float) -> PoolCall:
    context = attempt.context
    request = RunStep(
        number=next_number(),
        key=key_of(attempt.step),
        input=attempt.input,
        execution_id=context.execution_id,
        step_id=context.step_id,
        attempt=context.attempt,
        generation=context.generation,
        deadline_at=context.deadline_at,
        idempotency_key=context.idempotency_key,
        beat_seconds=period / 2,
        run=context.run,
        began_at=context.began_at,
        reported=context.reported,
        carrier=context.carrier,
    )
    return PoolCall(request, attempt.pulse)


def _tell(pool: ProcessPool, call: PoolCall, stop: Stop | None) -> None:
    """Says what the next heartbeat raises; without a stop, that the attempt may go on after all."""
    reason = None if stop is None else stop.reason
    if call.stopped != reason:
        call.stopped = reason
        pool.ring()


async def _ended(pool: ProcessPool, attempt: AttemptCall, call: PoolCall) -> Ended | None:
    """Ends the process of a call. Returns the end of the attempt, if it has ended by itself just before."""
    if call.end is None:
        await pool.end(call)
    return _end_of(attempt, call.end, None) if isinstance(call.end, CallDone) else None


async def _late(pool: ProcessPool, attempt: AttemptCall, call: PoolCall, reason: str) -> Ended:
    ended = await _ended(pool, attempt, call)
    return ended or Ended(error=StepTimeout(f"{reason}; its process was ended"))


def _end_of(attempt: AttemptCall, end: CallDone | ProcessDied, stop: Stop | None) -> Ended | None:
    match end:
        case ProcessDied(cause):
            final = stop is not None and stop.final
            return Ended(error=StepInterrupted(cause), stop=Stop(cause, final=final, crashed=True))
        case CallDone(unknown=True):
            return None
        case CallDone(raised=None):
            return Ended(output=end.output)
        case CallDone():
            assert end.raised is not None
            error = exception_of(end.raised, attempt.step.retry)
            if stop is not None and isinstance(error, StepCancelled):
                return cut_off(stop)
            return Ended(error=error, failure=end.failure)
