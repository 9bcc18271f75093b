"""The work of every engine. Each engine's own Python runs this, so it needs the standard library only."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEPS = 10
TIMES = 7
"""The number of executions of ten steps, and of gathers of a hundred, behind each median."""
EXECUTIONS = 200
WORK = "BENCH_PEERS_WORK"
"""The variable that says what to measure: `map`, `reports`, or everything else."""
ITEMS = "BENCH_PEERS_ITEMS"
REPORTS = 500
TIMER_SECONDS, RESULT_BYTES = 1.0, 30_000
BATCH = 500
"""Items of a batch, as of map_items()."""


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine runs no-op steps: each returns when the engine says that the execution has succeeded.

    processes: what its work costs, beside this program's own process if that runs the steps. maps: the ways in which
    the engine can run a no-op step for each of very many items in one execution, by name. report: runs the report of a
    number, as in bench/realistic.py.
    """

    sequence: Callable[[int], Awaitable[object]]
    gather: Callable[[int], Awaitable[object]]
    many: Callable[[int, int], Awaitable[object]]
    processes: Sequence[int]
    maps: Mapping[str, Callable[[int], Awaitable[object]]] = field(default_factory=dict)
    report: Callable[[int], Awaitable[object]] | None = None


async def put_through(engine: Engine) -> None:
    """Measures and prints one line of JSON."""
    if os.environ.get(WORK) == "map":
        await _map_through(engine)
        return
    if os.environ.get(WORK) == "reports":
        await _reports_through(engine)
        return
    await engine.sequence(STEPS)
    ten = statistics.median([await _timed(engine.sequence(STEPS)) for _ in range(TIMES)])
    cpu = _cpu(engine.processes)
    thousand = await _timed(engine.sequence(1000))
    between = _cpu(engine.processes)
    many = await _timed(engine.many(EXECUTIONS, STEPS))
    after = _cpu(engine.processes)
    hundred = statistics.median([await _timed(engine.gather(100)) for _ in range(3)])
    wide = await _timed(engine.gather(1000))
    measured = {
        "sequence_10_ms": 1000 * ten / STEPS,
        "sequence_1000_ms": thousand,
        "steps_per_s": EXECUTIONS * STEPS / many,
        "gather_100_ms": 1000 * hundred,
        "gather_1000_s": wide,
        "cpu_sequence_s": between - cpu,
        "cpu_throughput_s": 1000 * (after - between) / (EXECUTIONS * STEPS),
        "resident_mb": _resident(engine.processes),
    }
    print(json.dumps(measured), flush=True)


async def _reports_through(engine: Engine) -> None:
    """Reports that are all started at once, beginning at a number that none had that was run to warm up."""
    report = engine.report
    if report is None:
        raise ValueError("this engine has no report")
    await asyncio.gather(*(report(number) for number in range(10)))
    cpu, began = _cpu(engine.processes), time.perf_counter()
    took = sorted(await asyncio.gather(*(_timed(report(number)) for number in range(1000, 1000 + REPORTS))))
    wall = time.perf_counter() - began
    measured = {
        "per_s": REPORTS / wall,
        "median_s": statistics.median(took),
        "p99_s": took[int(0.99 * REPORTS)],
        "cpu_ms": 1000 * (_cpu(engine.processes) - cpu) / REPORTS,
        "resident_mb": _resident(engine.processes),
    }
    print(json.dumps(measured), flush=True)


async def _map_through(engine: Engine) -> None:
    """Each way of the engine: items a second, of a number of items that the environment names."""
    items = int(os.environ[ITEMS])
    measured: dict[str, float | str] = {}
    for name, run in engine.maps.items():
        try:
            await run(BATCH)
            measured[name] = items / await _timed(run(items))
        except Exception as error:  # an engine's limit is a result too
            measured[name] = f"{type(error).__name__}: {error}"[:200]
    print(json.dumps({"ways": measured, "resident_mb": _resident(engine.processes)}), flush=True)


def batches(items: int) -> list[tuple[int, int]]:
    """Where each batch begins and ends."""
    return [(start, min(start + BATCH, items)) for start in range(0, items, BATCH)]


async def render(total: int) -> str:
    """The result of a report."""
    return str(total % 10) * RESULT_BYTES


async def _timed(running: Awaitable[object]) -> float:
    began = time.perf_counter()
    await running
    return time.perf_counter() - began


def with_children(processes: Sequence[int]) -> list[int]:
    """These processes and those that they have started, such as PostgreSQL's, which has one for each connection."""
    pids = list(processes)
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            pids += [int(child) for child in (thread / "children").read_text().split()]
    return list(dict.fromkeys(pids))


def _cpu(processes: Sequence[int]) -> float:
    """CPU seconds that the processes have used so far, in user and kernel mode."""
    ticks = 0
    for pid in with_children(processes):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident(processes: Sequence[int]) -> float:
    # Pss: what processes share, such as PostgreSQL's buffers, counts once.
    sizes = [Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2] for pid in with_children(processes)]
    return sum(float(size.split()[0]) for size in sizes) / 1024


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def folder() -> Path:
    """The folder for the engine's files: the only argument of the program."""
    return Path(sys.argv[1])
