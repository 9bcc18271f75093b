"""A workflow of steps that compute, which the processes of a pool import, and the work of such a step."""

from __future__ import annotations

import asyncio
import queue
import statistics
import time

from pydantic import BaseModel

from stepfast import step, workflow


class Work(BaseModel):
    """So many steps at once, each of so many turns of a loop."""

    steps: int
    turns: int


def compute(turns: int) -> int:
    """Pure Python that holds the interpreter lock."""
    total = 0
    for number in range(turns):
        total = (total + number * number) % 1_000_003
    return total


def turns_for(seconds: float) -> int:
    """The turns of `compute` that take so much processor time here: the median of several measurements."""
    turns = 20_000
    measured = []
    for _ in range(15):
        began = time.thread_time()
        compute(turns)
        measured.append(time.thread_time() - began)
    return round(turns * seconds / statistics.median(measured))


@step(pool="cpu")
def computed(number: int, turns: int) -> int:
    return number + compute(turns)


returned: queue.SimpleQueue[int] = queue.SimpleQueue()
"""What the workflow announces in the server, so that nobody asks the store for its end while it runs."""


@workflow("computing")
async def computing(work: Work) -> int:
    total = sum(await asyncio.gather(*(computed(number, work.turns) for number in range(work.steps))))
    returned.put(total)
    return total
