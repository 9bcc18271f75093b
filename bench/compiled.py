"""What a compiler over the engine would buy: `python -m bench.compiled` builds a copy of stepfast and measures both.

The modules that each step goes through are compiled by Cython, unchanged, in a folder of their own, which takes some
minutes and needs a C compiler. Then 200 executions of 10 steps run in turn on the plain copy and on the compiled one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from bench.bed import PLACE, ROOT
from bench.table import table

CYTHON = ("cython==3.3.1", "setuptools==84.2.1")
MODULES = {
    "": ("model", "unguarded", "stored_text"),
    "replay": ("replay", "loop", "issuing", "weights", "choices", "commands", "tasks", "reading"),
    "engine": (
        *("chain", "moves", "step_handler", "attempts", "attempt", "step_runner", "advancer", "opening", "recording"),
        *("replay_cache", "claims", "observed", "sealed_reads", "sealed_store", "step_watch", "event_log", "metrics"),
        "turns",
    ),
    "values": ("codec", "flat"),
    "backends/sqlite": ("file", "rows", "store", "changes", "reads", "record_reader"),
    "language": ("workflow_loop", "steps", "arguments", "calls", "unawaited"),
    "local": ("runtime", "step_runner", "inbox", "workers"),
}
_BUILD = """
from setuptools import Extension, setup
from Cython.Build import cythonize
modules = {modules!r}
extensions = [Extension("stepfast." + each.replace("/", "."), ["src/stepfast/" + each + ".py"]) for each in modules]
directives = {{"language_level": 3, "annotation_typing": False, "binding": True}}
setup(
    name="compiled",
    ext_modules=cythonize(extensions, compiler_directives=directives, quiet=True),
    package_dir={{"": "src"}},
    script_args=["build_ext", "--inplace", "-j2"],
)
"""
_MEASURED = """
from bench.bed import bed
with bed() as measured:
    measured.run("sequence", 10, "async", 20)
    print(*(1e6 * measured.run("sequence", 10, "async", 200).cpu / 2000 for _ in range(5)))
"""


def build() -> Path:
    """A copy of the package with compiled modules beside the plain ones. Raises CalledProcessError."""
    place = PLACE / "compiled"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT / "src", place / "src")
    shutil.copytree(ROOT / "bench", place / "bench", ignore=shutil.ignore_patterns("results"))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(place / "tools"), *CYTHON], check=True
    )
    rows = place / "src" / "stepfast" / "backends" / "sqlite" / "rows.py"
    # Cython 3.3.1 crashes where a slice whose beginning is not constant is unpacked.
    rows.write_text(rows.read_text().replace("row[len(_EXECUTION) :]", "row.__getitem__(slice(len(_EXECUTION), None))"))
    modules = [f"{package}/{name}".lstrip("/") for package, names in MODULES.items() for name in names]
    (place / "build.py").write_text(_BUILD.format(modules=modules))
    environment = {**os.environ, "PYTHONPATH": str(place / "tools"), "CFLAGS": "-O2 -g0 -w"}
    subprocess.run([sys.executable, "build.py"], cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
    return place


def measured(root: Path) -> list[float]:
    """Microseconds of CPU time a step, of several batches, in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    command = [sys.executable, "-c", _MEASURED]
    said = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout
    return [float(each) for each in said.split()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compiled", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--built", action="store_true", help="take the copy that is there")
    asked = parser.parse_args()
    place = PLACE / "compiled" if asked.built else build()
    taken: dict[str, list[float]] = {"plain": [], "compiled": []}
    for _ in range(asked.rounds):
        taken["plain"] += measured(ROOT)
        taken["compiled"] += measured(place)
    rows = [[name, f"{min(held):.0f}", f"{statistics.median(held):.0f}"] for name, held in taken.items()]
    print(table(["200 executions of 10 steps, µs of CPU a step", "least", "median"], rows))
    print(f"compiled to plain: {statistics.median(taken['compiled']) / statistics.median(taken['plain']):.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
