"""Keeps the gates of limits: asks them before a step takes from its limits, and tells them how its attempt has ended.

A step that waits stands in the line of the gate's item, and sleeps. A ramp hands out the line by sending the messages
of the steps whose moments lie before its horizon; each step that passes looks whether more are to be handed out (rule
*ramp*).
"""

from __future__ import annotations

import logging
import math
import random
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepfast.engine import gates
from stepfast.engine.attempt import OwnedStep
from stepfast.engine.claims import LEASE_MARGIN
from stepfast.engine.gates import FailedBehind, GatePass, GateState, state_in, state_text
from stepfast.engine.limit_items import LimitId, LimitItem, Permit, Waiter, step_name
from stepfast.engine.limit_wants import Want
from stepfast.engine.limiting import SLEEP_SECONDS, StepWaits
from stepfast.engine.messages import BY_GATE, Message
from stepfast.engine.ports import Clock, Later, Queue, Store
from stepfast.engine.step_runner import Ended
from stepfast.errors import GiveUp, RetryAfter, StepTimeout, Unavailable
from stepfast.language.limits import Gate
from stepfast.language.retry import Retry, decide
from stepfast.language.steps import Step
from stepfast.model import Record
from stepfast.replay.commands import Command

log = logging.getLogger("stepfast.gates")

CHUNK = 25
"""Waiting steps that one write of a ramp hands out."""
LONGEST_HORIZON = 120.0
"""Seconds ahead for which a ramp hands out moments."""
NEAR_SECONDS = 30.0
"""A probe whose time is further away stays in the line: the gate may be opened by hand before that time."""
HELD_SECONDS = 1.0
"""Seconds until a step whose failure a gate has held comes to the gate again, to stand in its line."""


