"""Worker threads that pull work from the inbox, the `WorkerPool` that replaces blocked ones, and the watch over them.

The oldest thread whose event loop answers is the leader (see inbox): `async` steps run on its loop. While it is
blocked, the next thread leads. As soon as it answers again it leads again, because asyncio's clients and pools belong
to its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from stepfast.engine.embedded import Stored
from stepfast.engine.ports import Clock
from stepfast.errors import StepfastError
from stepfast.frames import local_of
from stepfast.local.inbox import Advance, Bell, Inbox
from stepfast.local.stack_positions import Place, in_step, place_of
from stepfast.local.threads import LoopThread
from stepfast.repeated_failures import RepeatedFailures, kind_of

log = logging.getLogger(__name__)
Work = Advance | Stored
Following = tuple[Stored, Awaitable[None]]
"""The message that an advance has left in hand, and what handles it."""
DoWork = Callable[[Work], Awaitable[Following | None]]

IN_HAND_OF_LEADER = 1024
"""Messages and advances that the leader has in hand at once; about 10 KB each. Work beyond them waits, and costs more:
other threads then do what is not for the leader alone."""
IN_HAND = 256
"""Messages and advances that any other thread has in hand at once."""
MAX_EXTRA_THREADS = 14
"""The most threads beyond the pool's size: code that always blocks must not use up the memory."""
ALL_BLOCKED_WARNING_SECONDS = 60.0
"""The time between two warnings that all threads are blocked."""


class WorkerThread(LoopThread):
    """A worker. After `retire` it takes no more work, and ends when it has finished the work in hand."""

    def __init__(self, name: str, inbox: Inbox, clock: Clock, do: DoWork, prepare: Callable[[], None]) -> None:
        super().__init__(name)
        self._prepare = prepare
        self._inbox, self._clock, self._do = inbox, clock, do
        self._in_hand: dict[int, tuple[asyncio.Task[None], Work]] = {}
        self._numbers = itertools.count()
        self.bell = Bell(self.loop, asyncio.Event())
        self.retiring = self._stop_requested = False
        self.blocked_at: Place | None = None
        self._asked: float | None = None
        self.begin(self._serve())

    async def _serve(self) -> None:
        bell, in_hand = self.bell, self._in_hand
        with contextlib.suppress(StepfastError):  # whatever reads next will try again, and log it
            self._prepare()
        while not self.retiring:
            bell.event.clear()
            room = (IN_HAND_OF_LEADER if self._inbox.leads(self.loop) else IN_HAND) - len(in_hand)
            if room <= 0:
                self._inbox.busy(bell)
                wait = 1.0
            elif taken := self._inbox.take(bell, self._clock.now(), room):
                for work in taken:
                    number = next(self._numbers)
                    in_hand[number] = asyncio.Task(self._handle(work, number), loop=self.loop), work
                continue
            else:
                wait = self._inbox.wait(bell, self._clock.now())
            try:
                await asyncio.wait_for(bell.event.wait(), wait)
            except TimeoutError:
                pass
        while in_hand and not self._stop_requested:
            await asyncio.wait([task for task, _ in in_hand.values()], timeout=60.0)
        if not self._stop_requested:  # `_cancel_all` ends the loop otherwise, after the cancelled tasks.
            self.end()

    async def _handle(self, work: Work, number: int) -> None:
        try:
            following = await self._do(work)
            if following is not None:
                work, handled = following
                self._in_hand[number] = self._in_hand[number][0], work
                await handled
        finally:
            del self._in_hand[number]
            self.bell.event.set()

    def ask_to_stop(self) -> None:
        # asyncio.wait_for of CPython 3.11 may swallow a cancellation that arrives together with the event it waits for
        # (https://github.com/python/cpython/issues/86296, fixed in 3.12). So the loop in `_serve` also checks flags.
        self.retiring = self._stop_requested = True
        super().ask_to_stop()

    def retire(self) -> None:
        self.retiring = True
        self.bell.ring()

    # -- for the watch, from its thread ------------------------------------------------------------------------

    def silent_seconds(self, now: float) -> float:
        """Seconds for which the loop has not answered the watch. If it has answered, asks again and returns 0.

        now: seconds by the watch's own time.
        """
        if self._asked is None:
            self._asked = now
            with contextlib.suppress(RuntimeError):  # The loop is closed because the runtime is stopping.
                self.loop.call_soon_threadsafe(self._answer)
            return 0.0
        return now - self._asked

    def _answer(self) -> None:
        self._asked = None

    def take_back(self) -> Place:
        """Gives the work in hand of this blocked thread to other threads. Returns the position of the thread.

        When this thread continues, it still carries out its own outcome. That is safe, because a claim belongs to one
        thread and the inbox keeps one copy of a message. Workflow code that blocks is not given away: it would block
        the next thread as well.
        """
        frame = self.frame()
        keep = None if in_step(frame) else local_of(frame, WorkerThread._handle, "work")
        for _, work in list(self._in_hand.values()):
            if work is keep:
                continue
            if isinstance(work, Advance):
                self._inbox.give_back(work)
            else:
                self._inbox.put_message(work, self._clock.now())
        return place_of(frame)

    def holds(self) -> set[int]:
        """The numbers of the messages in hand."""
        return {work.seq for _, work in list(self._in_hand.values()) if isinstance(work, Stored)}


