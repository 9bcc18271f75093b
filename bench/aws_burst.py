"""Many executions start within a second: when does the last of them get its first step? `python -m bench.aws_burst`.

Simulated time, in which only calls to AWS take time, 5 ms each: what the functions compute is left out. The stream has
one shard, which is what a table has that is new and small. The passes of one batch are played in turn here; in Lambda
they have threads (stepfast/functions/side_by_side.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import dataclass
from datetime import timedelta

from bench.aws_cases import FLOWS, STEPS
from bench.aws_cloud import Watched, cloud_of
from bench.aws_flows import flows
from stepfast.deployment.project import Project
from stepfast.simulator.gateway import GatewayRequest
from stepfast.simulator.rules import Rules

GROUPS = 20
"""Requests come in so many groups, spread over the second."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds from the first start. batches: invocations of the advancer; longest: of one of them."""

    median: float
    last: float
    batches: int
    longest: float


def played(starts: int, parallelization: int, rules: Rules) -> Burst:
    """Starts the executions, and plays until each has begun its first step."""
    project = Project(parallelization=parallelization)
    with cloud_of(FLOWS, STEPS, project, rules) as watched, flows.taking(0.0):
        began = watched.cloud.now
        for group in range(GROUPS):
            requests = [_start(number) for number in range(group, starts, GROUPS)]
            answers = watched.cloud.request_all(*requests)
            if any(answer.status != 201 for answer in answers):
                raise RuntimeError("a start was refused")
            due = began + timedelta(seconds=(group + 1) / GROUPS)
            watched.cloud.advance(max(timedelta(0), due - watched.cloud.now))
        first: dict[str, float] = {}
        while len(first) < starts:
            watched.cloud.advance(timedelta(seconds=1))
            first = _first_steps(watched)
        waits = [at - began.timestamp() for at in first.values()]
        passes = [each for each in watched.cloud.invocations if each.function == "advancer"]
        of_starts = [each for each in passes if each.started_at <= max(first.values())]
        longest = max((each.ended_at or each.started_at) - each.started_at for each in of_starts)
        return Burst(statistics.median(waits), max(waits), len(of_starts), longest)


def _start(number: int) -> GatewayRequest:
    body = {"input": 1, "execution_id": f"0199a1b2-c3d4-7e5f-8a6b-{number:012}"}
    return GatewayRequest("POST", "/v1/workflows/chain/executions", body)


def _first_steps(watched: Watched) -> dict[str, float]:
    """When each execution's first step was taken from its queue."""
    first: dict[str, float] = {}
    for invocation in watched.cloud.invocations:
        if invocation.function.startswith("step"):
            for record in (invocation.event or {}).get("Records", ()):
                first.setdefault(json.loads(record["body"])["execution"], invocation.started_at)
    return first


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.aws_burst", description=__doc__)
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--pollers", type=int, default=1000)
    parser.add_argument("--parallelization", type=int, nargs="*", default=[1, 10])
    asked = parser.parse_args()
    print(f"{asked.starts} starts in one second, {asked.shards} shard(s), {asked.pollers} pollers of the queue")
    print(f"{'parallelization':>15} {'batches':>8} {'longest':>8} {'median':>8} {'last first step':>16}")
    for number in asked.parallelization:
        burst = played(asked.starts, number, Rules(shards=asked.shards, pollers=asked.pollers))
        print(
            f"{number:15} {burst.batches:8} {burst.longest:6.2f} s {burst.median:6.2f} s {burst.last:14.2f} s",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
