"""Measures stepfast embedded and prints one table: `python -m bench [--quick] [--reference]`.

Each figure comes from a process of its own, several times over, in rounds: what disturbs the machine
for a while then disturbs all figures alike. The medians are shown, and from where to where they went.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import crowd, figures, measure
from bench.bed import ROOT, folder
from bench.figures import FULL, QUICK, Curve, Figure, Samples, Scale, Work
from bench.imports import import_times
from bench.plots import Line, plot
from bench.table import shown, table

RESULTS = Path(__file__).resolve().parent / "results"
DOCS = ROOT / "docs"
BUSY = 0.7
"""Load average before the run from which on its figures are not to be trusted."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures stepfast on this machine.")
    parser.add_argument("--quick", action="store_true", help="a minute's worth: to see that it runs, not how fast")
    parser.add_argument("--rounds", type=int, help="how often each figure is measured; 5 by default")
    parser.add_argument("--reference", action="store_true", help="keep the result and the plots as the committed ones")
    parser.add_argument("--out", type=Path, help="the folder for result and plots; bench/results by default")
    asked = parser.parse_args()
    began, scale = time.perf_counter(), QUICK if asked.quick else FULL
    if asked.rounds:
        scale = replace(scale, rounds=asked.rounds, curve_rounds=min(asked.rounds, scale.curve_rounds))
    busy = os.getloadavg()[0]
    samples = _measured(figures.works(scale), scale)
    curves = _measured(figures.curve_works(scale), scale, scale.curve_rounds)
    out = asked.out or RESULTS
    out.mkdir(parents=True, exist_ok=True)
    result = {"load_before": busy, **_result(scale, samples, curves, time.perf_counter() - began)}
    name = "reference" if asked.reference else time.strftime("%Y%m%d-%H%M%S")
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    _draw(DOCS if asked.reference else out, curves)
    print(_table(result))
    if busy > BUSY:
        print(f"\nThe machine was busy with something else (load {busy:.1f}): trust the ratios, not the figures.")
    return 0


def _measured(works: list[Work], scale: Scale, rounds: int | None = None) -> dict[str, list[measure.Measured]]:
    samples: dict[str, list[measure.Measured]] = {work.key: [] for work in works}
    rounds = rounds or scale.rounds
    with folder() as place:
        crowded = place / "crowded.db"
        if any(work.crowded for work in works):
            crowd.fill(crowded, scale.crowd)
        for number in range(rounds):
            for work in works:
                _show_progress(f"round {number + 1} of {rounds}: {work.key}")
                samples[work.key].append(_once(work, crowded))
    _show_progress("")
    return samples


def _once(work: Work, crowded: Path) -> measure.Measured:
    if work.name == "imports":
        return import_times(**work.parameters)
    file = {"file": str(crowded)} if work.crowded else {}
    return measure.run(work.name, **work.parameters, **file)


def _result(scale: Scale, samples: Samples, curves: Samples, took: float) -> dict[str, Any]:
    rows = [_row(figure, figure.values(samples)) for figure in figures.figures(scale)]
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "took_s": round(took),
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "figures": [*rows, *_grown(curves)],
        "samples": samples,
        "curves": curves,
    }


def _row(figure: Figure, values: list[float]) -> dict[str, Any]:
    median = statistics.median(values)
    return {
        "title": figure.title,
        "unit": figure.unit,
        "median": median,
        "from": min(values),
        "to": max(values),
        "target": figure.target,
        "least": figure.least,
        "met": figure.met(median),
    }


def _grown(curves: Samples) -> list[dict[str, Any]]:
    """How cost grows with size: the ratio for a chain, the power for a gather."""
    made = []
    for field, title_word in (("ms_per_step", "time"), ("cpu_s_per_1000", "CPU")):
        points = dict(figures.curve(curves, "sequence", field))
        small, large = points[100], points[max(points)]
        title = f"{title_word} a step at {max(points):,} in a sequence"
        made.append(_row(Figure(title, "of that at 100", "", "", 1.2), [large / small]))
    points = dict(figures.curve(curves, "gather", "seconds"))
    title = f"a gather of 100 to {max(points):,} grows with its size to"
    made.append(_row(Figure(title, "the power", "", "", 1.5), [figures.exponent(list(points.items()))]))
    return made


def _table(result: dict[str, Any]) -> str:
    rows = []
    for figure in result["figures"]:
        target = (
            ""
            if figure["target"] is None
            else ("at least " if figure["least"] else "at most ") + f"{figure['target']:,g}"
        )
        met = {None: "", True: "met", False: "MISSED"}[figure["met"]]
        spread = f"{shown(figure['from'])} to {shown(figure['to'])}"
        rows.append((figure["title"], shown(figure["median"]), figure["unit"], spread, target, met))
    return table(("stepfast embedded, durability FULL", "median", "unit", "from to", "target", ""), rows)


def _draw(place: Path, curves: Samples) -> None:
    chain: Curve = "sequence"
    wall, cpu = figures.curve(curves, chain, "ms_per_step"), figures.curve(curves, chain, "cpu_s_per_1000")
    plot(
        place / "performance-sequence.png",
        "Cost of a step by the steps of its execution",
        "steps in one execution, one after the other",
        "ms a step",
        [Line("time", wall), Line("CPU", cpu)],
    )
    wide = figures.curve(curves, "gather", "seconds")
    (first, cost), sizes = wide[0], [size for size, _ in wide]
    plot(
        place / "performance-gather.png",
        "A gather by its width",
        "steps gathered in one execution",
        "seconds",
        [
            Line("time", wide),
            Line("CPU", [(size, cpu * size / 1000) for size, cpu in figures.curve(curves, "gather", "cpu_s_per_1000")]),
            Line("linear", [(size, cost * size / first) for size in sizes], thin=True),
            Line("quadratic", [(size, cost * (size / first) ** 2) for size in sizes[:4]], thin=True),
        ],
    )


def _show_progress(text: str) -> None:
    """Progress, where a person looks on."""
    if os.isatty(2):
        os.write(2, f"\r\x1b[K{text}".encode())
