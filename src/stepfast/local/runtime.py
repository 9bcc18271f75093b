"""The embedded runtime: worker threads that pull from the inbox, a control thread for everything else."""

from __future__ import annotations

import asyncio
import concurrent.futures
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
from stepfast.local.inbox import Advance, Bell, Inbox
from stepfast.operations import Operations
from stepfast.ports import Clock, Delete, Disposition, Later, Refuse
from stepfast.registry import Registry
from stepfast.running import Runner, Threads
from stepfast.worker import Worker

log = logging.getLogger(__name__)
T = TypeVar("T")

AT_ONCE = 64
"""Messages and advances that one worker thread has in hand at a time."""
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
    ) -> None:
        self.registry = registry
        self._clock = clock or SystemClock()
        self._backend = SqliteBackend(SqliteFile(path, durability), self._clock)
        self._inbox = Inbox()
        self._backend.on_message = self._inbox.put_message
        self._backend.on_wake = self._inbox.put_wake
        self._advancer = Advancer(self._backend, self._backend, self._clock, registry)
        self.operations = Operations(self._backend, self._clock, registry, self._advancer)
        self._worker = Worker(
            self._backend, self._backend, self._clock, registry, Runner(Threads()), self.operations.resume
        )
        self._stopping = threading.Event()
        messages, wakes = self._backend.outstanding()
        for stored in messages:
            self._inbox.put_message(stored)
        for execution_id, seq in wakes:
            self._inbox.put_wake(execution_id, seq)
        self._control = _LoopThread("stepfast-control")
        self._workers = [_LoopThread(f"stepfast-worker-{number}") for number in range(workers)]
        self._control.begin(self._sweep())
        for thread in self._workers:
            thread.begin(self._serve())

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine of the operations on the control thread; from any other thread, blocking."""
        return self._control.run(coroutine)

    def close(self) -> None:
        """Stops taking work, lets the file's writes finish, and leaves running steps behind.

        A step that is cut off is run again by the next owner of the file, if it may run more than once.
        """
        self._stopping.set()
        for thread in (*self._workers, self._control):
            thread.stop()
        self._backend.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- one worker thread -------------------------------------------------------------------------------

    async def _serve(self) -> None:
        bell = Bell(asyncio.get_running_loop(), asyncio.Event())
        in_hand: set[asyncio.Task[None]] = set()

        def done(task: asyncio.Task[None]) -> None:
            in_hand.discard(task)
            bell.event.set()

        while not self._stopping.is_set():
            bell.event.clear()
            work = self._inbox.take(self._clock.now()) if len(in_hand) < AT_ONCE else None
            if work is not None:
                task = asyncio.create_task(self._do(work))
                in_hand.add(task)
                task.add_done_callback(done)
                continue
            full = len(in_hand) >= AT_ONCE
            wait = 1.0 if full else self._inbox.wait(bell, self._clock.now())
            try:
                await asyncio.wait_for(bell.event.wait(), wait)
            except TimeoutError:
                pass

    async def _do(self, work: Advance | Stored) -> None:
        if isinstance(work, Advance):
            await self._advance(work)
        else:
            await self._drive(work)

    async def _advance(self, work: Advance) -> None:
        try:
            await self._advancer.advance(work.execution_id)
            self._backend.advanced(work.execution_id, work.seq)
        except Exception as error:
            self._failed(f"advancing execution {work.execution_id}", error)
            asyncio.get_running_loop().call_later(AGAIN, self._inbox.put_wake, work.execution_id, work.seq)
        finally:
            self._inbox.advanced(work.execution_id)

    async def _drive(self, stored: Stored) -> None:
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
            case Later(at):
                self._inbox.put_message(stored, at)
            case _:
                self._inbox.put_message(stored, self._clock.now() + LEFT)

    def _failed(self, what: str, error: Exception) -> None:
        if isinstance(error, Unavailable):
            log.warning("%s: %s; trying again", what, error)
        else:
            log.exception("%s failed; trying again", what)

    # -- the net under everything --------------------------------------------------------------------------

    async def _sweep(self) -> None:
        after = ""
        while not self._stopping.is_set():
            try:
                after = await self.operations.sweep(after)
            except Exception as error:
                self._failed("the sweep", error)
            await asyncio.sleep(SWEEP_PERIOD if after == "" else 0.05)


class _LoopThread:
    """An event loop in a daemon thread; it goes on when a step lets SystemExit out of it."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._main: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped = False

    def begin(self, main: Coroutine[Any, Any, None]) -> None:
        self._main = self.loop.create_task(main)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopped:
            try:
                self.loop.run_forever()
            except BaseException:
                log.exception("something ended the event loop of %s; it goes on", self._thread.name)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._stopped:
            coroutine.close()
            raise Unavailable("the runtime is stopping")
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result()

    def stop(self, patience: float = 2.0) -> None:
        """Cancels what runs and ends the thread; one that is blocked by a step is left behind."""
        self.loop.call_soon_threadsafe(self._cancel_all)
        self._thread.join(patience)
        if not self._thread.is_alive():
            self.loop.close()

    def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()

        async def end() -> None:
            await asyncio.wait(tasks, timeout=1.0)
            self._stopped = True
            self.loop.stop()

        if tasks:
            self._ending = self.loop.create_task(end())
        else:
            self._stopped = True
            self.loop.stop()
