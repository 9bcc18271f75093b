"""Runs a claimed step and then, one write each, the steps that follow from it alone (rule *chain*).

Each turn runs an attempt, decides what follows from its end (moves.py), and does that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from stepfast.engine.attempt import OwnedStep, outcome
from stepfast.engine.attempts import Attempts
from stepfast.engine.claims import chained_record
from stepfast.engine.finish import finish
from stepfast.engine.gate_keeper import GateKeeper
from stepfast.engine.gates import GatePass
from stepfast.engine.limit_items import Permit, step_name
from stepfast.engine.limit_wants import wants_of
from stepfast.engine.limiting import Limiter
from stepfast.engine.moves import EndRun, GoOn, HandOver, Move, PutBack, Room, next_move, takes_outcome
from stepfast.engine.ports import Clock, Commit, Delete, Later, Leave, Queue, Store
from stepfast.engine.recording import Recorder
from stepfast.engine.showing import news_of
from stepfast.errors import LimitKeyFailed
from stepfast.language.steps import Step

CANCEL_LOOK_SECONDS = 1.0
"""Seconds after which a chaining worker reads the execution again, to notice a cancel."""


class Chain:
    """Takes a claimed step to its disposition: Delete once an outcome is stored, Later for a retry, Leave if fenced.

    room: what this worker can still take on, asked after each attempt. draw: of the delays of retries.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        attempts: Attempts,
        room: Callable[[], Room],
        draw: random.Random,
        limiter: Limiter,
        gates: GateKeeper,
    ) -> None:
        self._store, self._queue, self._clock = store, queue, clock
        self._attempts, self._room, self._draw = attempts, room, draw
        self._recorder, self._limiter, self._gates = Recorder(store, clock), limiter, gates

    async def run(self, run: OwnedStep) -> Delete | Later | Leave:
        """Runs the chain that begins with a step which this worker has claimed."""
        while True:
            if run.permits:
                await self._limiter.begin(run.permits)
            ended = await self._attempts.run(run)
            now = self._clock.now()
            permits = run.permits and tuple(permit for permit in run.permits if permit.token)
            name = step_name(run.message.run_id, run.command.id) if permits else ""
            if run.pulse.progress is not None:
                run.record = replace(run.record, progress=run.pulse.progress)
            if ended.stop is not None and ended.stop.lost:
                if permits:
                    await self._limiter.give_back(name, permits)
                return Later(now + 1.0)  # The record that is stored by then says what to do with the message.
            record = outcome(run, ended, now, self._draw)
            if run.passes:
                record = await self._gates.after_attempt(run, ended, record)
            replay = takes_outcome(run) if record.recorded else None
            if replay is not None:
                replay.advance({record.id: record})
            # A moment later than the end of the attempt, so that the history shows the next step after it.
            now = self._clock.now()
            move = next_move(run, record, replay, self._room(), now)
            if now - run.looked > CANCEL_LOOK_SECONDS:
                move = await self._unless_over(run, move, now)
            taken: tuple[Permit, ...] = ()
            next_passes: tuple[GatePass, ...] = ()
            if isinstance(move, GoOn) and move.next.step is not None and move.next.step.limits:
                move, taken, next_passes = await self._with_permits(run, move, move.next.step)
            if replay is not None:
                record = replay.records[record.id] = move.record  # so that the replay holds what is stored, and no copy
            commit = _commit_of(run, move)
            committed = await self._recorder.record(run, commit)
            if permits:
                await self._limiter.give_back(name, permits)
            if not committed.record:
                if isinstance(move, GoOn):
                    await self._limiter.give_back(step_name(run.message.run_id, move.next.id), taken)
                return Leave()  # Fenced: another worker owns the step, or the execution has ended.
            if isinstance(move, GoOn | EndRun):
                _note_written(run, commit)
            match move:
                case GoOn(_, command, claim):
                    assert replay is not None
                    stored = replay.records.get(command.id)
                    claimed = chained_record(run.execution, command, claim, stored, run.record.token)
                    run.go_on(command, claimed, taken, next_passes)
                case PutBack(_, due):
                    run.keep()
                    await self._send_after_resume(run, due)
                    return Later(due)
                case HandOver():
                    run.keep()
                    return Delete()
                case EndRun():
                    if not committed.end and run.replay is not None:
                        await finish(self._store, self._queue, self._clock, run.execution, run.replay)
                    return Delete()

    async def _with_permits(
        self, run: OwnedStep, move: GoOn, step: Step[..., object]
    ) -> tuple[Move, tuple[Permit, ...], tuple[GatePass, ...]]:
        """The move, and what the next step has of its limits; a step that would have to wait is handed over.

        So is a step with a function of a limit that is at fault: its own message finds it out.
        """
        passes, taken = None, None
        with suppress(LimitKeyFailed):
            wants = wants_of(step, run.execution, move.next, None)
            passes = await self._gates.enter_open(wants)
            taken = None if passes is None else await self._limiter.take_now(wants, run.message.run_id, move.next)
        if taken is None or passes is None:
            return HandOver(replace(move.record, then=None)), (), ()
        return move, taken, passes

    async def _unless_over(self, run: OwnedStep, move: Move, now: float) -> Move:
        """The move, but no further step is claimed once the execution was cancelled, paused, resumed or has ended.

        Nor is a failure parked then.

        A chain writes under its own claims only, and none of its writes would meet the end of the execution. So the
        chain reads the execution, at most once in CANCEL_LOOK_SECONDS seconds.
        """
        fails = isinstance(move, EndRun) and move.succeeded is None
        if not (fails or isinstance(move, GoOn)):
            return move
        run.looked = now
        execution = await self._store.read(run.execution.execution_id)
        if execution is not None and execution.status == "RUNNING" and execution.generation == run.execution.generation:
            return move
        return HandOver(replace(move.record, then=None))

    async def _send_after_resume(self, run: OwnedStep, due: float) -> None:
        """Sends the message of a step that was put back anew, if the execution was resumed while the attempt ran.

        The resume has sent a message of its own. That message has met the running attempt, and waits until the lease
        would be over, which may be long after the retry is due.
        """
        execution = await self._store.read(run.execution.execution_id)
        if execution is None or execution.status != "RUNNING" or execution.generation == run.message.generation:
            return
        if execution.run != run.execution.run:
            return  # The new run has nothing of this step.
        message = replace(
            run.message,
            command_id=run.command.id,
            generation=execution.generation,
            pool=run.step.pool,
            hint=None,
        )
        await self._queue.send([(message, due)])


def _commit_of(run: OwnedStep, move: Move) -> Commit:
    """What is written for a move: the outcome, with a wake where an advance is needed to find out what follows."""
    match move:
        case GoOn(record):
            replay, shown = run.replay, None
            if replay is not None and (news := news_of(run.execution, replay)) is not None:
                shown = (run.execution, news)
            return Commit(record, wake=False, shown=shown)
        case EndRun(record, end):
            return Commit(record, end, wake=False)
        case HandOver(record):
            return Commit(record, wake=True)
        case PutBack(record):
            return Commit(record, wake=False)


def _note_written(run: OwnedStep, commit: Commit) -> None:
    """The replay has come as far as what is written. No advance will come by here, so nobody else logs its lines."""
    replay = run.replay
    if replay is not None:
        if commit.shown is not None:
            replay.showing.written = replay.showing.calls
        replay.lines.flush()
