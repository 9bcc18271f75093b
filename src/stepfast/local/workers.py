"""Worker threads: each pulls work from the inbox and has up to 128 things in hand; `Pool` keeps enough of them going.

The oldest thread whose event loop answers leads (see inbox): `async` steps run on its loop. While it is blocked the
next one leads; when it answers again it leads again, since clients and pools of asyncio live on its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from stepfast.backends.sqlite.store import Stored
from stepfast.engine.ports import Clock
from stepfast.frames import local_of
from stepfast.local.inbox import Advance, Bell, Inbox
from stepfast.local.stack_positions import Place, in_step, place_of
from stepfast.local.threads import LoopThread

log = logging.getLogger(__name__)
Work = Advance | Stored
Do = Callable[[Work], Awaitable[None]]

IN_HAND_PER_THREAD = 128
"""Messages and advances in hand at a time, for each thread asked for; the thread that leads may have all of them."""
MAX_EXTRA_THREADS = 14
"""Threads beyond those asked for that are alive at the most: code that always blocks must not take all memory."""
ALL_BLOCKED_WARNING_SECONDS = 60.0
"""Seconds between two warnings that every thread is blocked."""


class WorkerThread(LoopThread):
    """One worker. `retire` has it end once it has done what it has in hand."""

    def __init__(self, name: str, inbox: Inbox, clock: Clock, do: Do, at_once: int) -> None:
        super().__init__(name)
        self._at_once = at_once
        self._inbox, self._clock, self._do = inbox, clock, do
        self._in_hand: dict[asyncio.Task[None], Work] = {}
        self.bell = Bell(self.loop, asyncio.Event())
        self.retiring = self._stop_requested = False
        self.blocked_at: Place | None = None
        self._asked: float | None = None
        self.begin(self._serve())

    async def _serve(self) -> None:
        bell = self.bell

        def done(task: asyncio.Task[None]) -> None:
            self._in_hand.pop(task, None)
            bell.event.set()

        while not self.retiring:
            bell.event.clear()
            if len(self._in_hand) >= self._at_once:
                self._inbox.busy(bell)
                wait = 1.0
            elif (work := self._inbox.take(bell, self._clock.now())) is not None:
                task = self.loop.create_task(self._handle(work))
                self._in_hand[task] = work
                task.add_done_callback(done)
                continue
            else:
                wait = self._inbox.wait(bell, self._clock.now())
            try:
                await asyncio.wait_for(bell.event.wait(), wait)
            except TimeoutError:
                pass
        while self._in_hand and not self._stop_requested:
            await asyncio.wait(self._in_hand, timeout=60.0)
        if not self._stop_requested:  # else the loop ends once all that was cancelled has ended
            self.end()

    async def _handle(self, work: Work) -> None:
        await self._do(work)

    def ask_to_stop(self) -> None:
        # asyncio.wait_for of Python 3.11 may swallow a cancellation that comes together with the event it waits for.
        self.retiring = self._stop_requested = True
        super().ask_to_stop()

    def retire(self) -> None:
        self.retiring = True
        self.bell.ring()

    # -- for the watch, from its thread ------------------------------------------------------------------------

    def silent_seconds(self, now: float) -> float:
        """Seconds for which the loop has not answered a question, by the watch's own time; asks when it has."""
        if self._asked is None:
            self._asked = now
            with contextlib.suppress(RuntimeError):  # the loop is closed: the runtime is stopping
                self.loop.call_soon_threadsafe(self._answer)
            return 0.0
        return now - self._asked

    def _answer(self) -> None:
        self._asked = None

    def take_back(self) -> Place:
        """Gives to other threads what this blocked one has in hand; returns where it stands.

        Whatever then becomes of the work here is carried out all the same: a claim is one thread's only, and the
        inbox keeps one copy of a message. Not given away is workflow code that blocks: it would block the next one.
        """
        frame = self.frame()
        keep = None if in_step(frame) else local_of(frame, WorkerThread._handle, "work")
        for work in list(self._in_hand.values()):
            if work is keep:
                continue
            if isinstance(work, Advance):
                self._inbox.give_back(work)
            else:
                self._inbox.put_message(work, self._clock.now())
        return place_of(frame)

    def holds(self) -> set[int]:
        """Numbers of the messages that it has in hand."""
        return {work.seq for work in list(self._in_hand.values()) if isinstance(work, Stored)}


