"""Claims a step, runs it, records its outcome and goes on with the next one.

Its rules are in docs/protocol.md (rules *claim*, *record by token*, *lasting fact*, *chain*, *retry*,
*signals and timers*).

`handle` takes one delivery to a disposition; the caller then deletes, delays or leaves the message.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

from stepfast.engine.attempt import SKEW, Run, StepWatch, outcome
from stepfast.engine.claims import LEASE_MARGIN, busy_until, chained_record, claim_of, end_of_chain, idempotency_key
from stepfast.engine.finish import finish, is_parked_by
from stepfast.engine.messages import Message
from stepfast.engine.metrics import tallies_of
from stepfast.engine.ports import (
    Clock,
    Commit,
    Delete,
    Delivery,
    Disposition,
    Elsewhere,
    End,
    Later,
    Leave,
    Queue,
    Refuse,
    Store,
)
from stepfast.engine.replay_cache import Live, LiveReplays
from stepfast.engine.step_runner import Ended, Pulse, Runner
from stepfast.engine.withdrawals import Withdrawals, taken_back
from stepfast.errors import InvalidRequest, NonDeterministic, NotStorable, Unavailable
from stepfast.language.context import StepContext
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.model import Chained, Execution, Record, Stop
from stepfast.replay.replay import Command, Replay

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds after which a chaining worker reads the execution again, to notice a cancel."""
UNASKED = 300.0
"""Seconds at most until a message is looked at again whose command the code does not ask for."""
NOT_DEPLOYED = 60.0
"""Seconds until a message of a workflow that is not deployed is looked at again."""


