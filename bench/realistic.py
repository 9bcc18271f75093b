"""Executions of the quarterly report's shape, all at once: `python -m bench.realistic [--executions 500]`.

Each reads two figures at the same time, makes a call that takes 20 ms and fails at the first try in one execution of
ten, waits for a timer of a second, and ends with a result of 30 KB. Printed are executions a second, the time from
start to end as the store has it, CPU time, and memory, of this process. The calls are waits on the event loop, as of
an HTTP client, so that no server on the same cores is measured with it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time

from bench.bed import folder, peak_mb
from stepfast import Retry, current_step, step, workflow
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

CALL_SECONDS = 0.02
TIMER_SECONDS = 1.0
RESULT_BYTES = 30_000
FAILS = 10
"""One execution in so many has a call that fails at the first try."""
STEPS = 4
TIMEOUT_SECONDS = 300.0


@step
async def read_sales(number: int) -> int:
    return number


@step
async def read_costs(number: int) -> int:
    return number


@step(retry=Retry(max_attempts=3, initial=0.1, jitter="none"))
async def call_out(number: int, total: int) -> int:
    await asyncio.sleep(CALL_SECONDS)
    if number % FAILS == 0 and current_step().attempt == 1:
        raise ConnectionError("no answer")
    return total


@step
async def render(total: int) -> str:
    return str(total % 10) * RESULT_BYTES


@workflow("report")
async def report(number: int) -> str:
    sales, costs = await asyncio.gather(read_sales(number), read_costs(number))
    total = await call_out(number, sales + costs)
    await asyncio.sleep(TIMER_SECONDS)
    return await render(total)


async def start(runtime: Runtime, executions: int, prefix: str) -> None:
    operations = runtime.operations
    await asyncio.gather(*(operations.start("report", n, f"{prefix}-{n}") for n in range(executions)))


def run(runtime: Runtime, executions: int, prefix: str) -> list[float]:
    """The seconds from start to end of each. Raises RuntimeError for one that fails, and TimeoutError."""
    runtime.call(start(runtime, executions, prefix))
    took, until = [], time.monotonic() + TIMEOUT_SECONDS
    for number in range(executions):
        while (held := runtime.call(runtime.operations.read(f"{prefix}-{number}"))).status == "RUNNING":
            if time.monotonic() > until:
                raise TimeoutError(f"{prefix}-{number} does not end")
            time.sleep(0.02)
        if held.status != "SUCCEEDED" or held.ended_at is None:
            raise RuntimeError(f"{held.execution_id} is {held.status}: {held.error}")
        took.append(held.ended_at - held.created_at)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.realistic", description=__doc__)
    parser.add_argument("--executions", type=int, default=500)
    executions = parser.parse_args().executions
    logging.disable(logging.WARNING)  # The attempts that fail are part of the work.
    registry = Registry([report], [read_sales, read_costs, call_out, render])
    with folder() as place, Runtime(registry, place / "bench.db") as runtime:
        run(runtime, 10, "warm")
        wall, cpu = time.perf_counter(), time.process_time()
        took = sorted(run(runtime, executions, "report"))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    p99 = took[min(len(took) - 1, int(0.99 * len(took)))]
    print(f"{executions:,} executions of {STEPS} steps and a timer of {TIMER_SECONDS:g} s, all started at once")
    print(
        f"{executions / wall:,.0f} executions/s; from start to end {statistics.median(took):.2f} s (median), ", end=""
    )
    print(f"{p99:.2f} s at p99; {1000 * cpu / executions:.2f} ms of CPU each; resident at most {peak_mb():.0f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
