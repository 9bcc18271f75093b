"""What clients and operators ask for: start, signal, cancel, resume, replay of dead letters, sweep."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from stepfast.engine.advancer import Advancer
from stepfast.engine.answering import Answering
from stepfast.engine.audit import AuditOperations
from stepfast.engine.audit_store import KEPT_AS_BY_DEFAULT, AuditSettings
from stepfast.engine.cancelling import CLEANUP_SECONDS, Cancelling
from stepfast.engine.catching_up import PartialReads
from stepfast.engine.closing import FailureClosing
from stepfast.engine.erasing import Erasing
from stepfast.engine.forking import Forked, Forking, ForkRequest
from stepfast.engine.gate_operations import GateOperations
from stepfast.engine.holdovers import HeldStep, held_up
from stepfast.engine.job_operations import JobOperations
from stepfast.engine.limit_operations import LimitOperations
from stepfast.engine.limit_waits import LimitWait, limit_waits
from stepfast.engine.pausing import Pausing
from stepfast.engine.ports import Clock, Queue, Store
from stepfast.engine.queries import ReadOperations
from stepfast.engine.repairing import Repair, Repairing
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.resending import Resend
from stepfast.engine.resuming import ResumeResult, Resuming
from stepfast.engine.rewind import Rewind
from stepfast.engine.schedule_items import Schedule
from stepfast.engine.schedule_operations import LookLater, ScheduleOperations
from stepfast.engine.schedule_starts import ScheduledStarts
from stepfast.engine.signalling import Sent, Signalling
from stepfast.engine.starting import StartArguments, Started, Starting
from stepfast.engine.updating import RegisteredHandlers, StartWith, UpdateState, Updating
from stepfast.engine.webhook_operations import WebhookOperations
from stepfast.engine.workflow_pausing import WorkflowPausing
from stepfast.errors import Misconfigured, Unavailable
from stepfast.language.limits import Numbers
from stepfast.language.registry import Registry
from stepfast.model import SIGNAL_LIMITS, Execution, SignalLimits

log = logging.getLogger(__name__)

Visit = Callable[[str, Resend], Awaitable[object]]
"""Advances the execution of an id, as a sweep does."""
SWEEP_BATCH = 200
MOST_RECORDS_REPLAYED = 10_000


class Operations(ReadOperations):
    """Every way in from outside; each is safe to repeat."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        registry: Registry,
        advancer: Advancer,
        lives: LiveReplays | None = None,
        signal_limits: SignalLimits = SIGNAL_LIMITS,
        parts: PartialReads | None = None,
        queue: Queue | None = None,
        limit_numbers: Mapping[str, Numbers] = MappingProxyType({}),
        schedules: Callable[[], Iterable[Schedule]] = tuple,
        look_later: LookLater | None = None,
        webhooks: WebhookOperations | None = None,
        audit: AuditSettings = KEPT_AS_BY_DEFAULT,
    ) -> None:
        super().__init__(store, clock, registry)
        self._advancer = advancer
        self._starting = Starting(store, clock, registry)
        self._signalling = Signalling(store, clock, self, lives or LiveReplays(), signal_limits, parts)
        self._updating = Updating(store, clock, self, registry, self._starting, signal_limits)
        self._cancelling = Cancelling(store, clock, self)
        self._erasing = Erasing(store)
        self._resuming = Resuming(store, clock, registry)
        self._pausing, self._closing = Pausing(store, clock), FailureClosing(store, clock)
        self._repairing = Repairing(store, clock, registry, self._resuming)
        self._forking = Forking(store, clock, registry)
        self.limits = LimitOperations(store, clock, registry, limit_numbers, queue)
        self.gates = GateOperations(store, clock, registry, queue)
        self.jobs = JobOperations(store, clock, self)
        self.workflows = WorkflowPausing(store, clock, registry, self.jobs)
        self.scheduled = ScheduledStarts(store, clock, self)
        self.schedules = ScheduleOperations(store, clock, self.scheduled, schedules, look_later)
        self.links = Answering(store, clock, self._signalling, self)
        self.webhooks = webhooks or WebhookOperations(None, clock)
        self.audit = AuditOperations(store.audit, clock, audit)

    # -- starting ----------------------------------------------------------------------------------------

    async def start(
        self,
        workflow: str,
        input: Any,
        execution_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Started:
        """Starts an execution, or returns the one that the same call has started before (rule *start once*).

        `input` is parsed JSON. Without an id a new one is made, so the call is then not repeatable.
        Raises UnknownWorkflow, InvalidRequest (naming the fields), and ExecutionConflict when the id
        belongs to another workflow or another input. Inputs are the same when the same JSON was sent, or JSON
        that validation makes the same of before any default factory runs.
        """
        return await self._starting.start(workflow, input, execution_id, labels)

    async def start_many(self, starts: Sequence[StartArguments]) -> list[Started | Exception]:
        """Starts executions at the same time: for each what `start` returns, or the exception that it raises.

        On SQLite they share a commit. A store whose calls block starts them one after the other.
        """
        return await self._starting.start_many(starts)

    # -- steering ----------------------------------------------------------------------------------------

    async def signal(self, execution_id: str, name: str, payload: Any, signal_id: str | None = None) -> Sent:
        """Sends a signal; safe to repeat under the same signal id.

        `payload` is parsed JSON, checked against the type the workflow waits for when it is waiting for
        this name. Raises ExecutionNotFound, InvalidRequest, WrongStatus when the execution has ended
        for good, ExecutionConflict when the signal id was used for something else, and TooManySignals.
        """
        return await self._signalling.signal(execution_id, name, payload, signal_id)

    async def query(self, execution_id: str, name: str, payload: Any = None) -> str:
        """The answer of a `@query` function as JSON text, from a replay of what is recorded (rule *query*).

        Raises ExecutionNotFound, NoSuchHandler, InvalidRequest for a payload of another type, QueryFailed and
        UnknownWorkflow.
        """
        return await self._updating.query(execution_id, name, payload)

    async def handlers(self, execution_id: str) -> RegisteredHandlers:
        """The queries and updates that the execution has where it stands, found by a replay; ExecutionNotFound.

        Both are empty if the execution has more than MOST_RECORDS records, or if its workflow is not deployed.
        """
        return await self._updating.handlers(execution_id)

    async def update(
        self,
        execution_id: str,
        name: str,
        payload: Any = None,
        update_id: str | None = None,
        wait: float = 0.0,
        start: StartWith | None = None,
    ) -> UpdateState:
        """Sends an update, and waits up to 20 s for its answer; safe to repeat under the same id (rule *update*).

        start: what to start if no execution has the id; the one that is there keeps its own input.
        Raises ExecutionNotFound, NoSuchHandler, InvalidRequest, UpdateRefused, WrongStatus when the execution has ended
        for good, ExecutionConflict when the update id was used for something else, and TooManySignals.
        """
        return await self._updating.update(execution_id, name, payload, update_id, wait, start)

    async def update_state(self, execution_id: str, update_id: str, wait: float = 0.0) -> UpdateState:
        """How an update stands, after up to 20 s of waiting for its answer; ExecutionNotFound, UpdateNotFound."""
        return await self._updating.update_state(execution_id, update_id, wait)

    async def terminate(self, execution_id: str, why: str | None = None) -> Execution:
        """Ends a RUNNING or PAUSED execution; running steps' results are refused from here on (rule *cancel*).

        why: for the history. Raises ExecutionNotFound, and WrongStatus when it has ended.
        """
        return await self._cancelling.terminate(execution_id, why)

    async def cancel(self, execution_id: str, why: str | None = None, cleanup: float = CLEANUP_SECONDS) -> Execution:
        """Cancels a RUNNING or PAUSED execution: its code gets CancelledError, and may clean up (rule *clean up*).

        cleanup: seconds after which the execution ends in any case. Where the code has nothing to clean up, or is not
        deployed, the execution is CANCELLED at once; else it is RUNNING until the code has ended, then CANCELLED.
        Safe to repeat while it cleans up. Raises ExecutionNotFound, and WrongStatus when it has ended.
        """
        return await self._cancelling.cancel(execution_id, why, cleanup)

    async def pause(self, execution_id: str, why: str | None = None) -> Execution:
        """Pauses a RUNNING execution and the children below it: nothing new begins, what runs ends (rule *pause*).

        Safe to repeat. Raises ExecutionNotFound, and WrongStatus when it has ended.
        """
        return await self._pausing.pause(execution_id, why)

    async def unpause(self, execution_id: str, why: str | None = None) -> Execution:
        """Lets a PAUSED execution go on where it was, with the children that were paused with it (rule *pause*).

        Safe to repeat. Raises ExecutionNotFound, and WrongStatus when it has ended or was paused with its parent.
        """
        return await self._pausing.unpause(execution_id, why)

    async def close(self, execution_id: str, why: str | None = None) -> Execution:
        """Closes a FAILED execution: it is kept, and is neither a dead letter nor resumed any more (rule *close*).

        Safe to repeat. Raises ExecutionNotFound, and WrongStatus when it is not FAILED, or is a child.
        """
        return await self._closing.close(execution_id, why)

    async def reopen(self, execution_id: str, why: str | None = None) -> Execution:
        """Makes a CLOSED execution FAILED again: it is a dead letter, and can be resumed (rule *close*).

        Safe to repeat. Raises ExecutionNotFound, and WrongStatus when it is neither CLOSED nor FAILED.
        """
        return await self._closing.reopen(execution_id, why)

    async def resume(
        self, execution_id: str, generation: int | None = None, steps: Sequence[str] | None = None
    ) -> Execution:
        """Rewinds a FAILED execution to just before its failure and runs on (rule *rewind*).

        generation: resume only the failure of that generation, as a redriven dead letter does. An execution that has
        gone on since is returned as it is.
        steps: ids of the commands to run again, instead of those behind the failure (`Execution.causes`). Later
        decisions are made again. An empty list runs the current code on all records.
        Raises ExecutionNotFound, UnknownWorkflow, WrongStatus when it is not
        FAILED, and InvalidRequest for a command that cannot run again.

        If the execution is a child whose parent failed because of it, the executions above it are resumed as well.
        """
        return (await self.rewind(execution_id, generation, steps)).execution

    async def rewind(
        self, execution_id: str, generation: int | None = None, steps: Sequence[str] | None = None
    ) -> Rewind:
        """As `resume`; returns the execution with what was re-opened, which is nothing if another was faster."""
        return await self._resuming.resume(execution_id, generation, steps)

    async def repair(self, execution_id: str, command_id: str, repair: Repair) -> Execution:
        """Gives a step its result by hand, skips it, or changes the input of its next attempt (rule *repair*).

        A FAILED execution is resumed by it; in a RUNNING one, an attempt that still runs is refused. Safe to repeat:
        an equal call changes nothing. Raises ExecutionNotFound, WrongStatus when the execution is neither
        RUNNING nor FAILED, and InvalidRequest for a command that is no step, has its outcome, or has not begun, and for
        a value that does not fit the step's type.
        """
        return await self._repairing.repair(execution_id, command_id, repair)

    async def fork(self, execution_id: str, request: ForkRequest | None = None) -> Forked:
        """Starts an execution with what another has recorded before a command, or before its failure (rule *fork*).

        The origin may have any status, and is not changed. Safe to repeat under the same id of the fork.
        Raises ExecutionNotFound, UnknownWorkflow, and ExecutionConflict when the id of the fork belongs to something
        else. Raises InvalidRequest for a command that the origin does not have, for no command where the origin has no
        failure, for an input that does not fit, and for a workflow with start options.
        """
        return await self._forking.fork(execution_id, request or ForkRequest())

    async def delete(self, execution_id: str) -> None:
        """Deletes an execution that has ended, with all that is of it and with its children; its figures stay.

        Raises ExecutionNotFound, also for one that was deleted before, and WrongStatus when it is RUNNING, or is a
        child whose parent is RUNNING.
        """
        await self._erasing.delete(execution_id)

    async def held_up(self, execution_id: str) -> list[HeldStep]:
        """The steps of a resumed execution that an attempt from before the resume still has; ExecutionNotFound."""
        snapshot = await self.load(execution_id)
        return held_up(snapshot, self.replay(snapshot))

    async def limit_waits(self, execution_id: str) -> list[LimitWait]:
        """The steps of a RUNNING execution that wait at a gate or for a limit; ExecutionNotFound.

        None of an execution with more than MOST_RECORDS_REPLAYED records, whose code is not run for this.
        """
        execution = await self.if_longer(execution_id, MOST_RECORDS_REPLAYED)
        if execution is not None:
            return []
        snapshot = await self.load(execution_id, signals=False)
        if snapshot.execution.status != "RUNNING":
            return []
        replay = self.open_replay(snapshot)
        if replay is None:
            return []
        try:
            return await limit_waits(self._store.limits, snapshot, replay.outstanding, self._clock.now())
        finally:
            replay.close()

    async def replay_dead_letters(self, execution_ids: Sequence[str], rate: float | None = None) -> list[ResumeResult]:
        """Resumes failed executions one after the other, at most `rate` per second.

        An execution that cannot be resumed is reported and does not stop the others.
        """
        return await self._resuming.replay_dead_letters(execution_ids, rate)

    async def sweep(
        self, after: str = "", every: float = 0.0, limit: int = SWEEP_BATCH, visit: Visit | None = None
    ) -> str:
        """Advances up to `limit` executions that nothing is under way for, from this position on (rule *sweep*).

        Returns the position to go on from, "" when all were seen.
        every: seconds between two visits of one execution, for a store that cannot know whether messages are under way.
        Such a sweep sends a message again only once its command is overdue.
        visit: advances one of the executions. Its exception ends the sweep, and the next sweep starts here again.
        """
        ids, position = await self._store.idle(limit, after)
        for execution_id in ids:
            await (visit or self._visit)(execution_id, Resend(every))
        return position

    async def _visit(self, execution_id: str, resend: Resend) -> None:
        try:
            await self._advancer.advance(execution_id, resend=resend)
        except (Unavailable, Misconfigured):
            raise  # the others would fare no better
        except Exception:
            log.exception("execution %s could not be advanced; the sweep goes on with the others", execution_id)