class Worker:
    """Drives messages of step pools, timers and parked failures; one instance may handle many at once.

    resume: what a redriven park message calls. time_left: seconds this invocation may still run;
    a step is only chained while its timeout and margin fit. lives: shared with the advancer of the process.
    takes: whether a step may run on this thread; where not, nothing is claimed and the disposition is Elsewhere.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        registry: Registry,
        runner: Runner,
        resume: Callable[[str, int], Awaitable[object]],
        draw: random.Random | None = None,
        time_left: Callable[[], float] = lambda: math.inf,
        lives: LiveReplays | None = None,
        takes: Callable[[Step[..., object]], bool] = lambda step: True,
    ) -> None:
        self._store, self._queue, self._clock, self._registry = store, queue, clock, registry
        self._runner, self._resume, self._time_left, self._takes = runner, resume, time_left, takes
        self._draw = draw or random.Random()
        self._lives = lives or LiveReplays()
        self._withdrawals = Withdrawals(store, registry, self._lives)
        self._running: set[Run] = set()

    async def handle(self, delivery: Delivery) -> Disposition:
        """Does what a message asks for; safe to call any number of times for the same message."""
        message = delivery.message
        if message.kind == "park":
            return await self._park(delivery)
        if message.kind == "timer":
            return await self._timer(message)
        if message.hint is not None:
            disposition = await self._alone(message, message.hint)
            if disposition is not None:
                return disposition
        snapshot, live, mark = await self._lives.load(self._store, message.execution_id)
        if snapshot is None:
            return Delete()
        execution = snapshot.execution
        if (passed := self._passed(execution, message)) is not None:
            return passed
        workflow = self._registry.get(execution.workflow)
        if workflow is None:
            log.warning("step %s waits: its workflow %r is not deployed here", message.command_id, execution.workflow)
            return Later(self._clock.now() + NOT_DEPLOYED)
        replay = live.replay if live else Replay(workflow, execution)
        going = Live(replay, snapshot.cursor, mark)
        try:
            replay.advance(snapshot.records, snapshot.cursor.applied)
            replay.lines.drop()  # whoever sent the message has logged them
            return await self._step(execution, going, delivery)
        finally:
            going.close()

    def _passed(self, execution: Execution, message: Message) -> Disposition | None:
        """What becomes of a message whose execution is not where it was sent from; None if it is."""
        if execution.generation < message.generation:
            return Later(self._clock.now() + 1.0)  # our read is older than the message
        if execution.status != "RUNNING" or execution.generation > message.generation:
            return Delete()  # a newer generation dispatches everything again
        return None

    # -- timers and parked failures --------------------------------------------------------------------

    async def _timer(self, message: Message) -> Disposition:
        peeked = await self._store.peek(message.execution_id, message.command_id)
        if peeked is None:
            return Delete()
        execution, record = peeked
        if (passed := self._passed(execution, message)) is not None:
            return passed
        if record is None or record.status == "OPEN":
            now = self._clock.now()
            due = Record(
                message.command_id,
                "timer",
                "timer",
                "SUCCEEDED",
                message.generation,
                revision=record.revision + 1 if record else 1,
                ended_at=now,
            )
            if not await self._store.commit(message.execution_id, Commit(due, wake=True)):
                return Later(now + 1.0)
        return Delete()

    async def _park(self, delivery: Delivery) -> Disposition:
        message = delivery.message
        execution = await self._store.read(message.execution_id)
        if execution is None or execution.generation != message.generation:
            return Delete()
        if execution.status in ("SUCCEEDED", "CANCELLED"):
            return Delete()
        if execution.status == "FAILED" and not is_parked_by(execution, message):
            return Delete()  # the failure was written, and parked, by another
        if execution.status == "FAILED" and delivery.sent_at > (execution.ended_at or 0.0) + SKEW:
            await self._resume(message.execution_id, message.generation)  # an operator's redrive
            return Delete()
        return Refuse()

    # -- steps -----------------------------------------------------------------------------------------

    async def _step(self, execution: Execution, live: Live, delivery: Delivery) -> Disposition:
        replay, now = live.replay, self._clock.now()
        if replay.finished:
            await finish(self._store, self._queue, self._clock, execution, replay)
            return Delete()
        id, chained = end_of_chain(replay.records, execution.generation, delivery.message.command_id)
        record = replay.records.get(id)
        if record is not None and record.recorded:
            return Delete()
        command = replay.outstanding.get(id)
        if command is None or command.step is None:
            if taken_back(replay, id):
                return Delete()
            # Sent before the order that asks for it was marked; or the code that is deployed now does not
            # ask for it, which other code may again: looked at the more seldom the longer that lasts.
            return Later(now + min(max(now - delivery.sent_at, 1.0), UNASKED))
        if command.step.pool != delivery.message.pool:  # moved by a deployment since it was sent
            moved = replace(delivery.message, command_id=id, pool=command.step.pool, hint=None)
            await self._queue.send([(moved, None)])
            return Delete()
        busy = busy_until(record, chained)
        if busy > now:
            return Later(busy)
        if chained and (record is None or record.status == "OPEN") and chained.digest != command.digest:
            return await self._changed(execution, replay, command)
        if len(replay.outstanding) > 1:
            # It is run alone: whoever handles a sibling meanwhile goes on with the replay, and need not begin anew.
            self._lives.put(execution.execution_id, live)
            order = live.cursor.revision
            return await self._claimed(delivery.message, execution, None, command, record, chained, order)
        return await self._claimed(delivery.message, execution, live, command, record, chained, None)

    async def _claimed(
        self,
        message: Message,
        execution: Execution,
        live: Live | None,
        command: Command,
        record: Record | None,
        chained: Chained | None,
        order: int | None,
    ) -> Disposition:
        """Claims a step exactly as it was read, and runs it. order: see Run."""
        if command.step is not None and not self._takes(command.step):
            if live is not None:
                self._lives.put(execution.execution_id, live)
            return Elsewhere()
        now = self._clock.now()
        claim = claim_of(execution, command, record, chained, now)
        if claim.recorded:  # interrupted for the last time
            failed = Commit(claim, wake=True)
            return Delete() if await self._store.commit(execution.execution_id, failed) else Later(now + 1)
        if not await self._store.commit(execution.execution_id, Commit(claim, wake=False)):
            return Later(now + 1.0)
        return await self._chain(Run(message, execution, live, command, claim, now, order))

    async def _alone(self, message: Message, command: Command) -> Disposition | None:
        """Runs a step that has siblings: what follows from it is the advancer's to find out.

        None when a replay has to say what becomes of it. It may have its outcome: a delivery without the hint may
        have started a chain from there, and then this message leads to its end. Or the order that is stored by now
        does not mark it any more: workflow code may have taken it back since the message was sent.
        """
        peeked = await self._store.peek(message.execution_id, message.command_id)
        if peeked is None:
            return Delete()
        (execution, record), now = peeked, self._clock.now()
        if (passed := self._passed(execution, message)) is not None:
            return passed
        if record is not None and record.recorded:
            return None
        busy = busy_until(record, None)
        if busy > now:
            return Later(busy)
        order, marked = await self._store.asked_for(message.execution_id, command.id, execution.generation)
        if not marked:
            return None
        return await self._claimed(message, execution, None, command, record, None, order)

    async def _changed(self, execution: Execution, replay: Replay, command: Command) -> Disposition:
        replay.error = NonDeterministic(
            f"{command.id!r} was begun with another input; the code now asks for it with {command.input}"
        )
        await finish(self._store, self._queue, self._clock, execution, replay)
        return Delete()

    async def _chain(self, run: Run) -> Disposition:
        """Runs the claimed step and then, one write each, those that follow from it alone."""
        while True:
            ended = await self._attempt(run)
            if ended.stop is not None and ended.stop.lost:
                return Later(self._clock.now() + 1.0)  # what is stored by then says what to do with it
            result = outcome(run, ended, self._clock.now(), self._draw)
            if result.status == "RETRYING":
                if not await self._record(run, result, wake=False):
                    return Leave()
                self._keep(run)
                await self._hand_on(run, result.due or 0.0)
                return Later(result.due or 0.0)
            following = await self._following(run, result)
            if following is not None:
                result = replace(result, then=following)
            replay = run.replay
            finished = replay is not None and replay.finished
            chained_on = following is not None or finished
            end = self._success(run) if finished else None
            if not await self._record(run, result, wake=not chained_on, end=end):
                return Leave()  # fenced: another worker owns the step, or the execution has ended
            if replay is not None and chained_on:
                replay.lines.flush()
            if replay is None or following is None:
                if replay is not None and finished and end is None:
                    await finish(self._store, self._queue, self._clock, run.execution, replay)
                elif not finished:
                    self._keep(run)
                return Delete()
            run.command = replay.outstanding[following.id]
            run.record = chained_record(run.execution, run.command, following, replay.records.get(following.id))
            run.order, run.unanswered = None, False

    async def _hand_on(self, run: Run, due: float) -> None:
        """Sends the released step's message anew, if the execution was resumed while the attempt ran.

        The message that the resume sent has found the step running, and waits until its lease would be over.
        """
        execution = await self._store.read(run.execution.execution_id)
        if execution is None or execution.status != "RUNNING" or execution.generation == run.message.generation:
            return
        id, generation = run.command.id, execution.generation
        again = replace(run.message, command_id=id, generation=generation, pool=run.step.pool, hint=None)
        await self._queue.send([(again, due)])

    def _keep(self, run: Run) -> None:
        """Gives the replay to whoever goes on with the execution; it has taken only what is stored."""
        if run.live is not None and not run.live.replay.finished:
            self._lives.put(run.execution.execution_id, run.live)

    def _success(self, run: Run) -> End | None:
        """The end that is written together with the last result; a failure is parked first, and apart."""
        replay = run.replay
        if replay is None or replay.error is not None:
            return None
        ended = replace(run.execution, status="SUCCEEDED", result=replay.result, ended_at=self._clock.now())
        return End(ended, tallies_of(ended, replay.records.values()))

    async def _following(self, run: Run, result: Record) -> Chained | None:
        """Goes on with the replay; the claim of the next step if it may run right here (rule *chain*)."""
        replay, now = run.replay, self._clock.now()
        if replay is None or len(replay.outstanding) != 1 or run.command.id not in replay.outstanding:
            return None  # siblings are out: the order is the advancer's to extend
        replay.advance({result.id: result})
        if replay.finished or len(replay.outstanding) != 1:
            return None
        command = next(iter(replay.outstanding.values()))
        if command.step is None or command.step.pool != run.step.pool or not self._takes(command.step):
            return None
        if self._time_left() < command.step.timeout + LEASE_MARGIN:
            return None
        if now - run.looked > LOOK:
            run.looked = now
            execution = await self._store.read(run.execution.execution_id)
            if execution is None or (execution.status, execution.generation) != (
                "RUNNING",
                run.execution.generation,
            ):
                return None
        lease = now + command.step.lease + LEASE_MARGIN
        return Chained(command.id, lease, run.execution.generation, command.digest, now)

    async def _record(self, run: Run, result: Record, *, wake: bool, end: End | None = None) -> bool:
        """Writes an outcome, trying again while the store is away and the lease lasts.

        The step has run: giving up here would run it again, or fail it if it may run only once.
        """
        pause = 0.05
        id = run.execution.execution_id
        while True:
            try:
                if await self._store.commit(id, Commit(result, end, wake=wake)):
                    return True
                following = await self._unanswered(run, result) if run.unanswered else None
            except Unavailable:
                run.unanswered = True
                if self._clock.now() + pause > (run.record.lease or 0.0):
                    raise
                await self._clock.sleep(pause)
                pause = min(2.0, pause * 2)
                continue
            if following is None or following is result:
                return following is result
            result = following

    async def _unanswered(self, run: Run, result: Record) -> Record | None:
        """After a refusal: the result itself if it is stored, the one to write instead, None if the step is lost.

        A write that went unanswered may have been made. Taken for another worker's, it would leave this step, or the
        one that it chains, under a lease that nobody holds, to count as a crash when that is over.
        """
        peeked = await self._store.peek(run.execution.execution_id, result.id)
        stored = peeked[1] if peeked is not None else None
        if stored is None or stored.token != result.token:
            return None
        if (stored.revision, stored.status) == (result.revision, result.status):
            return result
        return replace(result, revision=stored.revision + 1) if stored.status == "RUNNING" else None

    # -- one attempt -------------------------------------------------------------------------------------

    def interrupt(self, reason: str) -> int:
        """Stops the attempts that run, since this process is to end; returns how many. From any thread.

        An `async` step is cancelled; its attempt is released, to be tried again at once by whoever comes next. A `def`
        step hears of it at its next heartbeat. A step that runs at most once is left to come to its end: call this,
        and then wait for `handle` as long as there is time.
        """
        runs = [one for one in list(self._running) if not one.step.at_most_once]
        for run in runs:
            run.pulse.interrupt(Stop(reason))
        return len(runs)

    async def _attempt(self, run: Run) -> Ended:
        step, record, command = run.step, run.record, run.command
        run.pulse = Pulse()
        input = record.input or "{}"
        context = StepContext(
            execution_id=run.execution.execution_id,
            step_id=command.id,
            attempt=record.attempt,
            generation=record.generation,
            deadline_at=(record.started_at or self._clock.now()) + step.timeout,
            beat=run.pulse.beat,
            make_key=lambda: idempotency_key(run.execution.execution_id, command.id, input),
        )
        try:
            arguments = step.arguments.decode(input)
        except InvalidRequest as error:
            return Ended(error=NotStorable(str(error)))
        watch = StepWatch(self._store, self._clock, self._withdrawals, run)
        self._running.add(run)
        try:
            return await self._runner.run(step, arguments, context, run.pulse, watch)
        finally:
            self._running.discard(run)