class WorkerPool:
    """Keeps `size` threads that answer, with at most MAX_EXTRA_THREADS blocked threads beside them.

    prepare: opens what a thread reads by, before requests may take the last file descriptors. Raises StepfastError.
    """

    def __init__(
        self, size: int, inbox: Inbox, clock: Clock, do: DoWork, prepare: Callable[[], None] = lambda: None
    ) -> None:
        self._size, self._inbox, self._clock, self._do, self._prepare = size, inbox, clock, do, prepare
        self._made = 0
        self._lock = threading.Lock()
        self._reminded = float("-inf")
        self.threads: list[WorkerThread] = []
        for _ in range(size):
            self._add()
        self._inbox.lead(self.threads[0].bell)

    def _add(self) -> None:
        name = f"stepfast-worker-{self._made}"
        thread = WorkerThread(name, self._inbox, self._clock, self._do, self._prepare)
        self._made += 1
        self.threads = [*self.threads, thread]

    def look(self, now: float, patience: float) -> None:
        """Finds threads that have become blocked or answer again, and adds or retires threads.

        now: seconds by the watch's own time. patience: seconds of silence after which a thread counts as blocked.
        """
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
            "a worker thread has been blocked for %.3g s at %s; it is %s; other threads do the rest of its work",
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
                "all %d worker threads are blocked, and no more are made: executions continue once a thread does. "
                "They are blocked at %s",
                len(self.threads),
                "; ".join(places),
            )

    def stop(self, patience: float = 2.0) -> None:
        """Cancels the tasks and ends the threads. Threads that are still blocked after `patience` seconds are left."""
        end = time.monotonic() + patience
        for thread in self.threads:
            thread.ask_to_stop()
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))

    def holds(self) -> set[int]:
        """The numbers of the messages that any thread has in hand."""
        return {seq for thread in self.threads for seq in thread.holds()}


class OwnTime:
    """The seconds for which a thread has run that reads the clock often. A gap counts as at most `most` seconds."""

    def __init__(self, began: float, most: float) -> None:
        self._last, self._most, self._sum = began, most, 0.0

    def at(self, now: float) -> float:
        self._sum += min(now - self._last, self._most)
        self._last = now
        return self._sum


class PoolWatch:
    """Looks at the pool five times in `patience` seconds. Its thread has no event loop, so no step can block it.

    It measures time by its own turns. When the whole process pauses (SIGSTOP, a debugger, a sleeping machine), or the
    machine is too busy to run this thread, no worker counts as blocked for that time.
    """

    def __init__(self, pool: WorkerPool, patience: float) -> None:
        self._pool, self._patience = pool, patience
        self._stop = threading.Event()
        self._failures = RepeatedFailures(log)
        self._thread = threading.Thread(target=self._run, name="stepfast-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        period = self._patience / 5
        own = OwnTime(time.monotonic(), 2 * period)
        while not self._stop.wait(period):
            now = own.at(time.monotonic())
            try:
                self._pool.look(now, self._patience)
            except Exception as error:
                text = "the watch over the worker threads failed; it continues"
                self._failures.note(logging.ERROR, kind_of(error), text, error)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2.0)
