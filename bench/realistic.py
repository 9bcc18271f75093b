"""Executions of the quarterly report's shape, all at once: `python -m bench.realistic [--soak SECONDS] [--alone]`.

Each reads two figures at the same time, makes an HTTP call that takes 20 ms and fails at the first try in one
execution of ten, waits for a timer of a second, and ends with a result of 30 KB. Printed are executions a second, the
time from start to end as the store has it, CPU time, and memory, of this process. The server of the calls is another
process, on the same cores. Restate and DBOS then run the same reports, where they can be installed. Last comes a soak:
reports are started at an even pace of 80 % of the throughput. Memory, growth of the file, and time from start to end
are printed for each fifth of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import time
from pathlib import Path

from bench.bed import folder, peak_mb, resident_mb
from bench.peers import calls
from bench.peers.__main__ import output
from bench.peers.installing import PEERS, NotHere
from bench.peers.work import REPORTS, RESULT_BYTES, TIMER_SECONDS, WORK
from bench.table import table
from stepfast import Retry, step, workflow
from stepfast.collector import spare
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

STEPS = 4
TIMEOUT_SECONDS = 300.0
SOAK_SHARE, PARTS = 0.8, 5


@step
async def read_sales(number: int) -> int:
    return number


@step
async def read_costs(number: int) -> int:
    return number


@step(retry=Retry(max_attempts=3, initial=0.1, jitter="none"))
async def call_out(number: int, total: int) -> int:
    return await calls.call_out(number, total)


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


async def soak(runtime: Runtime, path: Path, rate: float, seconds: float) -> list[list[str]]:
    """A row for each part of the soak: what was started, its time from start to end, memory, and the file's growth."""
    rows, number, began = [], 0, time.perf_counter()
    size = _size(path)
    for part in range(1, PARTS + 1):
        first = number
        while time.perf_counter() < began + seconds * part / PARTS:
            await runtime.operations.start("report", number, f"soak-{number}")
            number += 1
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        paused = time.perf_counter()
        took = sorted([await _seconds(runtime, f"soak-{each}") for each in range(first, number)])
        began += time.perf_counter() - paused  # the pause is no part of the time
        before, size = size, _size(path)
        p99 = took[int(0.99 * len(took))]
        times = (f"{statistics.median(took):.2f} s", f"{p99:.2f} s")
        grown = f"{(size - before) / 1024 / len(took):.1f} KB"
        rows.append([str(part), f"{len(took):,}", *times, f"{resident_mb():.0f} MB", grown])
    return rows


async def _seconds(runtime: Runtime, execution_id: str) -> float:
    """How long an execution took, once it has ended. Raises TimeoutError, and RuntimeError for one that fails."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while (held := await runtime.operations.read(execution_id)).status == "RUNNING":
        if time.monotonic() > until:
            raise TimeoutError(f"{execution_id} does not end")
        await asyncio.sleep(0.05)
    if held.status != "SUCCEEDED":
        raise RuntimeError(f"{execution_id} is {held.status}: {held.error}")
    return (held.ended_at or 0.0) - held.created_at


def _size(path: Path) -> int:
    return path.stat().st_size


def peers() -> tuple[list[list[str]], list[str]]:
    """A row for each peer that runs here, and why others do not."""
    rows, reasons = [], []
    for peer in PEERS:
        if peer.program not in ("restate_engine", "dbos_engine"):
            continue
        try:
            with folder() as place:
                command = [str(peer.python()), "-m", f"bench.peers.{peer.program}", str(place), *peer.arguments()]
                held = json.loads(output(command, environment={WORK: "reports"}).splitlines()[-1])
        except NotHere as error:
            reasons.append(f"{peer.name} was not measured: {error}")
            continue
        rows.append(
            _row(peer.name, held["per_s"], held["median_s"], held["p99_s"], held["cpu_ms"], held["resident_mb"])
        )
    return rows, reasons


def _row(name: str, per_s: float, median: float, p99: float, cpu_ms: float, resident: float) -> list[str]:
    return [name, f"{per_s:,.0f}", f"{median:.2f} s", f"{p99:.2f} s", f"{cpu_ms:.1f} ms", f"{resident:.0f} MB"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.realistic", description=__doc__)
    parser.add_argument("--executions", type=int, default=REPORTS)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument(
        "--soak", type=float, default=60.0, metavar="SECONDS", help="0 for none; 600 for the whole soak"
    )
    asked = parser.parse_args()
    executions = asked.executions
    logging.disable(logging.WARNING)  # The attempts that fail are part of the work.
    registry = Registry([report], [read_sales, read_costs, call_out, render])
    with calls.serving(), folder() as place, Runtime(registry, place / "bench.db") as runtime:
        run(runtime, 10, "warm")
        wall, cpu = time.perf_counter(), time.process_time()
        took = sorted(run(runtime, executions, "report"))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        p99 = took[min(len(took) - 1, int(0.99 * len(took)))]
        ours = _row("stepfast", executions / wall, statistics.median(took), p99, 1000 * cpu / executions, peak_mb())
        rows, reasons = ([], []) if asked.alone else peers()
        print(f"{executions:,} executions of {STEPS} steps and a timer of {TIMER_SECONDS:g} s, all started at once")
        head = ["", "executions/s", "start to end, median", "p99", "CPU each", "memory"]
        print(table(head, [ours, *rows]), *reasons, sep="\n")
        if asked.soak:
            rate = SOAK_SHARE * executions / wall
            spare()  # as `stepfast dev` does
            print(f"\nA soak of {asked.soak:g} s, {rate:.0f} executions started a second:")
            rows = runtime.call(soak(runtime, place / "bench.db", rate, asked.soak))
            print(table(["part", "executions", "start to end, median", "p99", "memory", "file, each"], rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