class GateKeeper:
    """Asks and tells the gates of the limits of steps."""

    def __init__(self, store: Store, queue: Queue, clock: Clock) -> None:
        self._store, self._queue, self._clock = store, queue, clock

    # -- before the attempt ----------------------------------------------------------------------------------------

    async def enter(
        self, wants: Sequence[Want], message: Message, sent_at: float, command: Command, record: Record | None
    ) -> tuple[GatePass, ...] | StepWaits:
        """The passes of a step through all its gates, or what becomes of its message. wants: of the step."""
        passes = list[GatePass]()
        for want in wants:
            if want.limit.gate is None:
                continue
            entered = await self._enter(want, message, sent_at, command, record)
            if isinstance(entered, StepWaits):
                return entered
            passes.append(entered)
        return tuple(passes)

    async def enter_open(self, wants: Sequence[Want]) -> tuple[GatePass, ...] | None:
        """The passes of the next step of a chain through gates that are open; None where it would have to wait."""
        passes = list[GatePass]()
        for want in wants:
            if want.limit.gate is not None:
                held = _pass(want)
                state = state_in((await self._store.limits.read(held.id)).gate)
                if state.status != "OPEN":
                    return None
                passes.append(replace(held, quiet=state == gates.EMPTY))
        return tuple(passes)

    async def _enter(
        self, want: Want, message: Message, sent_at: float, command: Command, record: Record | None
    ) -> GatePass | StepWaits:
        held, named = _pass(want), replace(message, command_id=command.id, permits=())
        name, revision = step_name(message.run_id, command.id), record.revision if record else 0
        # A step that was the probe, or was held, goes behind the others: one faulty step does not keep the gate closed.
        since = max(sent_at, (record.due or 0.0) if record is not None and record.status == "RETRYING" else 0.0)
        assert command.step is not None
        waiter = Waiter("", want.priority, since, name, named, revision, command.step.timeout + LEASE_MARGIN)
        while True:
            now = self._clock.now()
            item = await self._store.limits.read(held.id)
            state = state_in(item.gate)
            if state.status == "OPEN":
                if any(not entry.late for entry in gates.to_resume(state)):
                    await self.drive(held)  # The worker that has begun the ramp has died.
                return replace(held, quiet=state == gates.EMPTY)
            opens = next((permit for permit in message.permits if _opens(permit, held, state, revision)), None)
            passed, asked = opens is not None, since if opens is None else opens.asked
            ramps = state.status == "RAMPING" and not passed
            empty = ramps and await self._store.limits.first(held.id) is None
            met = gates.arrive(state, held.gate, name, waiter.lease, now, handed_out=passed, line_empty=empty)
            if met.state != state and not await self._write(held, item, met.state):
                continue
            if met.at == gates.LINE:
                await self._store.limits.join(held.id, waiter)
                await self.drive(held)
                return StepWaits(Later(now + _sleep(name)))
            if met.at is not None and met.at > now + NEAR_SECONDS:
                await self._store.limits.join(held.id, waiter)
                return StepWaits(Later(min(met.at, now + _sleep(name))))
            await self._store.limits.leave(held.id, waiter)
            if met.at is not None:
                return StepWaits(Later(met.at))
            if met.probes:
                log.info("gate %s: %s is the probe", _named(held.id), name)
            elif state.status == "RAMPING":
                await self.drive(held)
                opens = opens or Permit(held.id, revision, now, lease=state.since, asked=since)
                return replace(held, quiet=False, permit=opens, asked=asked, state=state)
            return replace(held, quiet=False, asked=asked, state=state)

    async def waits(self, name: str, passes: Sequence[GatePass], at: float) -> None:
        """Tells the gates that a step has to wait until a moment of a rate: if it is the probe, its place is kept."""
        for held in passes:
            while not held.quiet:
                item = await self._store.limits.read(held.id)
                state = state_in(item.gate)
                changed = gates.waits(state, name, at)
                if changed == state or await self._write(held, item, changed):
                    break

    # -- after the attempt ---------------------------------------------------------------------------------------

    async def after_attempt(self, run: OwnedStep, ended: Ended, record: Record) -> Record:
        """Tells the gates how an attempt has ended; the record to write: of what a gate holds, one that is tried again.

        The outcome is the caller's to write in any case: a gate that cannot be read or written holds nothing. The gate
        comes first: if the worker dies in between, the attempt is made again.
        """
        if not run.passes or ended.stop is not None:
            return record
        error = ended.error
        if error is None and record.status == "SUCCEEDED":
            await self._succeeded(step_name(run.message.run_id, run.command.id), run.passes)
        if error is None or not counts(run.step, error):
            return record
        for held in run.passes:
            try:
                if await self._failed(held, run, error, record):
                    record = _held(record, held, self._clock.now())
            except Unavailable as unavailable:
                log.warning("gate %s could not be told of a failure: %s", _named(held.id), unavailable)
        return record

    async def _failed(self, held: GatePass, run: OwnedStep, error: BaseException, record: Record) -> bool:
        name = step_name(run.message.run_id, run.command.id)
        cause = f"{type(error).__name__} in {run.step.name}"
        once = run.step.at_most_once and isinstance(error, StepTimeout)  # Whether it did its work is not known.
        while True:
            now = self._clock.now()
            final = None
            if record.status == "FAILED" and not once:
                final = FailedBehind(run.execution.execution_id, run.execution.generation, run.step.name, now)
            item = await self._store.limits.read(held.id)
            state = state_in(item.gate)
            changed, holds = gates.failed(state, held.gate, cause, name, now, _retry_after(error), final)
            if changed == state or await self._write(held, item, changed):
                if changed.status == "CLOSED":
                    await self._appoint(held)
                return holds and not once

    async def _succeeded(self, name: str, passes: Sequence[GatePass]) -> None:
        """Tells the gates of a success: that of a probe begins the ramp."""
        for held in passes:
            if held.quiet:
                continue
            try:
                await self._begin_ramp(name, held)
            except Unavailable as unavailable:
                log.warning("gate %s could not be told of a success: %s", _named(held.id), unavailable)

    async def _begin_ramp(self, name: str, held: GatePass) -> None:
        while True:
            now = self._clock.now()
            item = await self._store.limits.read(held.id)
            state = state_in(item.gate)
            changed = gates.succeeded(state, held.gate, name, now)
            if changed == state or await self._write(held, item, changed):
                if changed.status == "RAMPING":
                    await self.drive(held)
                return

    # -- handing out ---------------------------------------------------------------------------------------------

    async def drive(self, held: GatePass) -> None:
        """Hands out the line as far as the ramp's horizon, and resumes what failed before the gate closed."""
        while True:
            now = self._clock.now()
            item = await self._store.limits.read(held.id)
            state = state_in(item.gate)
            if state.status == "CLOSED":
                await self._appoint(held)
                return
            if failed := [entry for entry in gates.to_resume(state) if not entry.late]:
                late = await self._resume(failed)
                kept = tuple(entry for entry in state.failed if entry not in failed)
                await self._write(held, item, replace(state, failed=(*kept, *late)))
                continue
            if state.status != "RAMPING":
                return
            span = min(held.gate.probe, LONGEST_HORIZON)
            if state.moment > now + span / 2:
                return
            line = await self._store.limits.line(held.id, CHUNK)
            changed, moments = gates.hand_out(state, held.gate, now, len(line), now + span)
            if not moments:
                return
            if await self._write(held, item, changed):
                for waiter, moment in zip(line, moments, strict=False):
                    permit = Permit(held.id, waiter.revision, moment, lease=state.since, asked=waiter.since)
                    await self._queue.send([(replace(waiter.message, permits=(permit,)), moment)])
                    await self._store.limits.leave(held.id, waiter)

    async def _appoint(self, held: GatePass) -> None:
        """Makes the first of the line the next probe, where no step is the probe."""
        while True:
            now = self._clock.now()
            item = await self._store.limits.read(held.id)
            state = state_in(item.gate)
            if not gates.needs_probe(state, now) or state.next_probe is None:
                return
            waiter = await self._store.limits.first(held.id)
            if waiter is None:
                return
            at = max(state.next_probe, now)
            if await self._write(held, item, gates.appointed(state, waiter.step, at)):
                if at > now + NEAR_SECONDS:
                    return  # It stays in the line, and its own message comes back before that time.
                await self._queue.send([(waiter.message, at)])
                await self._store.limits.leave(held.id, waiter)
                return

    async def _resume(self, failed: Sequence[FailedBehind]) -> list[FailedBehind]:
        """Redrives executions that failed before the gate closed; of those that have gone on since, nothing comes.

        Gives those that have not ended yet: whoever ends them looks at the gate (late_failures.py).
        """
        late = list[FailedBehind]()
        for entry in failed:
            execution = await self._store.read(entry.execution_id)
            if execution is None or execution.generation != entry.generation:
                continue
            if execution.status == "RUNNING":
                late.append(replace(entry, late=True))
            elif execution.status == "FAILED" and execution.error is not None and execution.error.step == entry.step:
                message = Message("park", entry.execution_id, BY_GATE, entry.generation, run=execution.run)
                await self._queue.send([(message, None)])
        return late

    async def _write(self, held: GatePass, item: LimitItem, state: GateState) -> bool:
        return await write_state(self._store, item, state, held.gate, self._clock.now())


