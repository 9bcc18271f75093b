"""Runs the jobs of a batch side by side: the store's calls block, so each job has a thread and an event loop.

botocore's clients may be used by several threads at once, sessions may not
(https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
Job = Callable[[], Coroutine[Any, Any, T]]


class LoopThreads:
    """Runs each job in a thread, at most `number` at a time; others wait. A job sees its caller's context variables.

    A thread keeps its event loop, and survives the freeze between two invocations of a sandbox.
    """

    def __init__(self, number: int) -> None:
        self._threads = ThreadPoolExecutor(number, "stepfast-pass")
        self._here = threading.local()
        self._runners: list[asyncio.Runner] = []

    async def __call__(self, job: Job[T], /) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, self._run, job)

    def _run(self, job: Job[T]) -> T:
        if not hasattr(self._here, "runner"):
            self._here.runner = asyncio.Runner()
            self._runners.append(self._here.runner)
        runner: asyncio.Runner = self._here.runner
        return runner.run(job(), context=copy_context())  # by itself, a runner keeps the context of its first run

    def close(self) -> None:
        """Waits for the jobs that run, and ends the loops. Lambda never calls it: it ends the process."""
        self._threads.shutdown()
        for runner in self._runners:
            runner.close()
