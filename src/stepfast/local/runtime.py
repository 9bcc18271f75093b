"""The embedded runtime: worker threads that pull from the inbox, a watch over them, and a control thread."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from stepfast.backends.item_files import DiskAndBucketFiles
from stepfast.backends.sqlite.file import Durability, SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.deployment.schedule_times import declared
from stepfast.deployment.schedules import ScheduledStart
from stepfast.engine.advancer import Advancer
from stepfast.engine.audit_store import KEPT_AS_BY_DEFAULT, AuditSettings
from stepfast.engine.embedded import EmbeddedBackend, Stored
from stepfast.engine.event_log import EventLog
from stepfast.engine.limiting import Limiter
from stepfast.engine.observed import StoreListener, observed
from stepfast.engine.operations import Operations
from stepfast.engine.park_handler import ParkHandler
from stepfast.engine.ports import Clock, Delete, Disposition, Elsewhere, Later, Leave, Refuse, Store
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.sealed_store import SealedStore
from stepfast.engine.step_handler import StepHandler
from stepfast.engine.timer_handler import TimerHandler
from stepfast.engine.value_log import ValueLog
from stepfast.engine.webhook_operations import WebhookOperations
from stepfast.engine.webhooks import Webhook
from stepfast.engine.worker import Worker
from stepfast.errors import StartupError
from stepfast.functions import logs
from stepfast.language.limits import Numbers
from stepfast.language.registry import Registry
from stepfast.local import process_pool
from stepfast.local.encryption import destroy_keys, keep_tidy, owner_keyring
from stepfast.local.ends import Ends
from stepfast.local.inbox import Advance, Inbox
from stepfast.local.pool_limits import Limits
from stepfast.local.retention import keep_auditing, keep_expiring
from stepfast.local.schedules import RATE_PHASE, EmbeddedSchedules
from stepfast.local.step_runner import StepRunner
from stepfast.local.sweep import Sweep
from stepfast.local.threads import CallerLoops, LoopThread
from stepfast.local.webhooks import EmbeddedWebhooks
from stepfast.local.work_failures import WorkFailures
from stepfast.local.workers import Following, PoolWatch, WorkerPool
from stepfast.model import MAX_CHILD_DEPTH, SIGNAL_LIMITS, SignalLimits, Snapshot
from stepfast.replay.asyncio_internals import get_running_loop

if TYPE_CHECKING:
    from stepfast.telemetry import Telemetry

log = logging.getLogger(__name__)
T = TypeVar("T")

BLOCKED_AFTER_SECONDS = 5.0
"""The time for which a worker's event loop may be blocked before another thread does its work."""
SWEEP_PERIOD_SECONDS = 60.0
"""The time between two sweeps."""
MOMENT_NAP_SECONDS = 0.01
"""Seconds that a worker waits for the reserved moment of a step. For a later moment the inbox keeps its message."""
STEP_GRACE_SECONDS = 8.0
"""The time for running steps to end when `stepfast dev` stops. `docker stop` kills the process after 10 s."""
KEPT_REPLAYS = 1_000
"""Replays that are kept between two handlings; about 10 KB each, and 3 KB for each of its records."""
INTERRUPTED_RECORD_SECONDS = 3.0
"""The time for the attempts that a stop has cut off to be recorded as interrupted."""
LEFT_SECONDS = 30.0
"""The wait before a message with the disposition Leave is handled again."""


def _listeners(log_values: bool, telemetry: Telemetry | None) -> list[StoreListener]:
    """The listeners that log, and that make spans."""
    logging_listeners: list[StoreListener] = [EventLog(), ValueLog()] if log_values else [EventLog()]
    return logging_listeners if telemetry is None else [*logging_listeners, telemetry]


# stepfast has put a function around time.time that asks whether workflow code calls it. None does here.
_time: Callable[[], float] = getattr(time.time, "__wrapped__", time.time)


