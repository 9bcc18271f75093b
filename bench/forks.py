"""Forks an execution of 10,000 records in both homes: `python -m bench.forks`, or `make bench-fork`.

Embedded it takes the CPU time of a fork, which other work on the machine does not change. On AWS, played by moto, it
counts the requests that write, with their write units by DynamoDB's rules.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stepfast import step, workflow
from stepfast.backends.dynamodb.typed_json import size_of
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.forking import Forking, ForkRequest
from stepfast.language.registry import Registry
from stepfast.model import Execution, Record
from stepfast.standing import ForkedFrom
from tests.backends.cloud import Cloud
from tests.contract.clock import FixedClock

RECORDS = 10_000
TIMES = 5


@step
def one(number: int) -> int:
    return number


@step
def last(number: int) -> int:
    return number


@workflow("bench-forks")
async def wide(count: int) -> int:
    return await last(len(await asyncio.gather(*map(one, range(count)))))


def origin(records: int) -> ForkCopy:
    """An execution that has done all but its last step."""
    source = ForkedFrom("none", 1, 0, (), 1000.0, clock=1000.0)
    execution = Execution("origin", "bench-forks", str(records), 1000.0, forked=source)
    ids = ["one" if number == 0 else f"one#{number + 1}" for number in range(records)]
    taken_over = [
        Record(
            *(id, "step", "one", "SUCCEEDED", 0),
            attempt=1,
            input=json.dumps({"number": number}, separators=(",", ":")),
            output=str(number),
            first_at=1000.0 + number / 100,
            started_at=1000.0 + number / 100,
            ended_at=1000.5 + number / 100,
        )
        for number, id in enumerate(ids)
    ]
    return ForkCopy(execution, taken_over, tuple(ids[:-1]))


def embedded(records: int) -> list[float]:
    """CPU seconds of each fork."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteBackend(SqliteFile(Path(folder) / "bench.db"), FixedClock())
        asyncio.run(store.fork(origin(records)))
        forking = Forking(store, FixedClock(), Registry([wide]))
        for number in range(TIMES):
            began = time.process_time()
            asyncio.run(forking.fork("origin", ForkRequest(f"fork{number}", before="last")))
            seconds.append(time.process_time() - began)
        fork = asyncio.run(store.load("fork0"))
        assert fork is not None
        assert len(fork.records) == records
        store.close()
    return seconds


def on_aws(records: int) -> Counter[str]:
    """Requests of one fork by their names, and the write units of its transaction."""
    from moto import mock_aws

    counts: Counter[str] = Counter()
    with mock_aws():
        cloud = Cloud()
        cloud.run(cloud.store.fork(origin(records)))

        def count(params: dict[str, Any], model: Any, **_: Any) -> None:
            counts[model.name] += 1
            if model.name in ("TransactWriteItems", "PutItem"):
                body = json.loads(params["body"])
                items = [act["Put"]["Item"] for act in body.get("TransactItems", ()) if "Put" in act]
                counts["write units"] += sum(2 * math.ceil(size_of(item) / 1024) for item in items)
                counts["write units"] += math.ceil(size_of(body["Item"]) / 1024) if "Item" in body else 0

        for client in (cloud.dynamodb, cloud._client("s3")):
            client.meta.events.register("before-call", count)
        forking = Forking(cloud.store, cloud.clock, Registry([wide]))
        asyncio.run(forking.fork("origin", ForkRequest("fork", before="last")))
    return counts


def main() -> None:
    records = int(sys.argv[1]) if sys.argv[1:] else RECORDS
    seconds = sorted(embedded(records))
    print(f"embedded: fork of {records} records, {TIMES} times: {seconds[0]:.2f} to {seconds[-1]:.2f} s of CPU")
    counts = on_aws(records)
    writes = {name: counts[name] for name in ("TransactWriteItems", "PutItem", "PutObject")}
    print(f"aws: {sum(writes.values())} writes, {counts['write units']} write units: {dict(counts)}")


if __name__ == "__main__":
    main()
