"""How the cost of a step grows with the width and the length of its execution: `python -m bench.aws_width`.

Counted as in bench.aws. The functions' own work is left out of the price, unless --work asks for it: then the events
are handed to the real functions in processes of their own, and `ms` is their processor time. `latency` is simulated
time, in which only calls to AWS and the steps' own pauses take time.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from bench.aws_bill import Bill, dollars
from bench.aws_cases import AT_ONCE, FLOWS, STEPS
from bench.aws_cloud import Played, Watched, cloud_of, counted
from bench.aws_flows import flows
from bench.aws_width_page import DOCS, PAGE, REFERENCE, filled
from bench.aws_work import worked
from bench.plots import Line, plot
from stepfast.language.workflows import Workflow
from stepfast.simulator.rules import Rules

MILLION = 1e6
ONE_BY_ONE_SECONDS = 0.28
PAUSES: Mapping[str, float] = {"timers": 60.0, "signals": 5.0}
"""Seconds that each turn waits for by itself."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one step costs in an execution of so many. price: dollars a million. passes: of the advancer.

    order: write units of the order's log. work: seconds of a processor, 0 where they were not measured. latency:
    seconds of the whole execution by its steps, pauses left out.
    """

    size: int
    price: float
    reads: float
    writes: float
    order: float
    passes: float
    gets: float
    work: float
    latency: float


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


def measured(shape: Shape, size: int, work: bool = False) -> Row:
    """One execution of this size, in a cloud of its own. work: whether the functions' own work is measured, too."""
    name, flow, takes, play = shape
    pauses = takes or tuple(1 + ONE_BY_ONE_SECONDS * number for number in range(size))
    rules = AT_ONCE if takes else Rules(pollers=size)
    with cloud_of(FLOWS, STEPS, rules=rules) as watched, flows.taking(*pauses):
        items = watched.items()
        played = play(watched, flow, size)
    bill = counted(played)
    if work:
        # A process for each sandbox of a step would take the machine's memory.
        bill = bill.plus(worked([in_few(played)], items)[0])
    return _row(size, played, bill, watched.memory, max(pauses) + PAUSES.get(name, 0.0) * size)


def in_few(played: Played) -> Played:
    """The same with four sandboxes for each kind of step function."""
    made = [replace(each, sandbox=each.sandbox % 4) if each.kind == "step" else each for each in played.made]
    return Played(made, played.invocations)


def _row(size: int, played: Played, bill: Bill, memory: Mapping[str, int], pauses: float) -> Row:
    entries = [
        made.call.write_units
        for made in played.made
        if made.call.operation == "PutItem" and made.call.params["Item"]["sk"]["S"].startswith(("o#", "cursor"))
    ]
    ends = max(invocation.ended_at or 0.0 for invocation in played.invocations)
    begins = min(invocation.started_at for invocation in played.invocations)
    return Row(
        size,
        MILLION * sum(dollars(Bill(_unworked(bill)), memory).values()) / size,
        bill["read_units"] / size,
        bill["write_units"] / size,
        sum(entries) / size,
        len(played.ran("advancer")) / size,
        bill["s3_gets"] / size,
        bill.total("cpu") / size,
        (ends - begins - pauses) / size,
    )


def _unworked(bill: Bill) -> Mapping[str, float]:
    """What was counted, without what was measured."""
    return {name: number for name, number in bill.quantities.items() if not name.startswith(("cpu:", "log_bytes"))}


def exponent(first: Row, last: Row) -> float:
    """The k of n^k by which the whole execution's price grows between two rows."""
    ratio = last.price * last.size / (first.price * first.size)
    return math.log(ratio) / math.log(last.size / first.size)


def _line(row: Row, before: Row | None) -> str:
    k = "" if before is None else f"{exponent(before, row):6.2f}"
    return (
        f"{row.size:7} {row.price:8.3f} {row.reads:7.2f} {row.writes:6.2f} {row.order:6.3f} {row.passes:7.3f} "
        f"{row.gets:6.2f} {1000 * row.work:7.2f} {1000 * row.latency:9.1f} {k}"
    )


def plots(rows: Mapping[str, Sequence[Row]]) -> None:
    """Draws the pictures of docs/costs.md."""
    prices = [Line(shape, [(row.size, row.price) for row in of_shape]) for shape, of_shape in rows.items()]
    waits = [Line(shape, [(row.size, 1000 * row.latency) for row in of_shape]) for shape, of_shape in rows.items()]
    by = "by how many steps, turns or signals one execution has"
    plot(DOCS / "costs-width.png", f"What one costs, {by}", "", "dollars a million", prices)
    plot(DOCS / "costs-latency.png", f"How long one takes, {by}", "", "milliseconds", waits)


def kept(shape: str, row: Row) -> dict[str, list[dict[str, Any]]]:
    """Puts a row among the committed ones, and returns them all. The file is read anew: other runs may write to it."""
    held: dict[str, list[dict[str, Any]]] = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    by_size = {each["size"]: each for each in held.get(shape, ())}
    measured_before = by_size.get(row.size, {}).get("work", 0.0)
    by_size[row.size] = asdict(row) | ({} if row.work else {"work": measured_before})
    held[shape] = [by_size[size] for size in sorted(by_size)]
    REFERENCE.write_text(json.dumps(held, indent=1) + "\n")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.aws_width", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 100, 300, 1000])
    parser.add_argument("--only", default="", help="shapes whose names contain this")
    parser.add_argument("--work", action="store_true", help="measure the functions' own work as well")
    parser.add_argument("--reference", action="store_true", help="put the rows among the committed ones, and draw all")
    asked = parser.parse_args()
    held: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    for shape in SHAPES:
        if asked.only not in shape[0]:
            continue
        print(f"{shape[0]}\n{'n':>7} {'$/M':>8} {'RU':>7} {'WU':>6} {'order':>6} {'passes':>7}", end="")
        print(f" {'gets':>6} {'ms':>7} {'latency':>9} {'n^k':>6}")
        rows: list[Row] = []
        for size in asked.sizes:
            rows.append(measured(shape, size, asked.work))
            print(_line(rows[-1], rows[-2] if len(rows) > 1 else None), flush=True)
            if asked.reference:
                held = kept(shape[0], rows[-1])
                PAGE.write_text(filled(PAGE.read_text(), held))
    if asked.reference and any(len(of_shape) > 1 for of_shape in held.values()):
        plots({name: [Row(**row) for row in of_shape] for name, of_shape in held.items()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
