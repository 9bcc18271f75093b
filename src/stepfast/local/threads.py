"""Threads with an event loop each: one for control, several that pull work, and what if one is blocked."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from stepfast.backends.sqlite import Stored
from stepfast.errors import Unavailable
from stepfast.local.inbox import Advance, Bell, Inbox
from stepfast.ports import Clock

log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Advance | Stored

AT_ONCE = 128
"""Messages and advances that one worker thread has in hand at a time."""


class LoopThread:
    """An event loop in a daemon thread; it goes on when a step lets SystemExit out of it."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
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
        """Runs a coroutine on this thread, from another one, and waits for its result."""
        if self._stopped:
            coroutine.close()
            raise Unavailable("the runtime is stopping")
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result()

    def stop(self, patience: float = 2.0) -> None:
        """Cancels what runs and ends the thread; one that is blocked is left behind."""
        if not self._stopped:
            self.loop.call_soon_threadsafe(self._cancel_all)
        self._thread.join(patience)
        if not self._thread.is_alive() and not self.loop.is_closed():
            self.loop.close()

    def end(self) -> None:
        """Ends the thread from within."""
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

    def frame(self) -> FrameType | None:
        """Where the thread stands right now."""
        return sys._current_frames().get(self._thread.ident or -1)


class CallerLoops:
    """An event loop for each thread that calls, kept for its next call."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._lock = threading.Lock()
        self._idle: set[asyncio.AbstractEventLoop] = set()
        self._stopped = threading.Event()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on this thread's loop."""
        loop: asyncio.AbstractEventLoop | None = getattr(self._own, "loop", None)
        with self._lock:
            if self._stopped.is_set():
                coroutine.close()
                raise Unavailable("the runtime is stopping")
            if loop is None:
                loop = self._own.loop = asyncio.new_event_loop()
            self._idle.discard(loop)
        try:
            return loop.run_until_complete(coroutine)
        finally:
            with self._lock:
                self._idle.add(loop)
                if self._stopped.is_set():
                    loop.close()

    def close(self) -> None:
        """Closes the loops that are not in a call; each of the others when its call ends."""
        with self._lock:
            self._stopped.set()
            for loop in self._idle:
                loop.close()


class WorkerThread(LoopThread):
    """Pulls from the inbox and has up to 128 things in hand; `retire` takes them back from a blocked one."""

    def __init__(
        self, name: str, inbox: Inbox, clock: Clock, do: Callable[[WorkerThread, Work], Awaitable[None]]
    ) -> None:
        super().__init__(name)
        self._inbox, self._clock, self._do = inbox, clock, do
        self._in_hand: dict[asyncio.Task[None], Work] = {}
        self.retired = False
        self._answered = time.monotonic()
        self.begin(self._serve())

    async def _serve(self) -> None:
        bell = Bell(self.loop, asyncio.Event())

        def done(task: asyncio.Task[None]) -> None:
            self._in_hand.pop(task, None)
            bell.event.set()

        while not self.retired:
            bell.event.clear()
            full = len(self._in_hand) >= AT_ONCE
            work = None if full else self._inbox.take(self._clock.now())
            if work is not None:
                task = self.loop.create_task(self._one(work))
                self._in_hand[task] = work
                task.add_done_callback(done)
                continue
            wait = 1.0 if full else self._inbox.wait(bell, self._clock.now())
            try:
                await asyncio.wait_for(bell.event.wait(), wait)
            except TimeoutError:
                pass
        while self._in_hand:
            await asyncio.wait(self._in_hand, timeout=60.0)
        self.end()

    def still_for(self) -> float:
        """Seconds for which the loop has not answered; asks it again."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the runtime is stopping
            self.loop.call_soon_threadsafe(self._answer)
        return time.monotonic() - self._answered

    def _answer(self) -> None:
        self._answered = time.monotonic()

    async def _one(self, work: Work) -> None:
        await self._do(self, work)

    def retire(self) -> str:
        """Gives back what a blocked thread has in hand, all but what blocks it; returns where it stands.

        A step that another thread finds claimed it leaves alone until the lease ends, as ever.
        """
        self.retired = True
        frame = self.frame()
        blocking = _blocking_work(frame)
        for work in list(self._in_hand.values()):
            if work is blocking:
                continue
            if isinstance(work, Advance):
                self._inbox.advanced(work.execution_id)
                self._inbox.put_wake(work.execution_id, work.seq)
            else:
                self._inbox.put_message(work, self._clock.now())
        return _place(frame)


def _blocking_work(frame: FrameType | None) -> Work | None:
    while frame is not None:
        if frame.f_code is WorkerThread._one.__code__:
            work: Work = frame.f_locals["work"]
            return work
        frame = frame.f_back
    return None


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown place"
    last = traceback.extract_stack(frame, limit=1)[-1]
    return f"{last.filename}, line {last.lineno}, in {last.name}"
