"""Two costs that must not grow with their number: `python -m bench.growth`.

Embedded: an execution takes signals one after the other. For each this prints the processor time, the wall time and the
instructions of SQLite's virtual machine. In the test kit's MotoCloud: the processor time for a step of a gather. The
ratio is that of the largest number to the smallest; other work of a machine disturbs all but the instructions.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.table import table
from bench.turns import INSTRUCTIONS, Counts, counting
from stepfast import Embedded, signal, step, workflow
from stepfast.records import dataclass
from stepfast.testing import MotoCloud

MOST_SIGNAL, MOST_STEP = 1.1, 1.5
"""What the ratios may be at most."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one of so many took. instructions: of SQLite."""

    number: int
    cpu: float
    wall: float
    instructions: float = 0.0


@workflow("takes-signals")
async def takes_signals(number: int) -> int:
    return sum([await signal("go", int) for _ in range(number)])


@step
async def nothing(number: int) -> int:
    return number


@workflow("gathers-steps")
async def gathers_steps(width: int) -> int:
    return len(await asyncio.gather(*(nothing(number) for number in range(width))))


async def signals(number: int) -> Cost:
    """An execution that takes so many signals, each sent once the one before has been stored."""
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder, counting(counts):
        async with Embedded(Path(folder, "signals.db"), [takes_signals], durability="process", workers=1) as engine:
            execution = await engine.run(takes_signals, number)
            counts.instructions = 0
            began, cpu = time.monotonic(), time.process_time()
            for each in range(number):
                await execution.signal("go", each)
            await execution.result()
            wall, cpu = time.monotonic() - began, time.process_time() - cpu
    return Cost(number, cpu / number, wall / number, counts.instructions * INSTRUCTIONS / number)


def gathered(width: int) -> Cost:
    """A gather of so many steps in the test kit's cloud, once that has played one."""
    with MotoCloud(gathers_steps) as cloud:
        cloud.run(gathers_steps, 2)
        began, cpu = time.monotonic(), time.process_time()
        assert cloud.run(gathers_steps, width).result == width
    return Cost(width, (time.process_time() - cpu) / width, (time.monotonic() - began) / width)


def least(costs: Sequence[Cost]) -> Cost:
    """The least of each figure: other work only adds to it."""
    figures = ((cost.cpu, cost.wall, cost.instructions) for cost in costs)
    return Cost(costs[0].number, *map(min, zip(*figures, strict=True)))


def _line(name: str, cost: Cost) -> tuple[str, ...]:
    instructions = f"{cost.instructions:,.0f}" if cost.instructions else ""
    return (name, f"{cost.number:,}", f"{1000 * cost.cpu:.2f}", f"{1000 * cost.wall:.2f}", instructions)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, nargs=2, default=[20, 2000])
    parser.add_argument("--widths", type=int, nargs=2, default=[10, 200])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    rounds = range(asked.rounds)
    few, many = ([asyncio.run(signals(number)) for _ in rounds] for number in asked.signals)
    narrow, wide = ([gathered(width) for _ in rounds] for width in asked.widths)
    taken, steps = tuple(map(least, (few, many))), tuple(map(least, (narrow, wide)))
    rows = itertools.chain(
        (_line("signal, embedded", cost) for cost in taken), (_line("step, MotoCloud", cost) for cost in steps)
    )
    print(table(("", "of", "CPU ms", "wall ms", "SQLite instructions"), list(rows)))
    of_signals = taken[1].instructions / taken[0].instructions
    print(f"\na signal: instructions {of_signals:.2f}, CPU {taken[1].cpu / taken[0].cpu:.2f}; at most {MOST_SIGNAL}")
    print(f"a step: CPU {steps[1].cpu / steps[0].cpu:.2f}; at most {MOST_STEP}")
    return of_signals > MOST_SIGNAL or steps[1].cpu / steps[0].cpu > MOST_STEP


if __name__ == "__main__":
    sys.exit(main())
