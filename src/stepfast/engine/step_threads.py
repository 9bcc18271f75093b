"""Threads for `def` steps, which a step that never returns may keep."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from stepfast.thread_outcomes import ThreadOutcomes

IDLE_SECONDS = 60.0
"""The time after which a thread without work ends."""


class _OfThread(threading.local):
    results: ThreadOutcomes | None = None


class Threads:
    """Daemon threads for `def` steps, made when needed, ended after a minute without work.

    A step that never returns keeps its thread and nothing else: it delays neither other steps nor the
    end of the process, as it would in concurrent.futures.
    """

    def __init__(self) -> None:
        # list.append, pop and remove are atomic in CPython, with and without the interpreter lock.
        self._idle: list[_StepThread] = []
        self._caller = _OfThread()

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """A future of the running loop for the function's result."""
        results = self.outcomes(asyncio.get_running_loop())
        future: asyncio.Future[Any] = results.loop.create_future()
        put = results.put

        def work() -> None:
            put(future, function())

        self.give(work)
        return future

    def outcomes(self, loop: asyncio.AbstractEventLoop) -> ThreadOutcomes:
        """What brings results to the loop of the calling thread."""
        results = self._caller.results
        if results is None or results.loop is not loop:
            results = self._caller.results = ThreadOutcomes(loop)
        return results

    def give(self, work: Callable[[], threading.Lock | None]) -> None:
        """Has a thread do the work: the thread that became idle last, or a new one.

        The work raises nothing. It may return a lock, which the thread releases when it is idle again.
        """
        try:
            thread = self._idle.pop()
        except IndexError:
            _StepThread(self._idle, work).start()
        else:
            thread.work = work
            thread.wake.release()


class _StepThread(threading.Thread):
    """Does one piece of work after the other, and is among the idle threads in between.

    Each thread waits on a lock of its own. A queue.SimpleQueue for all wakes a second thread for each item: a `get`
    that has waited releases the lock of the queue, for which the other threads wait (CPython 3.11 and 3.12).
    """

    def __init__(self, idle: list[_StepThread], work: Callable[[], threading.Lock | None]) -> None:
        super().__init__(name="stepfast-step", daemon=True)
        self.work: Callable[[], threading.Lock | None] | None = work
        self.wake = threading.Lock()
        self.wake.acquire()
        self._idle = idle

    def run(self) -> None:
        while self.work is not None:
            awaited = self.work()
            self.work = None
            self._idle.append(self)
            # Last of all: whoever wakes needs the interpreter lock, which the wait below gives away.
            if awaited is not None:
                awaited.release()
            if not self.wake.acquire(timeout=IDLE_SECONDS):
                try:
                    self._idle.remove(self)
                except ValueError:
                    self.wake.acquire()  # somebody took this thread when the wait had just ended, and gives it work
