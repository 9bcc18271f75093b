"""How long it takes to import what a workflow needs of stepfast above pydantic, and which modules take it."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from bench.bed import ROOT

TIMED = """
import time
began = time.perf_counter()
{first}
between = time.perf_counter()
{then}
print(1000 * (between - began), 1000 * (time.perf_counter() - between))
"""
IMPORT = "from stepfast import step, workflow"
"""`import stepfast` alone loads nothing."""
LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")


def timed(first: str, then: str, times: int, python: Path | None = None) -> tuple[float, float]:
    """Median ms of two statements, one after the other in a fresh interpreter."""
    program = TIMED.format(first=first, then=then)
    timings = [tuple(map(float, _python("-c", program, python=python).split())) for _ in range(times)]
    return statistics.median(timing[0] for timing in timings), statistics.median(timing[1] for timing in timings)


def import_times(times: int) -> dict[str, float]:
    """Medians in ms: all of stepfast, and what is left of it after pydantic has been imported.

    `import pydantic` alone loads next to nothing of pydantic; whoever writes a model has loaded the rest.
    """
    above_bare = timed("import pydantic", IMPORT, times)[1]
    models, above_models = timed("from pydantic import BaseModel, TypeAdapter", IMPORT, times)
    return {
        "stepfast_ms": timed("pass", IMPORT, times)[1],
        "pydantic_models_ms": models,
        "above_bare_pydantic_ms": above_bare,
        "above_pydantic_models_ms": above_models,
    }


def culprits(first: str = "from pydantic import BaseModel, TypeAdapter", times: int = 5) -> list[tuple[str, float]]:
    """What a workflow's import of stepfast loads after `first`: modules with their own ms, worst first.

    -X importtime makes each import slower than it is; the proportions hold.
    """
    own: dict[str, list[float]] = {}
    for _ in range(times):
        report = _python("-X", "importtime", "-c", f"{first}\n{IMPORT}", errors=True)
        seen = False
        for match in LINE.finditer(report):
            seen = seen or match[4] == "stepfast"  # the package itself, which loads nothing of what is in it
            if seen:
                own.setdefault(match[4], []).append(int(match[1]) / 1000)
    return sorted(((name, statistics.median(took)) for name, took in own.items()), key=lambda entry: -entry[1])


def _python(*arguments: str, errors: bool = False, python: Path | None = None) -> str:
    # With bytecode, as packages have it from when they were installed; else stepfast would be compiled each time.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [str(python or sys.executable), *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    return done.stderr if errors else done.stdout


if __name__ == "__main__":
    for name, took in culprits()[:40]:
        print(f"{took:8.2f} ms  {name}")
    print(import_times(11))
