"""The table of docs/costs.md that shows what a step costs by the number of steps, from the committed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.bed import ROOT
from bench.stepfast_bench import RESULTS

REFERENCE, DOCS = RESULTS / "aws-width-reference.json", ROOT / "docs"
PAGE = DOCS / "costs.md"
BEGIN, END = "<!-- table of make bench-width -->", "<!-- end of the table -->"
HEAD = (
    "execution with",
    "n",
    "$ a million",
    "read units",
    "write units",
    "of them the order's",
    "advancer's passes",
    "work, ms",
    "latency, ms",
)

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def page_table(rows: Rows) -> str:
    """The table in Markdown; each number is of one step, turn or signal."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for shape, of_shape in rows.items():
        for row in of_shape:
            cells = (
                shape,
                f"{row['size']:,}",
                f"{row['price']:.2f}",
                f"{row['reads']:.2f}",
                f"{row['writes']:.2f}",
                f"{row['order']:.3f}",
                f"{row['passes']:.2f}",
                f"{1000 * row['work']:.1f}" if row["work"] else "",
                f"{1000 * row['latency']:.0f}",
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def filled(page: str, rows: Rows) -> str:
    """The page with the table between its marks; ValueError where the marks are missing."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{page_table(rows)}\n\n{END}{after}"
