"""Measures the work of the functions themselves: real handlers in processes, with the events of played executions.

A sandbox of the simulated cloud is a process here, so that what one remembers it remembers here, too. AWS is
a stub that answers at once; its time is not counted, nor is the way there: that is added as `aws_prices.LATENCY`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.aws_bill import Bill
from bench.aws_cloud import Played
from bench.aws_meter import kind_of
from bench.aws_stub import Item, Key, Stub, serving
from bench.bed import ROOT

FLOWS = Path(__file__).resolve().parent / "aws_flows"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/"


def environment(pool: str = "default", url: str = "") -> dict[str, str]:
    """The environment variables of a function in Lambda, with the URL of the AWS stub."""
    # Packages have their bytecode from when they were installed; without its own stepfast would be compiled each time.
    left = ("AWS_", "STEPFAST_", "PYTHONDONTWRITEBYTECODE", "REQUESTS_CA_BUNDLE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left)}
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "POWERTOOLS_TRACE_DISABLED": "1",  # tracing is off unless a project asks for it
        "POWERTOOLS_METRICS_NAMESPACE": "stepfast",
        "STEPFAST_TABLE": "stepfast",
        "STEPFAST_BUCKET": "stepfast-values",
        "STEPFAST_QUEUES": json.dumps({pool: f"{QUEUE}{pool}" for pool in ("default", "other")}),
        "STEPFAST_TIMER_QUEUE": f"{QUEUE}timer",
        "STEPFAST_PARK_QUEUE": f"{QUEUE}park",
        "STEPFAST_SCHEDULES": "stepfast",
        "STEPFAST_SCHEDULE_ROLE": "arn:aws:iam::123456789012:role/schedules",
        "STEPFAST_POOL": pool,
        "STEPFAST_WORKFLOWS": str(FLOWS),
    }
    return kept | variables | ({"AWS_ENDPOINT_URL": url} if url else {})


class Process:
    """A process that handles one event after another, as a sandbox of Lambda does."""

    def __init__(self, function: str, url: str) -> None:
        kind, _, pool = function.partition("-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.aws_sandbox", kind],
            cwd=ROOT,
            env=environment(pool or "default", url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, event: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the function has ended with {self._process.wait()}; its last words are above")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._process:
            if self._process.stdin is not None:
                self._process.stdin.close()


def worked(stretches: Sequence[Played], items: Sequence[Item]) -> list[Bill]:
    """CPU seconds and bytes of logs for each stretch. items: the table's content before the first stretch."""
    stub, processes = Stub(items, _seals(stretches)), dict[tuple[str, int], Process]()
    bills = []
    with serving(stub) as url:
        try:
            for played in stretches:
                _expire(stub, played)
                bills.append(_one(played, processes, url))
        finally:
            for process in processes.values():
                process.__exit__(None, None, None)
    _compare(stretches, stub.called)
    return bills


def _seals(stretches: Sequence[Played]) -> Mapping[Key, Any]:
    """The seals of the entries that were written in the simulated cloud."""
    puts = (
        made.call.params["Item"] for played in stretches for made in played.made if made.call.operation == "PutItem"
    )
    return {(item["pk"]["S"], item["sk"]["S"]): item["seal"] for item in puts if "seal" in item}


def _expire(stub: Stub, played: Played) -> None:
    """Deletes the items that DynamoDB has expired, before the stream reports them."""
    for invocation in played.ran("advancer"):
        for record in invocation.event["Records"]:
            if record["eventName"] == "REMOVE":
                stub.answer("DeleteItem", {"Key": record["dynamodb"]["Keys"]})


def _one(played: Played, processes: dict[tuple[str, int], Process], url: str) -> Bill:
    sandboxes = {made.request_id: made.sandbox for made in played.made}
    quantities: dict[str, float] = {}
    for invocation in played.invocations:
        sandbox = (invocation.function, sandboxes.get(invocation.request_id, -1))
        if sandbox not in processes:
            processes[sandbox] = Process(invocation.function, url)
        reply = processes[sandbox].call(invocation.event)
        cpu = f"cpu:{kind_of(invocation.function)}"
        quantities[cpu] = quantities.get(cpu, 0.0) + reply["cpu"]
        quantities["log_bytes"] = quantities.get("log_bytes", 0.0) + reply["log_bytes"]
    return Bill(quantities)


def _compare(stretches: Sequence[Played], called: Mapping[str, int]) -> None:
    """Checks that the functions have written as often as in the simulated cloud. Otherwise the work differs."""
    writes = sum(made.call.operation in ("PutItem", "UpdateItem") for played in stretches for made in played.made)
    here = called.get("PutItem", 0) + called.get("UpdateItem", 0)
    if abs(here - writes) > 0.1 * writes:
        raise RuntimeError(f"the same events led to {here} writes here and to {writes} in the simulated cloud")
