"""What an item of map_items() costs: `python -m bench.map [embedded|aws|peers]`.

embedded: a file of no-op items through the embedded runtime, and gathers of the same step in the same run, by wall
time, with the memory of the process. aws: dollars a million items, counted as in bench.aws_width. peers: the same
items on other durable engines, as in bench.peers.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.bed import PLACE
from stepfast import JsonLines, map_items, step, workflow
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

PLAIN = 1_000
"""Steps of a gather."""


@step
async def noop(number: int) -> int:
    return number


@workflow("plain")
async def plain(steps: int) -> int:
    return len(await asyncio.gather(*(noop(number) for number in range(steps))))


@workflow("mapped")
async def mapped(path: str) -> int:
    return (await map_items(noop, JsonLines(path))).succeeded


def embedded(items: int) -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=PLACE))
    try:
        file = folder / "items.jsonl"
        with file.open("w") as out:
            out.writelines(f"{number}\n" for number in range(items))
        runtime = Runtime(Registry([plain, mapped]), folder / "bench.db")
        try:
            ended(runtime, "plain", PLAIN, "warm")
            rounds = max(2, items // 20_000)
            before = sum(ended(runtime, "plain", PLAIN, f"before-{number}") for number in range(rounds))
            took = ended(runtime, "mapped", str(file), "mapped")
            after = sum(ended(runtime, "plain", PLAIN, f"after-{number}") for number in range(rounds))
        finally:
            runtime.close()
    finally:
        shutil.rmtree(folder)
    steps_a_second, items_a_second = 2 * rounds * PLAIN / (before + after), items / took
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(f"gathers of {PLAIN:,} steps: {steps_a_second:,.0f} steps/s, before and after")
    print(f"map of {items:,} items: {took:.1f} s, {items_a_second:,.0f} items/s, ", end="")
    print(f"{items_a_second / steps_a_second:.2f} of the steps; resident at most {memory:.0f} MB")


def ended(runtime: Runtime, name: str, input: Any, id: str) -> float:
    """Runs an execution, and returns the seconds that it took."""
    began = time.perf_counter()
    runtime.call(runtime.operations.start(name, input, id))
    while (execution := runtime.call(runtime.operations.read(id))).status == "RUNNING":
        time.sleep(0.005)
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"{id}: {execution.error}")
    return time.perf_counter() - began


def aws(sizes: list[int]) -> None:
    from bench.aws_bill import dollars
    from bench.aws_cases import AT_ONCE, FLOWS, STEPS
    from bench.aws_cloud import cloud_of, counted
    from bench.aws_flows import flows

    print(f"{'n':>7} {'$/M':>8} {'RU':>7} {'WU':>6} {'ms':>7} {'n^k':>6}")
    before: tuple[int, float] | None = None
    for size in sizes:
        with cloud_of(FLOWS, STEPS, rules=AT_ONCE) as watched:
            began = time.perf_counter()
            bill = counted(watched.run(flows.mapped, size))
            wall = time.perf_counter() - began
            price = sum(dollars(bill, watched.memory).values())
        k = "" if before is None else f"{math.log(price / before[1]) / math.log(size / before[0]):6.2f}"
        before = (size, price)
        reads, writes = bill["read_units"] / size, bill["write_units"] / size
        print(
            f"{size:7} {1e6 * price / size:8.3f} {reads:7.2f} {writes:6.2f} {1000 * wall / size:7.2f} {k}", flush=True
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.map", description=__doc__)
    parser.add_argument("home", nargs="?", choices=["embedded", "aws", "peers"], default="embedded")
    parser.add_argument("--items", type=int, help="100,000, and 10,000 beside peers")
    parser.add_argument("--rounds", type=int, default=2, help="beside peers")
    parser.add_argument("--reference", action="store_true", help="keep the result beside peers as the committed one")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 2000, 4000])
    asked = parser.parse_args()
    if asked.home == "peers":
        from bench.peers import maps

        return maps.main(asked.items or 10_000, asked.rounds, asked.reference)
    if asked.home == "aws":
        aws(asked.sizes)
    else:
        embedded(asked.items or 100_000)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
