"""Cold starts: the time to import a function and make its clients, compared with boto3 and the same clients alone.

All are measured in the same run, in turn, each in a fresh process, with the modules' bytecode in place. What counts
is the processor's time: it is what a sandbox works through, and other work on this machine does not add to it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.aws_work import environment
from bench.bed import ROOT
from bench.imports import LINE

KINDS = ("api", "authorizer", "advancer", "step", "timer", "resume", "sweeper")
SENDING = ("advancer", "step", "timer", "sweeper")
"""The functions that make a client of SQS beside the client of the table."""
BASE, BASE_OF_ONE = "boto3, dynamodb and sqs", "boto3, dynamodb"
MAX_RATIO = 1.5
_CLIENT = "boto3.client({!r}, region_name='us-east-1')"
PROGRAMS: Mapping[str, str] = {
    BASE: f"import boto3; {_CLIENT.format('dynamodb')}; {_CLIENT.format('sqs')}",
    BASE_OF_ONE: f"import boto3; {_CLIENT.format('dynamodb')}",
    **{kind: f"import stepfast.functions.{kind}" for kind in KINDS},
}
# The handlers log to standard output.
TIMED = """
import sys, time
wall, cpu = time.perf_counter(), time.process_time()
{program}
print(1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall), file=sys.stderr)
"""
MADE, OTHERS = "clients", "Python"
_GROUPS: Mapping[str, Sequence[str]] = {
    "stepfast": ("stepfast",),
    "botocore": ("botocore", "urllib3", "dateutil", "jmespath", "six", "certifi"),
    "Powertools": ("aws_lambda_powertools",),
    "pydantic": ("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions"),
    "workflows": ("aws_flows",),
}
_TRACES = 3


@dataclass(frozen=True, slots=True)
class Cold:
    """Milliseconds: of the processor, and as they passed; shares: of the time, by package; worst: single modules.

    The share of `clients` is the making of the clients and of the engine; `Python` is its own library, and the rest.
    """

    cpu: float
    wall: float
    cpus: Sequence[float]
    shares: Mapping[str, float]
    worst: Sequence[tuple[str, float]]


def cold_starts(rounds: int, tell: Callable[[str], None]) -> dict[str, Cold]:
    """Measures all programs `times` times in turn. tell: called with the name of the next measurement."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for number in range(rounds):
        for name, program in PROGRAMS.items():
            tell(f"cold starts, round {number + 1} of {rounds}: {name}")
            work, passed = _run("-c", TIMED.format(program=program)).split()[-2:]
            samples[name].append((float(work), float(passed)))
    colds = {}
    for name, program in PROGRAMS.items():
        tell(f"imports of {name}")
        shares, worst = where([_run("-X", "importtime", "-c", program) for _ in range(_TRACES)])
        works, passes = zip(*samples[name], strict=True)
        colds[name] = Cold(statistics.median(works), statistics.median(passes), works, shares, worst)
    return colds


def where(reports: Sequence[str]) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """Shares of -X importtime reports by package, largest first, and of the slowest modules.

    Of each module the least of its times counts: whatever else the machine does only adds to them.
    """
    own: dict[str, int] = {}
    for report in reports:
        for match in LINE.finditer(report):
            own[match[4]] = min(int(match[1]), own.get(match[4], sys.maxsize))
    total = sum(own.values()) or 1
    groups: dict[str, float] = {}
    for name, took in own.items():
        groups[_group(name)] = groups.get(_group(name), 0.0) + took / total
    ordered = dict(sorted(groups.items(), key=lambda group: -group[1]))
    return ordered, [(name, took / total) for name, took in sorted(own.items(), key=lambda group: -group[1])[:6]]


def _group(module: str) -> str:
    if module in [f"stepfast.functions.{kind}" for kind in KINDS]:
        return MADE  # what its handler needs is made while it is imported
    top = module.partition(".")[0]
    return next((group for group, packages in _GROUPS.items() if top in packages), OTHERS)


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"a cold start failed:\n{done.stderr[-2000:]}")
    return done.stderr
