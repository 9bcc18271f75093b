"""Handles a step's message: finds out whether the step is free, claims it, and has it run (rule *claim*)."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import replace

from stepfast.engine.attempt import SKEW, OwnedStep
from stepfast.engine.attempts import Attempts
from stepfast.engine.builtin_steps import BuiltinSteps, StepsOfJobs
from stepfast.engine.chain import Chain
from stepfast.engine.claims import busy_until, claim_of, unfit
from stepfast.engine.deliveries import Claim, Finish, Forward, Settle, decide, pause_after, superseded
from stepfast.engine.finish import finish
from stepfast.engine.gate_keeper import GateKeeper
from stepfast.engine.gates import GatePass
from stepfast.engine.item_files import ItemFiles
from stepfast.engine.limit_items import Permit, step_name
from stepfast.engine.limit_wants import wants_of
from stepfast.engine.limiting import Limiter, PassedOn, StepWaits
from stepfast.engine.limits_waited import with_waits
from stepfast.engine.link_maker import LinkMaker
from stepfast.engine.looks import EVERY_TIME, LookPace
from stepfast.engine.messages import Hint, Message
from stepfast.engine.moves import Room
from stepfast.engine.opening import OpenedReplay, ReplayOpener
from stepfast.engine.order import asked_for
from stepfast.engine.ports import Clock, Commit, Delete, Delivery, Disposition, Elsewhere, Later, Queue, Store
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.step_runner import AttemptRunner
from stepfast.engine.withdrawals import Withdrawals
from stepfast.errors import LimitKeyFailed
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.model import Execution, Record, Snapshot, changed
from stepfast.replay.commands import Command
from stepfast.replay.replay import Replay

log = logging.getLogger(__name__)

NOT_DEPLOYED = 60.0
"""Seconds until a message of a workflow that is not deployed is looked at again."""
SEAL_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.4)
"""Seconds between looks for the entry of a seal, before the message is put off: an advance that lives writes it soon.

