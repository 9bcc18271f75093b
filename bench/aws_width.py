"""How the cost of a step grows with the width and the length of its execution: `python -m bench.aws_width`.

Counted as in bench.aws, without the functions' own work: what is left grows with calls and bytes alone.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bench.aws_bill import Bill, dollars
from bench.aws_cases import AT_ONCE, FLOWS, STEPS
from bench.aws_cloud import Played, Watched, cloud_of, counted
from bench.aws_flows import flows
from stepfast.language.workflows import Workflow

MILLION = 1e6
ONE_BY_ONE_SECONDS = 0.28


@dataclass(frozen=True, slots=True)
class Row:
    """What one more step costs in an execution of so many. price: dollars a million. passes: of the advancer."""

    size: int
    price: float
    reads: float
    writes: float
    order: float
    passes: float
    gets: float
    wall: float


def _signals(watched: Watched, flow: Workflow[..., Any], number: int) -> Played:
    def send(id: str) -> None:
        for _ in range(number):
            watched.cloud.advance(timedelta(seconds=5))
            watched.cloud.signal(id, "go", 1)

    return watched.run(flow, number, send)


def _plain(watched: Watched, flow: Workflow[..., Any], number: int) -> Played:
    return watched.run(flow, number)


Shape = tuple[str, Workflow[..., Any], Sequence[float], Callable[[Watched, Workflow[..., Any], int], Played]]
SHAPES: Sequence[Shape] = (
    ("gather, at once", flows.gather, (0.0,), _plain),
    ("gather, one by one", flows.gather, (), _plain),
    ("gather, results of 300 KB", flows.large_results, (0.0,), _plain),
    ("two pools in turn", flows.hops, (0.0,), _plain),
    ("timers", flows.timers, (0.0,), _plain),
    ("signals", flows.signals, (0.0,), _signals),
)


def measured(shape: Shape, sizes: Sequence[int]) -> list[Row]:
    """The rows of one shape: executions of these sizes, each in a cloud of its own."""
    _, flow, takes, play = shape
    rows = []
    for size in sizes:
        pauses = takes or tuple(1 + ONE_BY_ONE_SECONDS * number for number in range(size))
        rules = AT_ONCE if takes else None
        with cloud_of(FLOWS, STEPS, rules=rules) as watched, flows.taking(*pauses):
            began = time.perf_counter()
            played = play(watched, flow, size)
            rows.append(_row(size, played, watched.memory, time.perf_counter() - began))
    return rows


def _row(size: int, played: Played, memory: Mapping[str, int], wall: float) -> Row:
    bill: Bill = counted(played)
    entries = [
        made.call.write_units
        for made in played.made
        if made.call.operation == "PutItem" and made.call.params["Item"]["sk"]["S"].startswith(("o#", "cursor"))
    ]
    return Row(
        size,
        MILLION * sum(dollars(bill, memory).values()) / size,
        bill["read_units"] / size,
        bill["write_units"] / size,
        sum(entries) / size,
        len(played.ran("advancer")) / size,
        bill["s3_gets"] / size,
        wall / size,
    )


def exponent(first: Row, last: Row) -> float:
    """The k of n^k by which the whole execution's price grows between two rows."""
    ratio = last.price * last.size / (first.price * first.size)
    return math.log(ratio) / math.log(last.size / first.size)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.aws_width", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 100, 300, 1000])
    parser.add_argument("--only", default="", help="shapes whose names contain this")
    asked = parser.parse_args()
    for shape in SHAPES:
        if asked.only not in shape[0]:
            continue
        print(f"{shape[0]}\n{'n':>7} {'$/M':>8} {'RU':>7} {'WU':>6} {'order':>6} {'passes':>7}", end="")
        print(f" {'gets':>6} {'ms':>7} {'n^k':>6}")
        rows = measured(shape, asked.sizes)
        for index, row in enumerate(rows):
            k = f"{exponent(rows[index - 1], row):6.2f}" if index else ""
            print(
                f"{row.size:7} {row.price:8.3f} {row.reads:7.2f} {row.writes:6.2f} {row.order:6.3f} {row.passes:7.3f} "
                f"{row.gets:6.2f} {1000 * row.wall:7.2f} {k}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
