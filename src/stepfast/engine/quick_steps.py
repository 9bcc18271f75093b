"""Runs quick `def` steps in a thread for which their loop waits, at most for half a millisecond.

The other way costs two switches of threads, each with a system call or more, and a turn of the loop. A step function
counts as quick by its latest runs. That is a guess, and only speed depends on it: an attempt that takes longer than the
loop waits goes on in its thread, and comes back as any other.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from stepfast.engine.step_threads import Threads
from stepfast.language.steps import Step
from stepfast.replay.asyncio_internals import is_idle

T = TypeVar("T")

LOOP_HOLD_SECONDS = 0.0005
"""The longest time that a loop waits for a thread. An attempt that it has waited for in vain was slow."""
QUICK_SECONDS = 0.0001
"""A run in a thread of its own was quick if it took at most this long."""
RUNS_AFTER_SLOW = 32
"""The quick runs in a row that make a step function quick again after a slow one."""
TOGETHER = 32
"""The most attempts that a thread gets at once."""


class StepPace:
    """Whether a step function is quick, by its latest runs. The first run of all is in doubt."""

    __slots__ = ("_missing", "quick")

    def __init__(self) -> None:
        self._missing, self.quick = 1, False

    def slow(self) -> None:
        self._missing, self.quick = RUNS_AFTER_SLOW, False

    def took(self, seconds: float) -> None:
        """Notes a run in a thread of its own."""
        if seconds > QUICK_SECONDS:
            self.slow()
        else:
            self._missing -= 1
            self.quick = self._missing <= 0


def alone(
    threads: Threads, loop: asyncio.AbstractEventLoop, function: Callable[[], T], pace: StepPace
) -> asyncio.Future[T]:
    """Runs an attempt in a thread of its own, for which the loop does not wait."""
    return threads.run(partial(_timed, pace, function, loop.time))


def _timed(pace: StepPace, function: Callable[[], T], clock: Callable[[], float]) -> T:
    began = clock()
    try:
        return function()
    finally:
        pace.took(clock() - began)


class QuickAttempt(Generic[T]):
    """An attempt of a quick step.

    outcome: what it returned, once it has. later: made when the loop has waited in vain; done with the outcome.
    """

    __slots__ = ("function", "later", "outcome", "pace")

    def __init__(self, function: Callable[[], T], pace: StepPace) -> None:
        self.function, self.pace = function, pace
        self.outcome: T | None = None
        self.later: asyncio.Future[T] | None = None

    def result(self) -> T | asyncio.Future[T] | None:
        """None: it has not begun."""
        return self.later or self.outcome


class QuickBatch(Generic[T]):
    """Attempts that one thread runs one after the other while the loop waits.

    Once the loop has waited in vain it sets `late`, and then looks for outcomes again; the thread sets an outcome, and
    then looks whether it is late. So at least one of the two settles `later`.
    """

    def __init__(self, attempts: list[QuickAttempt[T]], threads: Threads, loop: asyncio.AbstractEventLoop) -> None:
        self._attempts, self._threads, self._loop = attempts, threads, loop
        self._left = deque(attempts)
        self._under_way: QuickAttempt[T] | None = None
        self._late = False
        self._done = threading.Lock()
        self._done.acquire()
        self._outcomes = threads.outcomes(loop)

    def hold(self) -> None:
        """Has a thread run the attempts, and waits. Afterwards each attempt has its outcome, or `later`.

        Raises RuntimeError if the system allows no more threads.
        """
        self._threads.give(self._run)
        try:
            ended = self._done.acquire(True, LOOP_HOLD_SECONDS)
        except BaseException:  # of a signal's handler, in the main thread
            self._leave()
            raise
        if not ended:
            self._leave()

    def _run(self) -> threading.Lock:
        left = self._left
        while True:
            try:
                attempt = left.popleft()
            except IndexError:
                break
            self._under_way = attempt
            self._end(attempt)
        self._under_way = None
        return self._done

    def _end(self, attempt: QuickAttempt[T]) -> None:
        outcome = attempt.outcome = attempt.function()
        if self._late and attempt.later is not None:
            self._outcomes.put(attempt.later, outcome)

    def _leave(self) -> None:
        """The loop goes on without the attempts that have no outcome."""
        for attempt in self._attempts:
            if attempt.outcome is None:
                attempt.later = self._loop.create_future()
        self._late = True
        slow = self._under_way
        if slow is not None and slow.outcome is None:
            slow.pace.slow()
        for attempt in self._attempts:
            if attempt.later is not None and attempt.outcome is not None and not attempt.later.done():
                attempt.later.set_result(attempt.outcome)
        self._loop.call_later(LOOP_HOLD_SECONDS, self._look, len(self._left))

    def _look(self, before: int) -> None:
        """Gives each attempt that has not begun a thread of its own, once a slow one holds it up."""
        left = len(self._left)
        if left and (left < before or self._under_way is None):  # its thread gets on, or has not had a turn
            self._loop.call_later(LOOP_HOLD_SECONDS, self._look, left)
            return
        while self._left:
            try:
                attempt = self._left.popleft()
            except IndexError:  # the thread has just taken the last one
                return
            try:
                self._threads.give(partial(self._end, attempt))
            except RuntimeError:  # the system allows no more threads
                self._left.appendleft(attempt)
                self._loop.call_later(LOOP_HOLD_SECONDS, self._look, len(self._left))
                return


class _Turn(Generic[T]):
    """The attempts that begin together in one turn of a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: Threads) -> None:
        self.loop, self._threads = loop, threads
        self._waiting: list[tuple[QuickAttempt[T], asyncio.Future[T | asyncio.Future[T]]]] = []

    async def run(self, attempt: QuickAttempt[T]) -> T | asyncio.Future[T]:
        loop, waiting = self.loop, self._waiting
        if is_idle(loop):  # nothing else begins in this turn
            QuickBatch([attempt], self._threads, loop).hold()
            result = attempt.result()
            assert result is not None  # `hold` has left an outcome or a future
            return result
        held: asyncio.Future[T | asyncio.Future[T]] = loop.create_future()
        waiting.append((attempt, held))
        if len(waiting) == 1:
            loop.call_soon(self._begin)
        return await held

    def _begin(self) -> None:
        taken, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        if self._waiting:
            self.loop.call_soon(self._begin)
        held = [(attempt, turn) for attempt, turn in taken if not turn.done()]  # a cancelled task does not begin
        batch = [attempt for attempt, _ in held if attempt.pace.quick]
        try:
            if batch:
                QuickBatch(batch, self._threads, self.loop).hold()
            for attempt, _ in held:
                if attempt.result() is None:  # an attempt of an earlier batch has turned out to be slow
                    attempt.later = alone(self._threads, self.loop, attempt.function, attempt.pace)
        except RuntimeError as error:  # the system allows no more threads
            for attempt, turn in held:
                if attempt.result() is None:
                    turn.set_exception(error)
        finally:
            for attempt, turn in held:
                if (result := attempt.result()) is not None:
                    turn.set_result(result)


class _TurnOfThread(threading.local):
    turn: _Turn[Any] | None = None


class QuickSteps(Generic[T]):
    """Runs attempts of `def` steps in threads; the loop of the caller waits for those that are quick."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._paces: WeakKeyDictionary[Step[..., Any], StepPace] = WeakKeyDictionary()
        self._caller = _TurnOfThread()

    async def run(self, step: Step[..., Any], function: Callable[[], T]) -> T | asyncio.Future[T]:
        """What the function returns, which is not None and raises nothing; or a future for it.

        It returns when the attempt has ended or the loop has waited for it in vain, which is at once for slow steps.
        """
        loop, pace = asyncio.get_running_loop(), self._paces.get(step)
        if pace is None:
            pace = self._paces[step] = StepPace()
        if not pace.quick:
            return alone(self._threads, loop, function, pace)
        turn = self._caller.turn
        if turn is None or turn.loop is not loop:
            turn = self._caller.turn = _Turn(loop, self._threads)
        return await turn.run(QuickAttempt(function, pace))
