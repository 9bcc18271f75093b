"""Workflows to soak: each one's result follows from its input alone, and each step run leaves a line on disk."""

from __future__ import annotations

import asyncio
import json
import os
import time

from stepfast import Retry, StepFailed, current_step, signal, step, workflow

PATIENT = Retry(max_attempts=1000, initial=0.02, max_delay=0.2)


def trace() -> None:
    """One line for this attempt, on disk before the attempt goes on."""
    run = current_step()
    line = [run.execution_id, run.step_id, run.generation, run.attempt, time.time()]
    file = os.open(os.environ["SOAK_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


@step(retry=PATIENT)
async def quick(n: int) -> int:
    trace()
    return n


@step(retry=PATIENT)
def threaded(n: int) -> int:
    trace()
    time.sleep(0.01)
    return n


@step(retry=PATIENT)
async def flaky(n: int) -> int:
    trace()
    if current_step().attempt <= 2:
        raise ConnectionError("down")
    return n


@step(retry=Retry(max_attempts=2, initial=0.01))
async def repaired(n: int) -> int:
    """Fails until its execution is resumed."""
    trace()
    if current_step().generation == 0:
        raise ConnectionError("down until somebody resumes")
    return n


@step
async def compensate(n: int) -> None:
    trace()


@step(at_most_once=True)
async def once(n: int) -> int:
    trace()
    await asyncio.sleep(0.02)
    return n


@workflow("sequence")
async def sequence(n: int) -> int:
    total = 0
    for index in range(n):
        total += await (threaded(index) if index % 5 == 4 else quick(index))
    return total


@workflow("fan")
async def fan(n: int) -> int:
    async def branch(index: int) -> int:
        return await flaky(await quick(index))

    total = sum(await asyncio.gather(*(branch(index) for index in range(n))))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(quick(index)) for index in range(n)]
    return total + sum(task.result() for task in tasks)


@workflow("timers")
async def timers(n: int) -> int:
    async def after(index: int) -> int:
        await asyncio.sleep(0.05 * index)
        return await quick(index)

    total = sum(await asyncio.gather(*(after(index) for index in range(n))))
    try:
        await signal("never", timeout=0.2)
    except TimeoutError:
        total += await quick(total)
    return total


@workflow("approval")
async def approval(n: int) -> int:
    await quick(n)
    return sum([await signal("go", int) for _ in range(n)])


@workflow("outage")
async def outage(n: int) -> int:
    before = await quick(n)
    try:
        return before + await repaired(n)
    except StepFailed:
        await compensate(n)
        raise


@workflow("payment")
async def payment(n: int) -> int:
    return await once(await quick(n))


@workflow("endless")
async def endless(n: int) -> int:
    await quick(n)
    return await signal("never", int)


@workflow("waiting")
async def waiting() -> int:
    return await signal("never", int)


@workflow("sleeping")
async def sleeping() -> int:
    return await signal("never", int, timeout=86_400)


RESULTS = {
    "sequence": lambda n: n * (n - 1) // 2,
    "fan": lambda n: n * (n - 1),
    "timers": lambda n: n * (n - 1),
    "approval": lambda n: n * (n + 1) // 2,
    "outage": lambda n: 2 * n,
    "payment": lambda n: n,
}
"""What each workflow returns; an approval's signals are 1 to n, and `endless` is to be cancelled."""
