"""Threads for requests, in lanes of a fixed width, so that a read never waits for a slow write."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from stepfast.thread_outcomes import ThreadOutcomes

T = TypeVar("T")

WIDTHS = {"health": 1, "read": 6, "write": 6}
"""Threads of each lane. Health has a lane of its own, so that it answers while everything else is busy."""


class ThreadLane(Generic[T]):
    """Up to `width` daemon threads, started on demand. Work waits for a free thread in order of arrival.

    ThreadPoolExecutor joins its threads when the interpreter exits; a request that never ends must not prevent the
    exit.
    """

    def __init__(self, name: str, width: int) -> None:
        self._name, self._width = name, width
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._outcomes: ThreadOutcomes | None = None

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs the function in one of the threads; called on one event loop only."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._outcomes is None:
            self._outcomes = ThreadOutcomes(loop)
        outcomes = self._outcomes

        def work() -> None:
            try:
                result = function(*arguments)
            except BaseException as error:  # SystemExit too: the caller would wait for ever
                outcomes.put(future, None, error)
            else:
                outcomes.put(future, result)

        if not self._free.acquire(blocking=False) and len(self._threads) < self._width:
            name, held = f"{self._name}-{len(self._threads)}", (self._jobs, self._free)
            thread = threading.Thread(target=self._serve, args=held, name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system allows no more threads; the existing ones will take the work
                if not self._threads:
                    raise
            else:
                self._threads.append(thread)
        self._jobs.put(work)
        return await future

    def close(self) -> None:
        """Lets each thread end after the queued work; does not wait. Work that comes later starts other threads."""
        jobs, threads = self._jobs, self._threads
        self._jobs, self._free, self._threads = queue.SimpleQueue(), threading.Semaphore(0), []
        for _ in threads:
            jobs.put(None)

    @staticmethod
    def _serve(jobs: queue.SimpleQueue[Callable[[], None] | None], free: threading.Semaphore) -> None:
        while (job := jobs.get()) is not None:
            job()
            free.release()


class Lanes(Generic[T]):
    """One lane for each kind of request."""

    def __init__(self, widths: Mapping[str, int] = WIDTHS) -> None:
        self._lanes = {kind: ThreadLane[T](f"stepfast-{kind}", width) for kind, width in widths.items()}

    def __getitem__(self, kind: str) -> ThreadLane[T]:
        return self._lanes[kind]

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()
