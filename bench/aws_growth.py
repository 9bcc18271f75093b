"""Whether the functions work longer for a step the more steps an execution has: `python -m bench.aws_growth`.

Executions of different widths are played in the simulated cloud, and their events are handed to the real functions in
processes of their own, as in bench.aws_work. What is printed is their processor time for each step, by function, and
beside that of the narrowest execution. An execution before them warms the processes up, so that what a process does
once is in none of the figures. Each figure is the least of several rounds: other work of a machine only adds to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from bench.aws_cases import AT_ONCE, FLOWS, STEPS
from bench.aws_cloud import cloud_of
from bench.aws_flows import flows
from bench.aws_width import in_few
from bench.aws_work import worked
from bench.table import table

WARM_UP = 60
TARGET = 1.1
"""The most that a step of the widest execution may take beside one of the narrowest."""


def by_function(sizes: Sequence[int], rounds: int, together: bool) -> dict[int, dict[str, float]]:
    """Milliseconds for each step by kind of function, by the number of steps.

    together: results come at once; otherwise one after the other, each for a pass of its own.
    """
    takes = (0.0,) if together else tuple(1.0 + 0.28 * number for number in range(max(sizes)))
    with cloud_of(FLOWS, STEPS, rules=AT_ONCE) as watched, flows.taking(*takes):
        items = watched.items()
        played = [in_few(watched.run(flows.gather, size)) for size in (WARM_UP, *sizes)]
    best: dict[int, dict[str, float]] = {size: {} for size in sizes}
    for _ in range(rounds):
        for size, bill in zip(sizes, worked(played, items)[1:], strict=True):
            for name, seconds in bill.quantities.items():
                kind, of_work = name.removeprefix("cpu:"), best[size]
                if name.startswith("cpu:"):
                    of_work[kind] = min(of_work.get(kind, float("inf")), 1000 * seconds / size)
    return best


def lines(best: Mapping[int, Mapping[str, float]]) -> list[tuple[str, ...]]:
    """Rows of a table: the steps, the functions' milliseconds, and all of them beside the first row's."""
    kinds = sorted({kind for of_work in best.values() for kind in of_work})
    first = sum(next(iter(best.values())).values())
    rows = []
    for size, of_work in best.items():
        whole = sum(of_work.values())
        each = (f"{of_work.get(kind, 0.0):.3f}" for kind in kinds)
        rows.append((f"{size:,}", *each, f"{whole:.3f}", f"{whole / first:.2f}"))
    return [("steps", *kinds, "all, ms", "beside the first"), *rows]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.aws_growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one-by-one", action="store_true", help="results come one after the other")
    asked = parser.parse_args()
    best = by_function(asked.sizes, asked.rounds, not asked.one_by_one)
    head, *rows = lines(best)
    print(table(head, rows))
    first, last = (sum(best[size].values()) for size in (asked.sizes[0], asked.sizes[-1]))
    print(f"\n{last / first:.2f} times the work of a step; the target is at most {TARGET}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
