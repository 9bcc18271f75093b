"""Jobs that continue after their request: one thread runs all of them in small steps, each at its rate."""

from __future__ import annotations

import heapq
import logging
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from stepfast.errors import Unavailable

log = logging.getLogger(__name__)

MAX_JOBS = 64
"""Jobs kept at a time; the oldest ended job is dropped to make room."""
KEPT_SECONDS = 3600.0
"""Seconds that the results of an ended job are kept."""


class Job(ABC):
    """A job. Requests read `results` and `rest` under `lock` while the thread works on it.

    results: the results since the last request for them. ended: the time.monotonic at which it had nothing left to do.
    failure: why it stopped early.
    """

    def __init__(self) -> None:
        self.id = secrets.token_hex(16)
        self.lock = threading.Lock()
        self.results: list[Any] = []
        self.ended: float | None = None
        self.failure: Unavailable | None = None

    @abstractmethod
    def step(self) -> float | None:
        """Does one step. Returns the seconds until the next step, or None if all is done."""

    @abstractmethod
    def rest(self) -> Mapping[str, Any] | None:
        """The remaining work, as the body of a request that would do it; None if nothing remains."""


class Jobs:
    """The jobs of one process, which end with it.

    A request's answer holds all that another process needs to continue.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._due: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def find(self, id: str) -> Job | None:
        with self._changed:
            return self._jobs.get(id)

    def add(self, job: Job, wait: float) -> None:
        """Schedules the job's next step in `wait` seconds. Raises Unavailable if there are too many jobs."""
        with self._changed:
            self._forget()
            if len(self._jobs) >= MAX_JOBS:
                raise Unavailable("too many jobs are under way; try again")
            self._jobs[job.id] = job
            heapq.heappush(self._due, (time.monotonic() + wait, job.id))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="stepfast-jobs", daemon=True)
                self._thread.start()
            self._changed.notify()

    def drop(self, job: Job) -> None:
        """Forgets a job whose last results have been answered."""
        with self._changed:
            self._jobs.pop(job.id, None)

    def _forget(self) -> None:
        now = time.monotonic()
        ended = {id: job.ended for id, job in self._jobs.items() if job.ended is not None}
        for id, at in sorted(ended.items(), key=lambda pair: pair[1]):
            if now - at > KEPT_SECONDS or len(self._jobs) >= MAX_JOBS:
                del self._jobs[id]

    def _work(self) -> None:
        while True:
            job = self._next()
            try:
                wait = job.step()
            except Unavailable as error:
                job.failure, wait = error, None
            except Exception as error:  # a job that fails must not end the others
                log.error("a job ended on %s", type(error).__name__)
                job.failure, wait = Unavailable("the job ended early; the log says on what"), None
            with self._changed:
                if wait is None:
                    job.ended = time.monotonic()
                else:
                    heapq.heappush(self._due, (time.monotonic() + wait, job.id))

    def _next(self) -> Job:
        """Waits until a job is due and returns it."""
        with self._changed:
            while True:
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    _, id = heapq.heappop(self._due)
                    if id in self._jobs:
                        return self._jobs[id]
                else:
                    self._changed.wait(left)