class Pool:
    """Keeps `size` threads that answer, while not more than 14 beyond them are alive."""

    def __init__(self, size: int, inbox: Inbox, clock: Clock, do: Do) -> None:
        self._size, self._inbox, self._clock, self._do = size, inbox, clock, do
        self._made = 0
        self._lock = threading.Lock()
        self._reminded = float("-inf")
        self.threads: list[WorkerThread] = []
        for _ in range(size):
            self._add()
        self._inbox.lead(self.threads[0].bell)

    def _add(self) -> None:
        name, at_once = f"stepfast-worker-{self._made}", IN_HAND_PER_THREAD * self._size
        thread = WorkerThread(name, self._inbox, self._clock, self._do, at_once)
        self._made += 1
        self.threads = [*self.threads, thread]

    def look(self, now: float, patience: float) -> None:
        """Finds threads that are blocked, or no longer, and makes up for them. now: seconds by the watch's own time."""
        with self._lock:
            for thread in self.threads:
                if not thread.is_alive():
                    thread.join(0.0)  # closes its event loop
            self.threads = [thread for thread in self.threads if thread.is_alive()]
            for thread in self.threads:
                silent = thread.silent_seconds(now)
                if thread.blocked_at is None and silent >= patience:
                    self._blocked(thread, silent)
                elif thread.blocked_at is not None and silent == 0.0:
                    log.info("worker thread %s answers again", thread.name)
                    thread.blocked_at = None
            self._balance(now)

    def _blocked(self, thread: WorkerThread, silent: float) -> None:
        place = thread.blocked_at = thread.take_back()
        log.warning(
            "a worker thread has stood still for %.3g s at %s; it stands %s; other threads do the rest of its work",
            silent,
            place,
            place.advice,
        )

    def _balance(self, now: float) -> None:
        able = [thread for thread in self.threads if thread.blocked_at is None and not thread.retiring]
        while len(able) < self._size and len(self.threads) < self._size + MAX_EXTRA_THREADS:
            self._add()
            able.append(self.threads[-1])
        for thread in able[self._size :]:
            thread.retire()
        if able:
            self._inbox.lead(able[0].bell)
        elif now - self._reminded >= ALL_BLOCKED_WARNING_SECONDS:
            self._reminded = now
            places = sorted({str(thread.blocked_at) for thread in self.threads})
            log.error(
                "all %d worker threads are blocked, and no more are made: executions go on when one of them does. "
                "They stand at %s",
                len(self.threads),
                "; ".join(places),
            )

    def stop(self, patience: float = 2.0) -> None:
        """Cancels what runs and ends the threads; those that are blocked are left behind."""
        end = time.monotonic() + patience
        for thread in self.threads:
            thread.ask_to_stop()
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))

    def holds(self) -> set[int]:
        """Numbers of the messages that some thread has in hand."""
        return {seq for thread in self.threads for seq in thread.holds()}


class OwnTime:
    """Seconds in which a thread has run that looks at the clock often; a gap counts as `most` seconds at the most."""

    def __init__(self, began: float, most: float) -> None:
        self._last, self._most, self._sum = began, most, 0.0

    def at(self, now: float) -> float:
        self._sum += min(now - self._last, self._most)
        self._last = now
        return self._sum


class Watch:
    """Looks at the pool five times in `patience` seconds, from a thread without an event loop: it cannot be blocked.

    It goes by its own time: a pause of the whole process (SIGSTOP, a debugger, a machine put to sleep) or a machine
    so busy that this thread does not run either is not held against a worker.
    """

    def __init__(self, pool: Pool, patience: float) -> None:
        self._pool, self._patience = pool, patience
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stepfast-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        period = self._patience / 5
        own = OwnTime(time.monotonic(), 2 * period)
        while not self._stop.wait(period):
            now = own.at(time.monotonic())
            try:
                self._pool.look(now, self._patience)
            except Exception:
                log.exception("the watch over the worker threads failed; it goes on")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2.0)
