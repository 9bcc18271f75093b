"""Workflows of no-op steps, and an embedded runtime on a fresh file that they run on and are timed on.

Workflow code announces its own end, so that nobody asks the store for it while an execution runs; what
is timed lasts from before the start until the store says SUCCEEDED.
"""

from __future__ import annotations

import asyncio
import queue
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from stepfast import step, workflow
from stepfast.backends.sqlite.file import Durability
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".stepfast" / "bench"
RESULT_TIMEOUT_SECONDS = 120.0
"""The longest time for one batch of executions."""
READ_PAUSE_SECONDS = 0.0002
"""The time between two reads of an execution whose code has returned."""

Kind = Literal["async", "def"]


class Job(BaseModel):
    """The work of one execution. number: unique within the process."""

    number: int
    steps: int
    kind: Kind = "async"


@step
async def noop(number: int) -> int:
    return number


@step
def noop_def(number: int) -> int:
    return number


_returned: queue.SimpleQueue[int] = queue.SimpleQueue()


@workflow("sequence")
async def sequence(job: Job) -> int:
    step_function = noop if job.kind == "async" else noop_def
    total = 0
    for number in range(job.steps):
        total += await step_function(number)
    _returned.put(job.number)
    return total


@workflow("gather")
async def gather(job: Job) -> int:
    step_function = noop if job.kind == "async" else noop_def
    total = sum(await asyncio.gather(*(step_function(number) for number in range(job.steps))))
    _returned.put(job.number)
    return total


@dataclass(frozen=True, slots=True)
class Spent:
    """The seconds that a batch of executions took: wall time, and CPU time of the process."""

    wall: float
    cpu: float


class Bed:
    """A runtime for batches of executions, one batch at a time."""

    def __init__(self, path: Path, durability: Durability = "full", workers: int = 2) -> None:
        registry = Registry([sequence, gather], [noop, noop_def])
        self.runtime = Runtime(registry, path, durability=durability, workers=workers)
        self._number = 0

    def run(self, workflow: str, steps: int, kind: Kind = "async", executions: int = 1) -> Spent:
        """Starts the executions at once and waits until all have SUCCEEDED. Raises RuntimeError and TimeoutError."""
        jobs = [Job(number=self._number + index, steps=steps, kind=kind) for index in range(executions)]
        self._number += executions
        cpu, began = time.process_time(), time.perf_counter()
        ids = self.runtime.call(self._start(workflow, jobs))
        left = {job.number for job in jobs}
        while left:
            left.discard(_returned.get(timeout=RESULT_TIMEOUT_SECONDS))
        self._await_end(ids)
        return Spent(time.perf_counter() - began, time.process_time() - cpu)

    async def _start(self, workflow: str, jobs: Sequence[Job]) -> list[str]:
        start = self.runtime.operations.start
        started = await asyncio.gather(*(start(workflow, job.model_dump()) for job in jobs))
        return [run.execution.execution_id for run in started]

    def _await_end(self, ids: Sequence[str]) -> None:
        # This polls from outside the event loop: epoll of asyncio rounds every sleep up to whole milliseconds.
        end = time.monotonic() + RESULT_TIMEOUT_SECONDS
        for id in ids:
            while (held := self.runtime.call(self.runtime.operations.read(id))).status == "RUNNING":
                if time.monotonic() > end:
                    raise TimeoutError(f"execution {id} has returned and does not end")
                time.sleep(READ_PAUSE_SECONDS)
            if held.status != "SUCCEEDED":
                raise RuntimeError(f"execution {id} is {held.status}: {held.error}")


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder on the checkout's disk, removed afterwards."""
    PLACE.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="run-", dir=PLACE))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def bed(path: Path | None = None, durability: Durability = "full", workers: int = 2) -> Iterator[Bed]:
    """A bed on a new file, or on an existing file."""
    with folder() as place:
        made = Bed(path or place / "bench.db", durability, workers)
        try:
            yield made
        finally:
            made.runtime.close()


def resident_mb() -> float:
    """The resident memory of this process in MB; its maximum so far on systems without /proc."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return peak_mb()
    return float(status.partition("VmRSS:")[2].split()[0]) / 1024


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