class SystemClock:
    """The wall clock."""

    now = staticmethod(_time)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Runtime:
    """Owns one SQLite file and runs its executions until it is closed. Use it as a context manager.

    Work that an earlier process has left continues at once.

    workers: threads that answer; blocked threads are replaced.
    blocked: seconds for which a thread may stop responding before it counts as blocked.
    log_values: whether inputs, outputs and errors are logged.
    retention: seconds after which SUCCEEDED and CANCELLED executions are deleted; None keeps them.
    grace: seconds that `close` gives running steps to end.
    limits: the steps of each pool that may run at once; a pool that is not listed has no limit.
    processes: the number of processes that run the `def` steps of each pool; those of other pools run in threads.
    schedules: the scheduled starts.
    max_child_depth: the most executions that a child may have above it.
    listeners: called for what is written, in addition to the logs.
    telemetry: makes spans and metrics of OpenTelemetry.
    limit_numbers: numbers of limits in place of those of the code, by the name of the limit.
    public_url: what the addresses of answer links begin with.
    webhooks: where changes of executions are posted to.
    key_file: the file of the keys that values are encrypted with. encrypt_new: whether new executions are encrypted.
    audit: how long the audit list is kept, and whether it has starts.

    Raises StartupError when the file cannot be opened, when another process owns it, and for a pool whose processes
    cannot import its steps.
    """

    def __init__(
        self,
        registry: Registry,
        path: Path,
        *,
        durability: Durability = "full",
        workers: int = 2,
        clock: Clock | None = None,
        blocked: float = BLOCKED_AFTER_SECONDS,
        log_values: bool = False,
        retention: float | None = None,
        grace: float = 0.0,
        signal_limits: SignalLimits = SIGNAL_LIMITS,
        limits: Mapping[str, int] | None = None,
        processes: Mapping[str, int] | None = None,
        schedules: Iterable[ScheduledStart] = (),
        max_child_depth: int = MAX_CHILD_DEPTH,
        listeners: Iterable[StoreListener] = (),
        telemetry: Telemetry | None = None,
        limit_numbers: Mapping[str, Numbers] = MappingProxyType({}),
        public_url: str = "",
        webhooks: Sequence[Webhook] = (),
        key_file: Path | None = None,
        encrypt_new: bool = True,
        audit: AuditSettings = KEPT_AS_BY_DEFAULT,
    ) -> None:
        plans, starts = process_pool.plans(processes or {}, registry), list(schedules)
        self.interrupted = False
        """True if a signal has ended the grace period of `close`."""
        self._retention = retention
        self._grace = grace
        self.registry = registry
        self._clock = clock or SystemClock()
        file = SqliteFile(path, durability)
        try:
            self._keyring = owner_keyring(path, self._clock, key_file, encrypts=encrypt_new)
        except StartupError:
            file.close()
            raise
        self._backend: EmbeddedBackend = SqliteBackend(file, self._clock)
        self._sealed = sealed = SealedStore(self._backend, self._keyring)
        self.ends = Ends()
        """Tells those who wait for the end of an execution."""
        store = observed(sealed, self.ends, *_listeners(log_values, telemetry), *listeners)
        self._failures = WorkFailures(log)
        self._inbox = Inbox()
        self._connect()
        self._stopping = threading.Event()
        self._processes = process_pool.start(plans)
        async_steps = [step.name for step in registry.steps if step.is_async] if plans else []
        self._limits = Limits(limits or {}, self._processes, async_steps)
        self._runner = StepRunner(self._inbox, self._processes)
        lives = LiveReplays(KEPT_REPLAYS, deltas=sealed)
        self._advancer = Advancer(store, self._backend, self._clock, registry, lives, max_child_depth=max_child_depth)
        self._webhooks = EmbeddedWebhooks(webhooks, self._backend.webhooks, self._clock)
        self.operations = self._make_operations(store, lives, signal_limits, limit_numbers, starts, webhooks, audit)
        self._worker = self._make_worker(store, lives, telemetry, limit_numbers, public_url)
        self._put_outstanding()
        self._schedules = EmbeddedSchedules(starts, self.operations, self._clock)
        self._control = LoopThread("stepfast-control")
        self._callers = CallerLoops(file.open_reader, self._control)
        self.pool = WorkerPool(workers, self._inbox, self._clock, self._do_work, file.open_reader)
        self._watch = PoolWatch(self.pool, blocked)
        self._control.begin(self._maintain())
        self._webhooks.begin()

    def _make_operations(
        self,
        store: Store,
        lives: LiveReplays,
        signal_limits: SignalLimits,
        limit_numbers: Mapping[str, Numbers],
        starts: Sequence[ScheduledStart],
        webhooks: Sequence[Webhook],
        audit: AuditSettings,
    ) -> Operations:
        return Operations(
            store,
            self._clock,
            self.registry,
            self._advancer,
            lives,
            signal_limits,
            queue=self._backend,
            limit_numbers=limit_numbers,
            schedules=lambda: [declared(start, RATE_PHASE) for start in starts],
            webhooks=WebhookOperations(self._backend.webhooks, self._clock, webhooks),
            audit=audit,
        )

    def _make_worker(
        self,
        store: Store,
        lives: LiveReplays,
        telemetry: Telemetry | None,
        limit_numbers: Mapping[str, Numbers],
        public_url: str,
    ) -> Worker:
        limiter = Limiter(store, self._backend, self._clock, nap=MOMENT_NAP_SECONDS, settings=limit_numbers, sole=True)
        steps = StepHandler(
            store,
            self._backend,
            self._clock,
            self.registry,
            self._runner if telemetry is None else telemetry.runner(self._runner),
            time_left=lambda: 0.0 if self._stopping.is_set() else math.inf,
            lives=lives,
            takes=self._runner.takes,
            files=DiskAndBucketFiles(),
            limiter=limiter,
            public_url=public_url,
        )
        return Worker(
            steps, TimerHandler(store, self._backend, self._clock), ParkHandler(store, self._clock, self.registry)
        )

    def _connect(self) -> None:
        """Has the inbox get what the backend commits."""
        self._backend.on_message = self._inbox.put_message
        self._backend.on_wake = self._inbox.put_wake
        self._backend.on_dropped = self._inbox.drop_message
        self._backend.on_erased = partial(destroy_keys, self._keyring)

    def _put_outstanding(self) -> None:
        """Gives the inbox the work that an earlier process has left."""
        messages, wakes = self._backend.outstanding()
        for stored in messages:
            self._inbox.put_message(stored)
        for execution_id, seq in wakes:
            self._inbox.put_wake(execution_id, seq)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine of the operations and returns its result. Thread-safe.

        Each calling thread has an event loop of its own, so that no caller waits for another's write. Raises
        Unavailable once the runtime is stopping.
        """
        if get_running_loop() is not None:
            # asyncio cannot run a second loop in this thread, so the loop of the control thread runs the coroutine.
            return self._control.run(coroutine)
        return self._callers.run(coroutine)

    def close(self) -> None:
        """Stops taking work, gives running steps `grace` seconds to end, and waits for the writes to the file.

        An attempt that still runs then is cut off and recorded as interrupted. It runs again under the next owner of
        the file, unless its step may run only once. KeyboardInterrupt ends the grace period early.
        """
        self._inbox.close()
        self._stopping.set()
        self.ends.close()
        try:
            self._wait_for_steps()
        except KeyboardInterrupt:
            self.interrupted = True
            log.warning("a second signal: running steps are cut off now")
        self._runner.cut_off()
        self._runner.wait_until_idle(INTERRUPTED_RECORD_SECONDS)
        process_pool.close(self._processes)
        self._callers.close()
        self._webhooks.stop()
        self._watch.stop()
        self.pool.stop()
        self._control.stop()
        self._advancer.forget()
        self._backend.close()
        self._keyring.close()

    def _wait_for_steps(self) -> None:
        if self._grace > 0 and not self._runner.wait_until_idle(0.0):
            log.info("waiting up to %g s for running steps to end", self._grace)
            if not self._runner.wait_until_idle(self._grace):
                log.warning("steps still run after %g s: they are cut off", self._grace)

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- work ----------------------------------------------------------------------------------------------

    def _do_work(self, work: Advance | Stored) -> Coroutine[Any, Any, Following | None]:
        """Called in a task that does nothing else."""
        if isinstance(work, Advance):
            logs.from_here_about(work.execution_id)
            return self._advance(work)
        logs.from_here_about(work.delivery.message.execution_id)
        return self._handled(work, None)

    async def _advance(self, work: Advance) -> Following | None:
        read = None
        try:
            read = (await self._advancer.advance(work.execution_id, resend=work.resend)).snapshot
            if work.seq:
                self._backend.advanced(work.execution_id, work.seq)
        except Exception as error:
            delay = self._failures.note(f"advancing execution {work.execution_id}", error)
            loop = asyncio.get_running_loop()
            loop.call_later(delay, self._inbox.put_wake, work.execution_id, work.seq, work.resend)
        finally:
            following = self._inbox.advanced(work)
        return None if following is None else (following, self._handled(following, read))

    def _handled(self, stored: Stored, read: Snapshot | None) -> Coroutine[Any, Any, None]:
        """Handles a message. read: of the advance that has just sent it."""
        limited = self._limits.apply_to(stored.delivery.message)
        return self._handle_in_pool(stored, read) if limited else self._handle(stored, read)

    async def _handle_in_pool(self, stored: Stored, read: Snapshot | None) -> None:
        """Handles a message if its pool has a place for it. Otherwise the message waits in its pool's limit."""
        if not self._limits.enter(stored):
            return
        try:
            await self._handle(stored, read)
        finally:
            for waiting in self._limits.leave(stored):
                self._inbox.put_message(waiting, self._clock.now())

    async def _handle(self, stored: Stored, read: Snapshot | None) -> None:
        """Handles a message and carries out the disposition.

        This also happens for a thread that was blocked meanwhile, whose message another thread has handled as well:
        dropping and deleting are idempotent, and the inbox keeps one copy of a message.
        """
        try:
            disposition: Disposition = await self._worker.handle(stored.delivery, read)
        except Exception as error:
            message = stored.delivery.message
            about = f"the {message.kind} {message.command_id!r} of execution {message.execution_id}"
            delay = self._failures.note(about, error)
            disposition = Later(self._clock.now() + delay)
        match disposition:
            case Delete():
                self._inbox.drop_message(stored.seq)
                self._backend.delete(stored.seq)
            case Refuse():
                self._inbox.drop_message(stored.seq)
                self._backend.refuse(stored.seq)
            case Later(at):
                self._inbox.put_message(stored, at)
            case Elsewhere():
                self._inbox.put_message(stored, self._clock.now(), for_leader=True)
            case Leave():
                self._inbox.put_message(stored, self._clock.now() + LEFT_SECONDS)

    async def _maintain(self) -> None:
        """The work of the control thread: the sweep, retention and scheduled starts."""
        await asyncio.gather(
            self._sweep(),
            keep_expiring(self._backend, self._clock, self._retention, self._stopping),
            keep_auditing(self.operations.audit, self._stopping),
            keep_tidy(self._sealed, self._clock, self._stopping),
            self._schedules.keep(self._stopping),
        )

    async def _sweep(self) -> None:
        sweep = Sweep(self._backend, self._inbox, lambda: self.pool.holds() | self._limits.waits(), self._clock)
        while not self._stopping.is_set():
            try:
                await sweep.lap()
            except Exception as error:
                self._failures.note("the sweep", error)
            self._failures.report()
            await asyncio.sleep(SWEEP_PERIOD_SECONDS)