To have SQS deliver the message once more costs as much as ten looks.
"""
SEAL_SECONDS = 3.0
"""Age of a message in seconds beyond which no worker waits for its entry: the advance that has sent it has died."""


class StepHandler:
    """Takes messages of step pools; handles any number of them at once.

    time_left: seconds this invocation may still run; a step is only chained while its timeout and margin fit. lives:
    shared with the advancer of the process. takes: whether a step may run on this thread; where not, nothing is claimed
    and the disposition is Elsewhere. files: where `map_items` reads files of items. pace: of the looks at an execution
    while a step of it runs. limiter: keeps the limits of steps; by default with the numbers of the code. public_url:
    what the addresses of links begin with.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        registry: Registry,
        runner: AttemptRunner,
        draw: random.Random | None = None,
        time_left: Callable[[], float] = lambda: math.inf,
        lives: LiveReplays | None = None,
        takes: Callable[[Step[..., object]], bool] = lambda step: True,
        files: ItemFiles | None = None,
        pace: LookPace = EVERY_TIME,
        limiter: Limiter | None = None,
        public_url: str = "",
    ) -> None:
        self._store, self._queue, self._clock, self._takes = store, queue, clock, takes
        self._registry, self._opener = registry, ReplayOpener(store, registry, lives or LiveReplays())
        withdrawals = Withdrawals(store, self._opener)
        links = LinkMaker(store.links, clock, public_url)
        builtin = BuiltinSteps(store, files, links, lambda: _steps_of_jobs(store, clock, registry))
        self.attempts = Attempts(store, clock, runner, withdrawals, builtin, pace)
        self._limiter = limiter or Limiter(store, queue, clock)
        self._gates = GateKeeper(store, queue, clock)
        self._chain = Chain(
            store,
            queue,
            clock,
            self.attempts,
            lambda: Room(time_left(), takes),
            draw or random.Random(),
            self._limiter,
            self._gates,
        )

    async def handle(self, delivery: Delivery, read: Snapshot | None = None) -> Disposition:
        """Runs the step and what follows from it alone, if the step is free. read: as of ReplayOpener.open."""
        message = delivery.message
        taken = None if message.hint is None else await self._without_replay(message, message.hint, delivery)
        if taken is None:
            disposition = await self._by_replay(delivery, read)
        else:
            disposition = await self._chain.run(taken) if isinstance(taken, OwnedStep) else taken
        if message.permits and isinstance(disposition, Delete) and not isinstance(disposition, PassedOn):
            await self._give_back_unused(message.run_id, message.command_id, message.permits)
        return disposition

    async def _by_replay(self, delivery: Delivery, read: Snapshot | None) -> Disposition:
        message = delivery.message
        async with self._opener.open(message.execution_id, read=read) as opened:
            snapshot, replay = opened.snapshot, opened.replay
            if snapshot is None:
                return Delete()
            execution = snapshot.execution
            if (disposition := superseded(execution, message, self._clock.now())) is not None:
                return disposition
            if replay is None:
                log.warning(
                    "step %s waits: its workflow %r is not deployed here", message.command_id, execution.workflow
                )
                return Later(self._clock.now() + NOT_DEPLOYED)
            replay.advance(snapshot.records, opened.order.applied)
            if replay.acts:
                # The replay is from the cache, and ahead of the durable order. An advance writes that order, or another
                # one has won by then. Until then nobody knows whether this command is asked for.
                opened.keep()
                return Later(self._clock.now() + 1.0)
            if replay.decided:
                replay.lines.drop()  # The advance that sent the message has logged them.
            taken = await self._with_replay(snapshot, opened, replay, delivery)
            return await self._chain.run(taken) if isinstance(taken, OwnedStep) else taken

    async def _with_replay(
        self, snapshot: Snapshot, opened: OpenedReplay, replay: Replay, delivery: Delivery
    ) -> OwnedStep | Disposition:
        """Claims the step that the message leads to; the disposition of the message where that step is not free."""
        execution = snapshot.execution
        match decide(replay, execution, delivery, self._clock.now()):
            case Settle(disposition):
                return disposition
            case Forward(message):
                await self._queue.send([(message, None)])
                return Delete()
            case Finish(error):
                replay.error = error or replay.error
                await finish(self._store, self._queue, self._clock, execution, replay)
                return Delete()
            case Claim() as claim if len(replay.outstanding) > 1 or not replay.decided:
                # The step is run alone. The handler of a sibling goes on with the replay, and need not
                # start again.
                opened.keep()
                return await self._claim(delivery, execution, None, claim, opened.order.revision)
            case Claim() as claim:
                return await self._claim(delivery, execution, opened, claim, None)

    async def _without_replay(self, message: Message, hint: Hint, delivery: Delivery) -> OwnedStep | Disposition | None:
        """Claims a step on the word of its message: an advance finds out what follows from it (rule *seal*).

        None where only a replay can say what becomes of the message. The step may have its outcome: a delivery without
        the hint may have started a chain from it, and then this message leads to the end of that chain. Or an entry
        that was appended since does not ask for the step any more: workflow code may have taken it back. Or the code
        that is deployed here has no such step in this pool.
        """
        run_id = message.run_id
        peeked = await self._store.peek(run_id, message.command_id)
        if peeked is None:
            return Delete()
        (execution, record), now, sent_at = peeked, self._clock.now(), delivery.sent_at
        if (disposition := superseded(execution, message, now)) is not None:
            return disposition
        if execution.run != message.run or (record is not None and record.recorded):
            return None
        busy = busy_until(record, None)
        if busy > now:
            return Later(busy)
        command = hint.command or self._command(execution, message, hint)
        if command is None:
            return None
        if hint.order is None:
            return await self._claim(delivery, execution, None, Claim(command, record), None)
        sealed = hint.seal != "" and hint.command is None
        entries = await self._store.entries(run_id, hint.order - sealed, command.id)
        if sealed:
            for pause in SEAL_PAUSES:
                if entries or now - sent_at > SEAL_SECONDS:
                    break
                await self._clock.sleep(pause)
                entries = await self._store.entries(run_id, hint.order - 1, command.id)
            now = self._clock.now()
            if not entries:  # The entry that asks for the step is not written yet, or never will be.
                return Later(now + pause_after(now - sent_at))
            if entries[0].seal != hint.seal:
                return None  # An order that has lost asked for the step. The order that has won may ask for it as well.
            entries = entries[1:]
        if not asked_for(entries, command.id, execution.generation, known=True):
            return None
        return await self._claim(delivery, execution, None, Claim(command, record), hint.order + len(entries))

    def _command(self, execution: Execution, message: Message, hint: Hint) -> Command | None:
        """The command that a hint names; None where this deployment has no such step, or has it in another pool."""
        step = self._registry.step(execution.workflow, hint.name)
        if step is None or step.pool != message.pool:
            return None
        return Command(message.command_id, "step", hint.name, None, hint.input, step, issued_at=hint.issued_at)

    async def _claim(
        self, delivery: Delivery, execution: Execution, opened: OpenedReplay | None, claim: Claim, order: int | None
    ) -> OwnedStep | Disposition:
        """Claims the step, which is to be run then. order: see OwnedStep.

        The claim is conditional on exactly the record that was read, so that of several workers with the same message
        one wins (rule *claim*). The others look again a moment later.
        """
        if claim.command.step is not None and not self._takes(claim.command.step):
            if opened is not None:
                opened.keep()
            return Elsewhere()
        permits: tuple[Permit, ...] = ()
        passes: tuple[GatePass, ...] = ()
        if claim.command.step is not None and claim.command.step.limits:
            held = await self._take(delivery, execution, claim)
            if isinstance(held, Record):
                written = await self._store.commit(execution.run_id, Commit(held, wake=True))
                return Delete() if written else Later(self._clock.now() + 1.0)
            if isinstance(held, StepWaits):
                if opened is not None:
                    opened.keep()
                return held.disposition
            permits, passes = held
        now = self._clock.now()
        record = claim_of(execution, claim.command, claim.record, claim.chained, now)
        if (permits or passes) and (waits := with_waits(record.waited, passes, permits, now)) is not record.waited:
            record = changed(record, waited=waits)
        interrupted = record.recorded  # It was interrupted for the last time: the record says so and nothing runs.
        due = _asked_at(execution, claim.command) if record.attempt == 1 else None
        committed = await self._store.commit(execution.run_id, Commit(record, wake=interrupted, due=due))
        if not committed.record:
            await self._give_back_refused(delivery.message, claim.command, permits)
            return Later(now + 1.0)
        if interrupted:
            await self._limiter.give_back(step_name(delivery.message.run_id, claim.command.id), permits)
            return Delete()
        return OwnedStep(delivery.message, execution, opened, claim.command, record, now, order, False, permits, passes)

    async def _take(
        self, delivery: Delivery, execution: Execution, claim: Claim
    ) -> tuple[tuple[Permit, ...], tuple[GatePass, ...]] | StepWaits | Record:
        """What the step has of its limits and gates; the record to write where a function of a limit is at fault."""
        command, record, message = claim.command, claim.record, delivery.message
        assert command.step is not None
        try:
            wants = wants_of(command.step, execution, command, record)
        except LimitKeyFailed as error:
            return unfit(execution, command, record, claim.chained, error, self._clock.now())
        passes = await self._gates.enter(wants, message, delivery.sent_at, command, record)
        if isinstance(passes, StepWaits):
            await self._give_back_unused(message.run_id, command.id, message.permits)
            return passes
        if ramps := tuple(held.permit for held in passes if held.permit is not None):
            of_ramps = {ramp.id for ramp in ramps}
            kept = (*(permit for permit in message.permits if permit.id not in of_ramps), *ramps)
            message = replace(message, permits=kept)
        taken = await self._limiter.take(wants, message, delivery.sent_at, command, record)
        if not isinstance(taken, StepWaits):
            return taken, passes
        if isinstance(taken.disposition, PassedOn):
            await self._gates.waits(step_name(message.run_id, command.id), passes, taken.disposition.at)
        return taken

    async def _give_back_refused(self, message: Message, command: Command, permits: tuple[Permit, ...]) -> None:
        """Gives back what a step had whose claim was refused. Of what was taken just now, nobody else knows."""
        came, held = {permit.token for permit in message.permits}, {permit.token for permit in permits}
        own = [permit for permit in permits if permit.token not in came]
        await self._limiter.give_back(step_name(message.run_id, command.id), own)
        # A slot keeps its token where its step has taken another moment.
        shared = tuple(permit for permit in message.permits if permit.token in held)
        await self._give_back_unused(message.run_id, command.id, shared)

    async def _give_back_unused(self, run_id: str, command_id: str, permits: tuple[Permit, ...]) -> None:
        """Gives back what came with a message, except the slots by which another delivery may have begun an attempt.

        The worker of that attempt gives those back, or their lease ends.
        """
        if not permits:
            return
        peeked = await self._store.peek(run_id, command_id)
        if peeked is None or peeked[0].run_id != run_id:
            return
        unused = [permit for permit in permits if not _may_be_used(permit, peeked[1])]
        await self._limiter.give_back(step_name(run_id, command_id), unused)


def _may_be_used(permit: Permit, record: Record | None) -> bool:
    """Whether an attempt may have begun by a permit.

    A claim is the first write of the record after the permit was taken. An end that is not that of an attempt, as of a
    cancel, is a write as well.
    """
    if record is None or record.started_at is None or record.started_at < permit.since - SKEW:
        return False
    return record.revision > permit.revision + (record.status != "RUNNING")


def _asked_at(execution: Execution, command: Command) -> float:
    """Since when the step could run: since it was asked for, or since operators have let the execution go on."""
    return max(command.issued_at, execution.resumed_at or 0.0, execution.unpaused_at or 0.0)


def _steps_of_jobs(store: Store, clock: Clock, registry: Registry) -> StepsOfJobs:
    """What bulk jobs need, which is most of what operators can do, is imported with the first step of one."""
    from stepfast.engine.job_runner import JobSteps

    return JobSteps(store, clock, registry)
