"""What limits keep to, and what they cost: `python -m bench.limits` prints one table with the targets.

Ratios are of measurements in turn on new files, so that what disturbs the machine disturbs all of them. What AWS bills
is counted in a played account, in which time is simulated.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

from bench import limit_steps as steps
from bench.aws_meter import METER
from bench.bed import RESULT_TIMEOUT_SECONDS, Spent, folder, resident_mb
from bench.limit_keys import keys as keys_on_aws
from bench.table import shown, table
from stepfast import Limit
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.local.runtime import Runtime
from stepfast.testing import MotoCloud
from stepfast.testing.memory import MemoryFile
from tests.contract.clock import FixedClock
from tests.simulation import test_crowd as crowd_world
from tests.simulation.late_world import Lateness, LateWorld

Row = tuple[str, str, str]
LOOK_SECONDS = 0.005
BATCH = 500


# -- embedded ------------------------------------------------------------------------------------------------


def through(runtime: Runtime, workflow: Any, inputs: Sequence[Any]) -> float:
    """Seconds from before the starts until all executions have SUCCEEDED."""

    async def start() -> list[str]:
        started = [await runtime.operations.start(workflow.name, value) for value in inputs]
        return [run.execution.execution_id for run in started]

    begin = time.perf_counter()
    for id in runtime.call(start()):
        while (execution := runtime.call(runtime.operations.read(id))).status == "RUNNING":
            if time.perf_counter() > begin + RESULT_TIMEOUT_SECONDS:
                raise TimeoutError(f"{id} does not end")
            time.sleep(LOOK_SECONDS)
        if execution.status != "SUCCEEDED":
            raise RuntimeError(f"{id} is {execution.status}: {execution.error}")
    return time.perf_counter() - begin


def embedded(name: str, inputs: Sequence[Any], *, many: bool = False) -> float:
    """Seconds of a workflow on a new file."""
    return _timed(name, inputs, many=many).wall


def _timed(name: str, inputs: Sequence[Any], *, many: bool) -> Spent:
    steps.began.clear()
    steps.ended.clear()
    with folder() as place, Runtime(steps.registry(), place / "bench.db") as runtime:
        through(runtime, steps.one_of("plain"), [0])
        cpu = time.process_time()
        wall = through(runtime, steps.many_of(name) if many else steps.one_of(name), inputs)
        return Spent(wall, time.process_time() - cpu)


def throughput(rounds: int, executions: int) -> list[Row]:
    """Executions of ten steps at once each, with limits that do not bind, to the same without: of the best rounds."""
    names = ("plain", "rate that does not bind", "slots that do not bind", "gate that is open")
    inputs = [list(range(10))] * executions
    spent: dict[str, list[Spent]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            spent[name].append(_timed(name, inputs, many=True))
    wall = {name: min(each.wall for each in held) for name, held in spent.items()}
    cpu = {name: min(each.cpu for each in held) for name, held in spent.items()}
    of = "embedded: throughput to that without"
    return [
        row
        for name in names[1:]
        for row in (
            (f"{of}, {name}", shown(wall["plain"] / wall[name]), "at least 0.9" if name == names[1] else ""),
            (f"{of}, {name}, by CPU time", shown(cpu["plain"] / cpu[name]), ""),
        )
    ]


def rate(executions: int) -> list[Row]:
    """Executions that start at once, on a rate."""
    embedded("paced", range(executions))
    return _rate_rows("embedded", steps.RATE, [at for at, _ in steps.began])


def _rate_rows(home: str, rate: int, times: Sequence[float]) -> list[Row]:
    times = sorted(times)
    most = max(sum(at <= other < at + 1 for other in times[place:]) for place, at in enumerate(times))
    used = (len(times) - 1) / rate / (times[-1] - times[0])
    of = f"{home}: {len(times):,} executions at {rate} a second"
    return [
        (f"{of}, most in a second", str(most), f"at most {rate}"),
        (f"{of}, share of the rate that is used", shown(used), "at least 0.97"),
    ]


def busy_process(count: int) -> list[Row]:
    """Steps on a rate in simulated time, begun by one process that is busy for up to 0.1 s again and again."""
    file = MemoryFile()
    backend = SqliteBackend(file, FixedClock())  # type: ignore[arg-type]
    limit: Limit[Any] = Limit("late", rate=steps.RATE)
    try:
        times = LateWorld(backend.limits, limit, count, 0, Lateness(busy=0.1), sole=True).play()
    finally:
        file.close()
    return _rate_rows("simulated, in a busy process", steps.RATE, times)


def slots(executions: int, name: str = "slotted") -> list[Row]:
    """Executions that start at once, on few slots that customers share."""
    embedded(name, range(executions))
    begin = min(at for at, _ in steps.began)
    waits = [(steps.key_of(number), at - begin) for at, number in steps.began]
    changes = sorted([(at, 1) for at, _ in steps.began] + [(at, -1) for at in steps.ended])
    span = max(steps.ended) - begin
    busy = sum(steps.ended) - sum(at for at, _ in steps.began)
    seconds = steps.HOLD_SECONDS if name == "slotted" else steps.LONG_HOLD_SECONDS
    home = f"embedded, steps of {seconds:g} s"
    return _slot_rows(home, executions, changes, busy / steps.SLOTS / span, waits)


def crowd(seeds: int, count: int = 1000) -> list[Row]:
    """Steps that wait for few slots in simulated time, while workers die: the worst of several worlds."""
    worlds = [crowd_world.played(seed, 0.0003, count) for seed in range(seeds)]
    of = f"simulated: {count:,} wait for {steps.SLOTS} slots, {sum(world.died for world in worlds)} workers die"
    return [
        (f"{of}, most at once", str(max(world.most for world in worlds)), f"at most {steps.SLOTS}"),
        (f"{of}, share of the slots that is busy", shown(min(world.busy() for world in worlds)), "at least 0.95"),
        (f"{of}, longest wait to the mean", shown(max(world.longest_to_mean() for world in worlds)), "at most 2"),
    ]


def _slot_rows(
    home: str, count: int, changes: Sequence[tuple[float, int]], busy: float, waits: Sequence[tuple[str, float]]
) -> list[Row]:
    longest: dict[str, float] = {}
    for key, wait in waits:
        longest[key] = max(wait, longest.get(key, 0.0))
    mean = statistics.mean(longest.values())
    of = f"{home}: {count:,} executions on {steps.SLOTS} slots"
    most = max(itertools.accumulate(change for _, change in changes))
    return [
        (f"{of}, most at once", str(most), f"at most {steps.SLOTS}"),
        (f"{of}, share of the slots that is busy", shown(busy), "at least 0.95"),
        (f"{of}, longest wait of a key to the mean", shown(max(longest.values()) / mean), "at most 2"),
    ]


def keys(count: int) -> list[Row]:
    """Steps that each have a key of their own, to as many that share one."""
    numbers = [list(range(begin, begin + BATCH)) for begin in range(0, count, BATCH)]
    shared = embedded("one key", numbers, many=True)
    with folder() as place, Runtime(steps.registry(), place / "bench.db") as runtime:
        before = resident_mb()
        own = through(runtime, steps.many_of("a key each"), numbers)
        grown, left = resident_mb() - before, 0
        time.sleep(0.5)  # The rate of a key leaves its next moment free after 0.1 s.
        in_use, position = runtime.call(runtime.operations.limits.keys("each"))
        left += len(in_use)
        while position:
            in_use, position = runtime.call(runtime.operations.limits.keys("each", after=position))
            left += len(in_use)
    return [
        (f"embedded: {count:,} keys once each, time to that of one key", shown(own / shared), ""),
        (f"embedded: {count:,} keys once each, MB more in memory", shown(max(0.0, grown)), ""),
        (f"embedded: {count:,} keys once each, keys in use afterwards", str(left), "0"),
    ]


# -- AWS -----------------------------------------------------------------------------------------------------


def played(name: str, count: int, *, apart: bool = False) -> tuple[float, list[Any]]:
    """Write units a step, and the attempts, of executions that start at once, or one after the other."""
    flow = steps.one_of(name)
    with METER.metering(), MotoCloud(flow, check_replays=False) as cloud:
        runs = []
        for number in range(count):
            runs.append(cloud.start(flow, number))
            if apart:
                cloud.advance(timedelta(seconds=2 * steps.PLAYED_SECONDS))
        cloud.advance(timedelta(seconds=600 + 2 * steps.PLAYED_SECONDS * count))
        if {run.status for run in runs} != {"SUCCEEDED"}:
            raise RuntimeError(f"not all executions of {name} have SUCCEEDED")
        calls = [call for run in runs for call in run.steps]
    return sum(made.call.write_units for made in METER.made) / count, calls


def written(count: int) -> list[Row]:
    """Write units that limits add to a step, of executions apart and of those that start at once."""
    rows = list[Row]()
    kinds = (("a rate", "played rate", "at most 1.2"), ("a free slot", "played slot", "at most 2.2"))
    plain = played("played plain", 5, apart=True)[0]
    for title, name, target in (*kinds, ("an open gate", "played gate", "0")):
        units = played(name, 5, apart=True)[0] - plain
        rows.append((f"AWS: write units that {title} adds, one step at a time", shown(units), target))
    plain = played("played plain", count)[0]
    for title, name, target in kinds:
        units = played(name, count)[0] - plain
        rows.append((f"AWS: write units that {title} adds, {count} steps at one moment", shown(units), target))
    units, calls = played("played line", count)
    rows.append(
        (f"AWS: write units that a slot adds, {count} at once on {steps.SLOTS}", shown(units - plain), "at most 3.3")
    )
    return [*rows, *_played_slots(count, calls)]


def _played_slots(count: int, calls: Sequence[Any]) -> list[Row]:
    starts = sorted(call.started_at.timestamp() for call in calls)
    waits = [(steps.key_of(number), starts[number] - starts[0]) for number in range(count)]
    changes = sorted([(at, 1) for at in starts] + [(at + steps.PLAYED_SECONDS, -1) for at in starts])
    span = starts[-1] + steps.PLAYED_SECONDS - starts[0]
    return _slot_rows("AWS", count, changes, count * steps.PLAYED_SECONDS / steps.SLOTS / span, waits)[:2]


def played_rate(count: int) -> list[Row]:
    return _rate_rows(
        "AWS", steps.PLAYED_RATE, [call.started_at.timestamp() for call in played("played pace", count)[1]]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description="Measures limits and gates.")
    parser.add_argument("--executions", type=int, default=1000, help="of the embedded runtime; 1,000 by default")
    parser.add_argument("--played", type=int, default=60, help="in the played account; 60 by default")
    parser.add_argument("--keys", type=int, default=10_000, help="keys; 10,000 by default")
    parser.add_argument("--paced", type=int, default=1000, help="on a rate in the played account; 1,000 by default")
    parser.add_argument("--rounds", type=int, default=30, help="of the throughput; 30 by default")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    busy = os.getloadavg()[0]
    with ProcessPoolExecutor(1, get_context("spawn")) as beside:
        rows = _printed(asked, beside)
    print(table(("limits", "measured", "target"), rows))
    print(f"cores {os.cpu_count()}, load average before the run {busy:.1f}")


def _printed(asked: argparse.Namespace, beside: ProcessPoolExecutor) -> list[Row]:
    """The rows, each part of which is printed once it is measured.

    beside: a process for the longest part of those that count and do not take times.
    """
    timed: tuple[Callable[[], Sequence[Row]], ...] = (
        lambda: throughput(asked.rounds, max(10, asked.executions // 25)),
        lambda: rate(asked.executions),
        lambda: busy_process(asked.executions),
        lambda: slots(asked.executions * 3 // 10),
        lambda: slots(asked.executions // 10, "slotted longer")[1:2],
        lambda: crowd(4),
        lambda: keys(asked.keys),
    )
    rows, begin = list[Row](), time.perf_counter()

    def measure(part: Callable[[], Sequence[Row]]) -> None:
        made = part()
        rows.extend(made)
        print(f"{time.perf_counter() - begin:4.0f} s:", *(": ".join(row[:2]) for row in made), sep="\n  ", flush=True)

    for part in timed:
        measure(part)
    on_aws = beside.submit(keys_on_aws, asked.keys)
    for counted in (lambda: written(asked.played), lambda: played_rate(asked.paced), on_aws.result):
        measure(counted)
    return rows


if __name__ == "__main__":
    main()
