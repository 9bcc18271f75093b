"""What a turn costs that ends with ContinueAsNew, from the first to the last: it must not grow with their number.

python -m bench.turns [--seconds 120] [--turns 1000000] [--cloud 40]

Embedded: a poller of one step and a timeout of a day takes as many turns as the time allows. For each thousand turns
this prints the processor time of the process, the instructions of SQLite's virtual machine, and what Python has
allocated. On AWS: the units and requests of the real handlers, for a turn in the first half of the turns and for one in
the second. The last line says by how much the last figure exceeds the first from turn 1,000 on, and the exit code is 1
where that is more than 5 percent for a figure that is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import logging
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.aws_cloud import cloud_of, counted
from stepfast import ContinueAsNew, Embedded, step, workflow
from stepfast.backends.sqlite import file as sqlite_file

WINDOW = 1_000
"""Turns that are counted together."""
WARM = 1_000
"""Turns from which on a turn costs the same."""
MOST = 1.05
INSTRUCTIONS = 50
"""Instructions of SQLite's virtual machine between two calls of its progress handler."""


@dataclass(slots=True)
class Window:
    """A thousand turns. blocks: what Python has allocated at their end. instructions: of SQLite, in thousands."""

    turns: int
    seconds: float
    cpu: float
    instructions: float
    blocks: int


class Counts:
    """What is counted as turns go by; the step of the poller calls `turn`."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.instructions = 0
        self.most = 0
        self.until = 0.0
        self._last = (0, 0.0, 0.0, 0)

    def begin(self, most: int, seconds: float) -> None:
        self.most, self.until = most, time.monotonic() + seconds
        self._last = (0, time.monotonic(), time.process_time(), self.instructions)

    def turn(self, number: int) -> bool:
        """Whether this turn is the last."""
        if number % WINDOW == 0 and number:
            gc.collect()
            _, began, cpu, instructions = self._last
            now, used = time.monotonic(), time.process_time()
            done = (self.instructions - instructions) * INSTRUCTIONS / 1000
            allocated = sys.getallocatedblocks()
            self.windows.append(Window(number, now - began, used - cpu, done, allocated))
            self._last = (number, now, used, self.instructions)
        return number >= self.most or (number % WINDOW == 0 and time.monotonic() > self.until)


COUNTS = Counts()


@step
async def look(number: int) -> bool:
    return COUNTS.turn(number)


@workflow("turning")
async def turning(number: int) -> int:
    async with asyncio.timeout(86400):
        last = await look(number)
    if last:
        return number
    raise ContinueAsNew(number + 1)


@workflow("turns-of")
async def turns_of(left: int) -> int:
    """As many turns as are left."""
    await look(1)
    if left == 0:
        return 0
    raise ContinueAsNew(left - 1)


@contextmanager
def counting(counts: Counts) -> Iterator[None]:
    """Counts the instructions of every connection that is opened meanwhile."""
    connect = sqlite3.connect

    def watched(*arguments: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)  # type: ignore[call-overload]

        def progress() -> int:
            counts.instructions += 1
            return 0

        connection.set_progress_handler(progress, INSTRUCTIONS)
        return connection

    sqlite_file.sqlite3.connect = watched  # type: ignore[attr-defined]
    try:
        yield
    finally:
        sqlite_file.sqlite3.connect = connect  # type: ignore[attr-defined]


async def embedded(turns: int, seconds: float, counts: Counts = COUNTS) -> list[Window]:
    """The windows of as many turns as there is time for."""
    with tempfile.TemporaryDirectory() as folder, counting(counts):
        async with Embedded(Path(folder, "turns.db"), [turning], durability="process", workers=1) as engine:
            counts.begin(turns, seconds)
            execution = await engine.run(turning, 0)
            await execution.result()
    return counts.windows


def on_aws(turns: int) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """What a turn takes in the first half of so many turns, and in the second."""
    with cloud_of([turns_of], [look]) as watched:
        bills = [counted(watched.run(turns_of, number)) for number in (1, 1 + turns // 2, 1 + turns)]
    halves = [after.less(before).per(turns // 2) for before, after in itertools.pairwise(bills)]
    return halves[0].quantities, halves[1].quantities


def report(windows: list[Window]) -> float:
    """Prints the windows, and returns by which factor the instructions of the last exceed those of the first."""
    print(f"{'turns':>9} {'ms/turn':>8} {'cpu ms/turn':>12} {'SQLite instructions/turn':>25} {'allocated blocks':>17}")
    shown = windows[:: max(1, len(windows) // 20)]
    for window in shown if shown[-1:] == windows[-1:] else [*shown, *windows[-1:]]:
        instructions = window.instructions * 1000 / WINDOW
        line = f"{window.turns:>9,} {window.seconds:>8.3f} {window.cpu:>12.3f} {instructions:>25,.0f}"
        print(f"{line} {window.blocks:>17,}")
    first, last = (next(w for w in windows if w.turns > WARM), windows[-1])
    print(f"the last thousand to the first after turn {WARM:,}: cpu {last.cpu / first.cpu:.3f}, ", end="")
    print(f"instructions {last.instructions / first.instructions:.3f}, allocated {last.blocks / first.blocks:.3f}")
    return max(last.instructions / first.instructions, last.blocks / first.blocks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--cloud", type=int, default=40, help="turns on the handlers of AWS; 0 leaves them out")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    worst = report(asyncio.run(embedded(options.turns, options.seconds)))
    if options.cloud:
        first, second = on_aws(options.cloud)
        print(f"{'a turn on AWS':<28} {'first half':>12} {'second half':>12}")
        for name in sorted(name for name, amount in second.items() if abs(amount) > 1e-9):
            print(f"{name:<28} {first.get(name, 0.0):>12.3f} {second[name]:>12.3f}")
        worst = max(worst, *(second[name] / first[name] for name in ("read_units", "write_units")))
    print(f"at most {MOST}: {'yes' if worst <= MOST else 'no'}, {worst:.3f}")
    return worst > MOST


if __name__ == "__main__":
    sys.exit(main())
