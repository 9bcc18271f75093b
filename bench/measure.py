"""One measurement in a process of its own: `python -m bench.measure NAME '{"parameter": …}'` prints JSON."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import disk
from bench.bed import ROOT, Kind, Spent, bed, folder, peak_mb, resident_mb

Measured = dict[str, float]
MEASUREMENT_TIMEOUT_SECONDS = 600.0
"""Seconds after which a measuring process is given up."""
COMMITS = 40


def run(name: str, **parameters: Any) -> Measured:
    """Measures in a fresh process; RuntimeError with what it said when it fails."""
    command = [sys.executable, "-m", "bench.measure", name, json.dumps(parameters)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=MEASUREMENT_TIMEOUT_SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"measuring {name} {parameters} failed:\n{done.stderr[-2000:]}")
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def sequence(steps: int, times: int = 1, kind: Kind = "async", durability: str = "full") -> Measured:
    """Executions of so many steps, one after the other; the median of them."""
    return _with_bed("sequence", steps, times, kind, durability)


def gather(steps: int, times: int = 1, kind: Kind = "async", durability: str = "full") -> Measured:
    """Executions that gather so many steps, one after the other; the median of them."""
    return _with_bed("gather", steps, times, kind, durability)


def throughput(
    executions: int, steps: int, kind: Kind = "async", file: str | None = None, durability: str = "full"
) -> Measured:
    """So many executions of so many steps, started at once; on the file given, or on an empty one."""
    with bed(Path(file) if file else None, "process" if durability == "process" else "full") as made:
        made.run("sequence", 10, kind)
        spent = made.run("sequence", steps, kind, executions)
        return _medians([spent], executions * steps) | {"steps_per_s": executions * steps / spent.wall}


def raw(times: int = 200) -> Measured:
    """The disk without stepfast."""
    with folder() as place:
        return {
            "append_fsync_ms": disk.appending(place / "append", times),
            "overwrite_fdatasync_ms": disk.overwriting(place / "overwrite", times),
            "sqlite_commit_ms": disk.committing(place / "rows.db", times),
        }


def _with_bed(workflow: str, steps: int, times: int, kind: Kind, durability: str) -> Measured:
    before = _commit_ms()
    with bed(durability="process" if durability == "process" else "full") as made:
        made.run(workflow, min(steps, 10), kind)
        measured = _medians([made.run(workflow, steps, kind) for _ in range(times)], steps)
    return measured | {"sqlite_commit_ms": (before + _commit_ms()) / 2}


def _medians(spent: list[Spent], steps: int) -> Measured:
    wall = statistics.median(usage.wall for usage in spent)
    return {
        "seconds": wall,
        "ms_per_step": 1000 * wall / steps,
        "cpu_s_per_1000": 1000 * statistics.median(usage.cpu for usage in spent) / steps,
        "resident_mb": resident_mb(),
        "peak_mb": peak_mb(),
    }


def _commit_ms() -> float:
    with folder() as place:
        return disk.committing(place / "rows.db", COMMITS)


MEASUREMENTS: dict[str, Callable[..., Measured]] = {
    "sequence": sequence,
    "gather": gather,
    "throughput": throughput,
    "raw": raw,
}

if __name__ == "__main__":
    print(json.dumps(MEASUREMENTS[sys.argv[1]](**json.loads(sys.argv[2]))))
