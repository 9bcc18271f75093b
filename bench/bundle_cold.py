"""Cold starts of a built bundle, beside boto3 with two clients: `python -m bench.bundle_cold [--rounds 5]`.

The bundle is built for this machine's processor and for the newest Python of Lambda that is installed here, with
bytecode, and each start is a fresh process of that Python which sees the bundle alone. All are measured in turns. The
ratio of medians tells what a cold start costs; that of minima is steadier on a machine with other work.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.aws_cold import BASE, PROGRAMS, TIMED
from bench.aws_work import environment
from bench.bed import ROOT
from stepfast.errors import StartupError
from stepfast.infra import bytecode
from stepfast.infra.bundle import Source, build
from stepfast.infra.preparing import CACHE
from stepfast.infra.target import Target, architecture_here

KINDS = ("step", "api", "advancer")
TARGETS: Sequence[tuple[str, float]] = (("step", 1.10), ("api", 1.15))
VERSIONS = ("3.14", "3.13", "3.12", "3.11")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    version, program = _python()
    architecture = architecture_here()
    bundle = build(Source(ROOT, include=["functions", "bench"]), Target(architecture, version), ROOT / CACHE).folder
    samples: dict[str, list[float]] = {name: [] for name in (BASE, *KINDS)}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for name, each in samples.items():
            each.append(_cpu(program, bundle, PROGRAMS[name]))
    print(f"Python {version}, {architecture}, {rounds} rounds, load {os.getloadavg()[0]:.0f}; ms of CPU\n")
    print("| start of | median | to boto3 | by minima | target |\n|---|---|---|---|---|")
    median, least = statistics.median(samples[BASE]), min(samples[BASE])
    for name, each in samples.items():
        target = dict(TARGETS).get(name, "")
        ratios = f"{statistics.median(each) / median:.2f} | {min(each) / least:.2f}"
        print(f"| {name} | {statistics.median(each):.0f} | {ratios} | {target} |")


def _python() -> tuple[str, str]:
    for version in VERSIONS:
        try:
            Target(python=version)
        except StartupError:
            continue
        if (program := bytecode.program_of(version)) is not None:
            return version, program
    raise SystemExit("none of Lambda's Pythons is installed here: " + ", ".join(VERSIONS))


def _cpu(program: str, bundle: Path, text: str) -> float:
    """Milliseconds of CPU time of one start."""
    variables = environment() | {
        "PYTHONPATH": str(bundle),
        "LAMBDA_TASK_ROOT": str(bundle),
        "STEPFAST_WORKFLOWS": str(bundle / "bench" / "aws_flows"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [program, "-s", "-c", TIMED.format(program=text)]
    done = subprocess.run(command, cwd=bundle, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"a cold start failed:\n{done.stderr[-2000:]}")
    return float(done.stderr.split()[-2])


if __name__ == "__main__":
    main()
