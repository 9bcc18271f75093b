"""What processes of a pool are worth: `python -m bench.pools` runs steps that compute in threads and in processes.

Each round runs the same work in turn in the server's threads, in one process and in two, on new files, so that what
disturbs the machine disturbs all three. The processes are started before the time is taken.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from bench.bed import RESULT_TIMEOUT_SECONDS, folder
from bench.pool_steps import Work, compute, computing, returned, turns_for
from bench.table import shown, table
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

STEP_SECONDS = 0.01
TARGET = 1.85
"""How many times as fast two processes are as one, on two cores."""
LOOK_SECONDS = 0.001


def measure(processes: int, work: Work) -> float:
    """Seconds from before the start until the execution has SUCCEEDED. processes: 0 runs the steps in threads."""
    with (
        folder() as place,
        Runtime(
            Registry([computing]), place / "bench.db", processes={"cpu": processes} if processes else {}
        ) as runtime,
    ):
        _run(runtime, Work(steps=4 * max(1, processes), turns=work.turns), "warm")
        began = time.perf_counter()
        _run(runtime, work, "timed")
        return time.perf_counter() - began


def _run(runtime: Runtime, work: Work, id: str) -> None:
    runtime.call(runtime.operations.start("computing", work.model_dump(), id))
    returned.get(timeout=RESULT_TIMEOUT_SECONDS)
    end = time.monotonic() + RESULT_TIMEOUT_SECONDS
    while (execution := runtime.call(runtime.operations.read(id))).status == "RUNNING":
        if time.monotonic() > end:
            raise TimeoutError("the steps do not end")
        time.sleep(LOOK_SECONDS)
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"the execution is {execution.status}: {execution.error}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pools", description="Measures the processes of a pool.")
    parser.add_argument("--steps", type=int, default=200, help="steps at once; 200 by default")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured; 5 by default")
    asked = parser.parse_args()
    busy = os.getloadavg()[0]
    work = Work(steps=asked.steps, turns=turns_for(STEP_SECONDS))
    kinds = {0: "threads of the server", 1: "1 process", 2: "2 processes"}
    seconds: dict[int, list[float]] = {count: [] for count in kinds}
    alone: list[float] = []
    for _ in range(asked.rounds):
        for count in kinds:
            seconds[count].append(measure(count, work))
        began = time.perf_counter()
        for _ in range(work.steps):
            compute(work.turns)
        alone.append(time.perf_counter() - began)
    rows = [("the loops alone, in a row", *_row(alone), "")]
    rows += [(name, *_row(seconds[count]), "") for count, name in kinds.items()]
    for count, name in ((1, "1 process"), (0, "threads")):
        ratios = [slow / fast for slow, fast in zip(seconds[count], seconds[2], strict=True)]
        rows.append((f"2 processes to {name}, times as fast", *_row(ratios), f"at least {TARGET}" if count else ""))
    title = f"{work.steps} steps of {1000 * STEP_SECONDS:g} ms at once"
    print(table((title, "median", "from to", "target"), rows))
    print(f"cores {os.cpu_count()}, load average before the run {busy:.1f}")


def _row(values: list[float]) -> tuple[str, str]:
    return shown(statistics.median(values)), f"{shown(min(values))} to {shown(max(values))}"


if __name__ == "__main__":
    main()
