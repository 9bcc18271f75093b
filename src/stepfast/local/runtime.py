"""The embedded runtime: worker threads that pull from the inbox, a control thread for everything else."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from stepfast.advancer import Advancer
from stepfast.backends.sqlite import SqliteBackend, Stored
from stepfast.backends.sqlite_file import Durability, SqliteFile
from stepfast.errors import Unavailable
from stepfast.live import LiveReplays
from stepfast.local.inbox import Advance, Inbox
from stepfast.local.telling import TellingBackend
from stepfast.local.threads import CallerLoops, LoopThread, WorkerThread
from stepfast.model import SIGNAL_LIMITS, SignalLimits
from stepfast.operations import Operations
from stepfast.ports import Clock, Delete, Disposition, Later, Refuse
from stepfast.registry import Registry
from stepfast.running import Runner, Threads
from stepfast.worker import Worker

log = logging.getLogger(__name__)
T = TypeVar("T")

BLOCKED = 5.0
"""Seconds a worker's event loop may stand still before another thread takes its place."""
MOST_THREADS = 16
"""Worker threads, blocked ones included, that are made at the most."""
SWEEP_PERIOD = 60.0
AGAIN = 1.0
"""Seconds until work is tried again after the store or the code failed on it."""
LEFT = 30.0
"""Seconds until a message that was left alone comes back."""


class SystemClock:
    """The wall clock."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Runtime:
    """Owns one file and runs its executions until closed; use it as a context manager.

    What an earlier process left undone goes on at once. Raises StartupError when the file cannot be had.
    """

    def __init__(
        self,
        registry: Registry,
        path: Path,
        *,
        durability: Durability = "full",
        workers: int = 2,
        clock: Clock | None = None,
        blocked: float = BLOCKED,
        log_values: bool = False,
        signal_limits: SignalLimits = SIGNAL_LIMITS,
    ) -> None:
        self._blocked = blocked
        self.registry = registry
        self._clock = clock or SystemClock()
        backend = TellingBackend if log_values else SqliteBackend
        self._backend = backend(SqliteFile(path, durability), self._clock)
        self._inbox = Inbox()
        self._backend.on_message = self._inbox.put_message
        self._backend.on_wake = self._inbox.put_wake
        lives = LiveReplays()
        self._advancer = Advancer(self._backend, self._backend, self._clock, registry, lives)
        self.operations = Operations(self._backend, self._clock, registry, self._advancer, lives, signal_limits)
        self._worker = Worker(
            self._backend,
            self._backend,
            self._clock,
            registry,
            Runner(Threads()),
            self.operations.resume,
            lives=lives,
        )
        self._stopping = threading.Event()
        messages, wakes = self._backend.outstanding()
        for stored in messages:
            self._inbox.put_message(stored)
        for execution_id, seq in wakes:
            self._inbox.put_wake(execution_id, seq)
        self._callers = CallerLoops()
        self._control = LoopThread("stepfast-control")
        self._workers = [self._worker_thread(number) for number in range(workers)]
        self._control.begin(self._look_after())

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine of the operations to its result, on an event loop of the calling thread's own.

        So no caller waits behind another's write. Raises Unavailable once the runtime is stopping.
        """
        if asyncio._get_running_loop() is not None:
            return self._control.run(coroutine)
        return self._callers.run(coroutine)

    def close(self) -> None:
        """Stops taking work, lets the file's writes finish, and leaves running steps behind.

        A step that is cut off is run again by the next owner of the file, if it may run more than once.
        """
        self._stopping.set()
        self._callers.close()
        for thread in (*self._workers, self._control):
            thread.stop()
        self._advancer.forget()
        self._backend.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- work ----------------------------------------------------------------------------------------------

    async def _do(self, thread: WorkerThread, work: Advance | Stored) -> None:
        if isinstance(work, Advance):
            await self._advance(work)
        else:
            await self._drive(thread, work)

    async def _advance(self, work: Advance) -> None:
        try:
            await self._advancer.advance(work.execution_id)
            self._backend.advanced(work.execution_id, work.seq)
        except Exception as error:
            self._failed(f"advancing execution {work.execution_id}", error)
            asyncio.get_running_loop().call_later(AGAIN, self._inbox.put_wake, work.execution_id, work.seq)
        finally:
            self._inbox.advanced(work.execution_id)

    async def _drive(self, thread: WorkerThread, stored: Stored) -> None:
        message = stored.delivery.message
        try:
            disposition: Disposition = await self._worker.handle(stored.delivery)
        except Exception as error:
            self._failed(f"driving {message.command_id} of execution {message.execution_id}", error)
            disposition = Later(self._clock.now() + AGAIN)
        match disposition:
            case Delete():
                self._backend.delete(stored.seq)
            case Refuse():
                self._backend.refuse(stored.seq)
            case _ if thread.retired:
                pass  # the message was given back when the thread was found blocked
            case Later(at):
                self._inbox.put_message(stored, at)
            case _:
                self._inbox.put_message(stored, self._clock.now() + LEFT)

    def _failed(self, what: str, error: Exception) -> None:
        if isinstance(error, Unavailable):
            log.warning("%s: %s; trying again", what, error)
        else:
            log.exception("%s failed; trying again", what)

    def _worker_thread(self, number: int) -> WorkerThread:
        return WorkerThread(f"stepfast-worker-{number}", self._inbox, self._clock, self._do)

    # -- the net under everything --------------------------------------------------------------------------

    async def _look_after(self) -> None:
        await asyncio.gather(self._sweep(), self._replace_blocked())

    async def _sweep(self) -> None:
        after = ""
        while not self._stopping.is_set():
            try:
                self._backend.flush()
                after = await self.operations.sweep(after)
            except Exception as error:
                self._failed("the sweep", error)
            await asyncio.sleep(SWEEP_PERIOD if after == "" else 0.05)

    async def _replace_blocked(self) -> None:
        """A worker whose loop stands still gets a successor, so that one bad step does not stop the rest."""
        while not self._stopping.is_set():
            await asyncio.sleep(self._blocked / 5)
            for thread in self._workers:
                if thread.retired or thread.still_for() < self._blocked:
                    continue
                if len(self._workers) >= MOST_THREADS:
                    log.error("every worker thread is blocked; restart stepfast once the code is mended")
                    return
                place = thread.retire()
                self._workers.append(self._worker_thread(len(self._workers)))
                log.warning(
                    "a worker thread has stood still for %g s at %s: a step that blocks must be a `def`, not an "
                    "`async def`, and workflow code must not compute for long; another thread takes its place",
                    self._blocked,
                    place,
                )
                break
