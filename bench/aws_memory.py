"""How many records an execution may have at a function's memory: `python -m bench.aws_memory`.

Reads and replays gathers of growing width as a function does that remembers nothing, in a process of its own each: a
table that answers at once, all results recorded. Peak memory and processor time of one load with its replay.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from bench import aws_prices as prices
from bench.aws_flows import flows
from bench.bed import ROOT, peak_mb
from bench.table import table
from stepfast.backends.dynamodb import items, order_items
from stepfast.deployment.settings import Settings
from stepfast.engine.order import Order
from stepfast.functions.clients import Clients
from stepfast.functions.engine import Engine
from stepfast.model import Execution, OrderEntry, Record
from stepfast.replay.replay import Replay

SIZES = (1_000, 3_000, 10_000, 30_000)
MEMORIES = (256, 512, 1024, 2048, 4096, 10_240)
"""MB of a function; Lambda's most is 10,240."""
SPARE = 0.15
"""Share of a function's memory that is left alone, for what the measurement does not see."""
SECONDS = 300.0
"""The advancer's time limit."""


def stored(width: int) -> list[dict[str, Any]]:
    """The items of a gather of which every step has its result."""
    execution = Execution("x", "gather", json.dumps({"steps": width}), 1.0)
    names = ["noop", *(f"noop#{number}" for number in range(2, width + 1))]
    keys = {"list_pk": {"S": "RUNNING#0"}, "list_sk": {"S": "0"}}
    made = [items.meta_item(execution, {"input": {"S": execution.input}}, keys, 1.0)]
    made.append(order_items.entry_item("x", OrderEntry(0, 0, dispatched=tuple(names), seal="0"), 1.0))
    for number, name in enumerate(names):
        record = Record(
            name,
            "step",
            "noop",
            "SUCCEEDED",
            0,
            revision=2,
            attempt=1,
            token="0" * 16,
            input=json.dumps({"number": number}),
            output=str(number),
            first_at=1.0,
            started_at=1.0,
            ended_at=2.0,
        )
        made.append(items.record_item("x", record, 1.0, wake=True))
    return made


def load(url: str) -> dict[str, float]:
    """One load and replay in this process."""
    engine = Engine(Settings(table="stepfast"), Clients("us-east-1"))
    began = time.process_time()
    snapshot = asyncio.run(engine.table_store.load("x"))
    assert snapshot is not None
    replay = Replay(flows.gather, snapshot.execution)
    replay.advance(snapshot.records, Order(snapshot.cursor).applied, extend=True)
    assert replay.finished, "all results are recorded"
    return {"cpu": time.process_time() - began, "peak": peak_mb()}


def measured(width: int) -> dict[str, float]:
    # The simulated cloud behind these would add to the memory of the process that loads.
    from bench.aws_stub import Stub, serving
    from bench.aws_work import environment

    with serving(Stub(stored(width), page_bytes=1_000_000)) as url:
        done = subprocess.run(
            [sys.executable, "-m", "bench.aws_memory", "--load", url],
            cwd=ROOT,
            env={name: value for name, value in environment(url=url).items() if name != "AWS_LAMBDA_FUNCTION_NAME"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.aws_memory", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--load", help="internal: the URL of the table to load from")
    asked = parser.parse_args()
    if asked.load:
        print(json.dumps(load(asked.load)))
        return 0
    rows = [(size, measured(size)) for size in asked.sizes]
    print(
        table(
            ("records", "peak MB", "seconds of a processor", "at 512 MB, seconds"),
            [
                (f"{size:,}", f"{row['peak']:.0f}", f"{row['cpu']:.2f}", f"{row['cpu'] / (512 / prices.VCPU_MB):.1f}")
                for size, row in rows
            ],
        )
    )
    (small, first), (large, last) = rows[0], rows[-1]
    each, cpu = (last["peak"] - first["peak"]) / (large - small), (last["cpu"] - first["cpu"]) / (large - small)
    base = first["peak"] - each * small
    print(f"{1024 * each:.1f} KB a record, beside {base:.0f} MB; {1e6 * cpu:.0f} microseconds of a processor a record")
    limits = [
        (
            f"{memory:,}",
            f"{max(0, (memory * (1 - SPARE) - base) / each):,.0f}",
            f"{SECONDS * min(1.0, memory / prices.VCPU_MB) / cpu:,.0f}",
        )
        for memory in MEMORIES
    ]
    print(table(("memory, MB", "records that fit", f"records read in {SECONDS:g} s"), limits))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