async def write_state(store: Store, item: LimitItem, state: GateState, gate: Gate, now: float) -> bool:
    """Writes the state of a gate over the item that was read; False if another write came before."""
    changed = replace(item, gate=state_text(state), moment=state.idle_at(gate), changed_at=now)
    if await store.limits.write(changed, item.version) is None:
        return False
    before = state_in(item.gate)
    if before.status != state.status or before.since != state.since:
        why = f": {state.cause}" if state.status == "CLOSED" else ""
        level = logging.WARNING if state.status == "CLOSED" else logging.INFO
        log.log(level, "gate %s is %s%s", _named(item.id), state.status, why)
    return True


def counts(step: Step[..., Any], error: BaseException) -> bool:
    """Whether an error may be the service's: one that the step's policy would try again, were there tries left."""
    if isinstance(error, GiveUp):
        return False
    endless = Retry(max_attempts=None, retry_on=step.retry.retry_on, give_up_on=step.retry.give_up_on)
    return decide(endless, error, failures=1, elapsed=0.0, draw=random.Random(0)) is not None


def _pass(want: Want) -> GatePass:
    return GatePass(want.limit, gates.gate_id(want.limit.name, want.turn or want.id.key), quiet=True)


def _opens(permit: Permit, held: GatePass, state: GateState, revision: int) -> bool:
    """Whether a permit lets its step through a ramp: it is of this one, however long the step has waited for a slot."""
    of_ramp = state.status == "RAMPING" and permit.lease == state.since
    return of_ramp and permit.id == held.id and permit.revision == revision


def _sleep(name: str) -> float:
    """Seconds that a waiting step sleeps: not the same for all, so that those who come first find out what was lost."""
    return SLEEP_SECONDS * (0.5 + zlib.crc32(name.encode()) % 1000 / 2000)


def _retry_after(error: BaseException) -> float | None:
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    asked = [member.seconds for member in members if isinstance(member, RetryAfter)]
    return max(0.0, min(max(asked), 7 * 86400.0)) if asked and not math.isnan(max(asked)) else None


def _held(record: Record, held: GatePass, now: float) -> Record:
    """The record of an attempt that has failed at a closed gate: it waits, and the try is not counted."""
    if record.status not in ("FAILED", "RETRYING"):
        return record
    due = now + HELD_SECONDS
    last = record.attempts[-1]
    attempts = (*record.attempts[:-1], replace(last, next_at=due))
    return replace(
        record, status="RETRYING", interrupted=record.interrupted + 1, due=due, ended_at=None, attempts=attempts
    )


def _named(id: LimitId) -> str:
    return f"{id.name}[{id.key}]" if id.key else id.name
