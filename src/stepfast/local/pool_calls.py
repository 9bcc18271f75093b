"""A call of a step in a process of its pool: what is asked, how it ended, and how long such calls take."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from dataclasses import dataclass, field, replace

from stepfast.engine.step_runner import Pulse
from stepfast.local.pool_messages import CallDone, RunStep

_numbers = itertools.count(1)
SHORT_CALL_SECONDS = 1.0
"""Calls that take longer are never handed over ahead of time."""
AHEAD_SECONDS = 0.15
"""The work that each process has in line at most: enough to be busy while the server claims the next steps."""
MOST_AHEAD = 16
"""The most calls in line for each process."""
TICK_SECONDS = 0.05
"""The longest time for which the end of a call is held back, so that several ends share a commit and an advance."""


@dataclass(frozen=True, slots=True)
class ProcessDied:
    """The process that had the call has died. cause: which process, and how it has ended."""

    cause: str


CallEnd = CallDone | ProcessDied


@dataclass(slots=True, eq=False)
class PoolCall:
    """A call, from the moment when it is submitted. Made on the event loop that waits for `ended`.

    began_at: when a process got it, by time.monotonic(); None while it waits for a process.
    stopped: what its next heartbeat is to raise.
    end_at: when its process is to be ended, by time.monotonic().
    end: how it has ended, from the moment when that is known; `ended` may be set later, together with others.
    """

    request: RunStep
    pulse: Pulse
    began_at: float | None = None
    stopped: str | None = None
    end_at: float = math.inf
    end: CallEnd | None = None
    ended: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _submitted_at: float = field(default_factory=time.monotonic)

    def begin(self) -> RunStep:
        """What to send. The time that the call has waited for a process does not count for its timeout."""
        self.began_at = time.monotonic()
        return replace(self.request, deadline_at=self.request.deadline_at + self.began_at - self._submitted_at)

    def wait_again(self) -> None:
        """The process has died before the call reached it."""
        self.began_at = None

    def deliver(self, end: CallEnd, at: float = 0.0) -> None:
        """Hands over the end of the call, from the thread of its keeper. at: when, by time.monotonic()."""
        self.end = end
        loop = self.ended.get_loop()
        try:
            if at > time.monotonic():
                loop.call_soon_threadsafe(loop.call_at, at, _set, self.ended)
            else:
                loop.call_soon_threadsafe(_set, self.ended)
        except RuntimeError:
            pass  # The loop is closed: nobody waits for the call.


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def next_number() -> int:
    """A number for a call, unique within this process."""
    return next(_numbers)


class CallPace:
    """How long the calls of a pool take, and so how many should be claimed ahead of the processes.

    A process that ends a call of 10 ms must not wait for the writes that claim the next step. A call that is claimed
    ahead of a process that computes for an hour would wait for an hour, though another server could run it.
    """

    def __init__(self) -> None:
        self._seconds: float | None = None

    def took(self, seconds: float) -> None:
        """Notes the time of a call."""
        self._seconds = seconds if self._seconds is None else 0.8 * self._seconds + 0.2 * seconds

    @property
    def ahead(self) -> int:
        """How many calls should be in line for each process."""
        if self._seconds is None or self._seconds > SHORT_CALL_SECONDS:
            return 0
        return max(1, min(MOST_AHEAD, math.ceil(AHEAD_SECONDS / max(self._seconds, 1e-6))))

    @property
    def tick(self) -> float:
        """Seconds for which ends may be held back while calls are in line: less than the work in line."""
        return 0.0 if self._seconds is None else min(TICK_SECONDS, self._seconds * self.ahead / 3)
