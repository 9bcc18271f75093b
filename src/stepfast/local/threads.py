"""Threads with an event loop each, and event loops for calling threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from stepfast.descriptors import may_open
from stepfast.errors import Unavailable
from stepfast.frames import frame_of_thread
from stepfast.repeated_failures import RepeatedFailures
from stepfast.replay.asyncio_internals import begun, is_idle, set_running_loop
from stepfast.replay.new_loops import new_loop

log = logging.getLogger(__name__)
T = TypeVar("T")

SPARED_DESCRIPTORS = 16
"""The file descriptors that must be free for a calling thread to take some for a loop of its own."""
FEW_DESCRIPTORS = "few file descriptors are left, so requests share one event loop: raise ulimit -n"


class LoopThread:
    """An event loop in a daemon thread.

    asyncio lets SystemExit and KeyboardInterrupt of a task end run_forever (CPython 3.11 to 3.14). A step may raise
    either, so this thread runs its loop again until it is stopped.
    """

    def __init__(self, name: str) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopped = False

    def begin(self, main: Coroutine[Any, Any, None]) -> None:
        """Starts the thread with this coroutine as its first task."""
        self._main = self.loop.create_task(main)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopped:
            try:
                self.loop.run_forever()
            except BaseException:
                log.exception("an exception ended the event loop of %s; the loop runs again", self._thread.name)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on this thread's loop and waits for its result, from another thread. Raises Unavailable."""
        if self._stopped:
            coroutine.close()
            raise Unavailable("the runtime is stopping")
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result()

    def stop(self, patience: float = 2.0) -> None:
        """Cancels the tasks and ends the thread. A thread that is still blocked after `patience` seconds is left."""
        self.ask_to_stop()
        self.join(patience)

    def ask_to_stop(self) -> None:
        """Cancels the tasks and lets the thread end, without waiting for it. Thread-safe."""
        if not self._stopped:
            self.loop.call_soon_threadsafe(self._cancel_all)

    def join(self, patience: float) -> None:
        """Waits up to `patience` seconds for the end of the thread, and then closes its loop."""
        self._thread.join(patience)
        if not self._thread.is_alive() and not self.loop.is_closed():
            self.loop.close()

    def end(self) -> None:
        """Ends the thread. Call it on the thread itself."""
        self._stopped = True
        self.loop.stop()

    def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()

        async def end() -> None:
            if tasks:
                await asyncio.wait(tasks, timeout=1.0)
            self.end()

        self._ending = self.loop.create_task(end())

    @property
    def name(self) -> str:
        return self._thread.name

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def frame(self) -> FrameType | None:
        """The innermost frame of the thread at this moment; None if it has ended."""
        return frame_of_thread(self._thread.ident or -1)


class CallerLoops:
    """An event loop for each calling thread, kept for its next call. Thread-safe.

    While file descriptors are few, threads without a loop share that of another thread: what they hold they keep, and
    connections, steps and the store need descriptors as well.

    prepare: opens what the calling thread reads by. Raises Unavailable. shared: the thread with the shared loop.
    """

    def __init__(self, prepare: Callable[[], None], shared: LoopThread) -> None:
        self._prepare, self._shared = prepare, shared
        self._shortages = RepeatedFailures(log)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._idle: set[asyncio.AbstractEventLoop] = set()
        self._stopped = threading.Event()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the calling thread's loop. Raises Unavailable after `close`."""
        loop: asyncio.AbstractEventLoop | None = getattr(self._own, "loop", None)
        with self._lock:
            if self._stopped.is_set():
                coroutine.close()
                raise Unavailable("the runtime is stopping")
            if loop is not None:
                self._idle.discard(loop)
        if loop is None:
            loop = self._own.loop = self._new()
        if loop is None:
            return self._shared.run(coroutine)
        try:
            return _run(loop, coroutine)
        finally:
            with self._lock:
                self._idle.add(loop)
                if self._stopped.is_set():
                    loop.close()

    def _new(self) -> asyncio.AbstractEventLoop | None:
        """A loop for this thread, which can read; None if descriptors are few."""
        if may_open(SPARED_DESCRIPTORS):
            with contextlib.suppress(OSError):
                loop = new_loop()
                try:
                    self._prepare()
                    return loop
                except Unavailable:
                    loop.close()
        self._shortages.note(logging.WARNING, "descriptors", FEW_DESCRIPTORS)
        return None

    def close(self) -> None:
        """Closes the loops that are not in a call. The others are closed when their call ends."""
        with self._lock:
            self._stopped.set()
            for loop in self._idle:
                loop.close()


def _run(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine. Most calls are reads, which wait for nothing, and then the loop need not turn."""
    set_running_loop(loop)
    try:
        task = begun(coroutine, contextvars.copy_context())
    finally:
        set_running_loop(None)
    return task.result() if task.done() and is_idle(loop) else loop.run_until_complete(task)
