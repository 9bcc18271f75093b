"""Work that goes on after its request: done a little at a time, at a rate, by one thread for all jobs together."""

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
"""Jobs that are kept; those that have ended and that nobody has asked for make room."""
KEPT_SECONDS = 3600.0
"""Seconds for which what has come of a job that has ended is kept."""


class Job(ABC):
    """A piece of work; `results` and `rest` are read by requests while the thread works on it.

    results: what has come of it since somebody last asked. ended: when there is nothing left to do, as time.monotonic.
    """

    def __init__(self) -> None:
        self.id = secrets.token_hex(16)
        self.lock = threading.Lock()
        self.results: list[Any] = []
        self.ended: float | None = None
        self.failure: Unavailable | None = None

    @abstractmethod
    def step(self) -> float | None:
        """Does a little; seconds until the next step is due, None when all is done."""

    @abstractmethod
    def rest(self) -> Mapping[str, Any] | None:
        """What is left to do, as the body of a request that would do it; None for nothing."""


class Jobs:
    """The jobs of a process. They end with it: a request's answer holds what another process needs to go on."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._due: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def find(self, id: str) -> Job | None:
        with self._changed:
            return self._jobs.get(id)

    def add(self, job: Job, wait: float) -> None:
        """Has the job go on after so many seconds; Unavailable while there are too many."""
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
        """Forgets a job whose end has been told."""
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
        """Waits for the job that is due first."""
        with self._changed:
            while True:
                left = self._due[0][0] - time.monotonic() if self._due else None
                if left is not None and left <= 0:
                    _, id = heapq.heappop(self._due)
                    if id in self._jobs:
                        return self._jobs[id]
                else:
                    self._changed.wait(left)
