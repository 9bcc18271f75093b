"""Where the CPU time of a step goes: `python -m bench.profiling [chain|throughput|gather]`.

cProfile in every thread, by the thread's CPU time, so that waiting does not count. It makes small Python
functions dearer than they are: compare the lines with one another, and take times from the bench.
"""

from __future__ import annotations

import collections
import cProfile
import pstats
import sys
import threading
import time
from typing import Any

from bench.bed import bed
from bench.table import table

WORK = {"chain": ("sequence", 1000, 1, 3), "throughput": ("sequence", 10, 200, 2), "gather": ("gather", 1000, 1, 3)}
"""Workflow, steps, executions at once, and repetitions."""

CLOCK = getattr(time.thread_time, "__wrapped__", time.thread_time)
"""stepfast replaces the name `time.thread_time` for the sake of workflow code, which the profiler looks at, too."""

Function = tuple[str, int, str]
Row = tuple[Function, float, float, int]
"""A function, its own CPU seconds, its CPU seconds with callees, and its number of calls."""


def profiled(name: str) -> tuple[list[Row], int]:
    """The time of every function, summed over all threads, and the number of steps that were run."""
    workflow, steps, executions, times = WORK[name]
    made: list[cProfile.Profile] = []
    patched: Any = threading.Thread
    plain = threading.Thread.run

    def run(thread: threading.Thread) -> None:
        profile = cProfile.Profile(CLOCK)
        made.append(profile)
        profile.enable()
        try:
            plain(thread)
        finally:
            profile.disable()

    patched.run = run
    try:
        with bed() as work_bed:
            for _ in range(times):
                work_bed.run(workflow, steps, "async", executions)
    finally:
        patched.run = plain
    return _rows(made), steps * executions * times


def _rows(profiles: list[cProfile.Profile]) -> list[Row]:
    merged: Any = pstats.Stats(*profiles)
    return [(function, totals[2], totals[3], totals[1]) for function, totals in merged.stats.items()]


def category(function: Function) -> str:
    """The category of the work that a function does itself."""
    file, _, name = function
    if "sqlite3" in name:
        return "SQLite, the kernel's part of fdatasync with it"
    if "pydantic_core" in name or "_json" in name or "/json/" in file or file.endswith("stepfast/values/codec.py"):
        return "JSON and types: pydantic, codec.py, json"
    if "epoll" in name or "/asyncio/" in file or "_asyncio" in name or "selectors" in file:
        return "asyncio: loops, tasks, futures"
    if "dataclasses" in file or file == "<string>" or "dataclasses" in name:
        return "dataclasses: made and replaced"
    if "stepfast/" in file:
        return "stepfast/" + file.rpartition("stepfast/")[2]
    return "interpreter: builtins and other libraries"


def main() -> int:
    for name in sys.argv[1:] or WORK:
        rows, steps = profiled(name)
        whole = sum(own for _, own, _, _ in rows)
        by: dict[str, float] = collections.defaultdict(float)
        for function, own, _, _ in rows:
            by[category(function)] += 1e6 * own / steps
        most = sorted(by.items(), key=lambda entry: -entry[1])
        print(f"\n{name}: {1e6 * whole / steps:.0f} µs of CPU a step while profiled")
        spent = [[name, f"{took:.1f}", f"{100e-6 * took * steps / whole:.0f} %"] for name, took in most[:16]]
        print(table(["own time", "µs a step", "share"], spent))
        longest = sorted(rows, key=lambda row: -row[1])[:40]
        print(
            table(
                ["function", "calls a step", "own µs a step", "with callees"], [_shown(row, steps) for row in longest]
            )
        )
    return 0


def _shown(row: Row, steps: int) -> list[str]:
    (file, line, name), own, whole, calls = row
    where = name if file == "~" else f"{'/'.join(file.split('/')[-2:])}:{line} {name}"
    return [where[:90], f"{calls / steps:.2f}", f"{1e6 * own / steps:.2f}", f"{1e6 * whole / steps:.1f}"]


if __name__ == "__main__":
    raise SystemExit(main())
