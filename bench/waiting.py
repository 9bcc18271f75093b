"""What executions cost that only wait, and how a large file fares: `python -m bench.waiting [--executions 100000]`.

Half of them wait for a signal, and half for a timer that is due in a month. In a process of its own, a runtime opens
the file; it counts as ready once an execution that is started then has succeeded. `--records 10000000` makes a file
with so many records of ended executions instead, and compares the throughput on it with that on an empty file, in
turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import crowd, measure
from bench.bed import ROOT, folder, resident_mb
from stepfast import signal, step, workflow
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

MONTH_SECONDS = 30 * 86_400
STEPS = 10
"""Records of each ended execution."""
ROUNDS = 5


@step
async def noop(number: int) -> int:
    return number


@workflow("waits-for-signal")
async def waits_for_signal(number: int) -> int:
    return await noop(await signal("go", int))


@workflow("waits-for-timer")
async def waits_for_timer(number: int) -> int:
    await asyncio.sleep(MONTH_SECONDS)
    return await noop(number)


@workflow("at-once")
async def at_once(number: int) -> int:
    return await noop(number)


def opened(path: Path) -> Runtime:
    return Runtime(Registry([waits_for_signal, waits_for_timer, at_once]), path)


def fill(path: Path, executions: int) -> None:
    """Makes the file: one execution of each kind runs until it waits, and the others are copies of these two."""
    with opened(path) as runtime:
        for name in ("waits-for-signal", "waits-for-timer"):
            runtime.call(runtime.operations.start(name, 1, name))
        run_one(runtime, "last")  # Both were advanced before it.
    crowd.multiply(path, executions // 2 - 1, "RUNNING")


def run_one(runtime: Runtime, id: str) -> None:
    runtime.call(runtime.operations.start("at-once", 1, id))
    while runtime.call(runtime.operations.read(id)).status == "RUNNING":
        time.sleep(0.001)


def restart(path: Path) -> dict[str, float]:
    """Opens the file as a new process does, and reports what that took."""
    before, began, cpu = resident_mb(), time.perf_counter(), time.process_time()
    with opened(path) as runtime:
        run_one(runtime, "ready")
        took = time.perf_counter() - began
        spent = time.process_time() - cpu
        return {"seconds": took, "cpu": spent, "resident_mb": resident_mb(), "before_mb": before}


def records(count: int) -> None:
    with folder() as place:
        path = place / "many.db"
        crowd.fill(path, count // STEPS, STEPS)
        size = path.stat().st_size / 1e9
        ratios: dict[str, list[float]] = {"wall": [], "cpu": []}
        for _ in range(ROUNDS):
            empty = measure.run("throughput", executions=200, steps=STEPS)
            full = measure.run("throughput", executions=200, steps=STEPS, file=str(path))
            ratios["wall"].append(empty["seconds"] / full["seconds"])
            ratios["cpu"].append(empty["cpu_s_per_1000"] / full["cpu_s_per_1000"])
    wall, cpu = (statistics.median(ratios[kind]) for kind in ("wall", "cpu"))
    print(f"{count:,} records, {size:.1f} GB: throughput {wall:.2f} of that on an empty file (target 0.9), ", end="")
    print(f"by CPU time {cpu:.2f}; medians of {ROUNDS} rounds in turns")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.waiting", description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--records", type=int, help="measure a file with so many records instead")
    parser.add_argument("--restart", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.restart is not None:
        print(json.dumps(restart(asked.restart)))
        return 0
    if asked.records is not None:
        records(asked.records)
        return 0
    with folder() as place:
        fill(place / "waiting.db", asked.executions)
        command = [sys.executable, "-m", "bench.waiting", "--restart", str(place / "waiting.db")]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    took = json.loads(said)
    print(f"{asked.executions:,} waiting executions, and one that is started then: over after ", end="")
    print(f"{took['seconds']:.2f} s (target 1.5), {took['cpu']:.2f} s of CPU; resident ", end="")
    print(f"{took['resident_mb']:.0f} MB (target 120), {took['before_mb']:.0f} MB before the file was opened")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
