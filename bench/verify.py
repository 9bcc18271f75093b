"""What `stepfast verify --table` needs for many executions: reads, memory and time. `make bench-verify`.

The table is played in the same process: its memory counts, so what the check itself needs is less.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stepfast.backends.dynamodb.items import meta_item, record_item
from stepfast.backends.dynamodb.listing_keys import listing_keys
from stepfast.backends.dynamodb.read_only import NoBucket, ReadOnlyStore
from stepfast.cli import deploy_check
from stepfast.cli.recorded_sources import TableSource
from stepfast.local.runtime import SystemClock
from stepfast.model import Execution, Record

TABLE = "stepfast-bench"
EXECUTIONS = 10_000
STEPS = 3
TARGET_MEGABYTES = 500
CODE = """
from stepfast import signal, step, workflow

@step
async def work(number: int) -> str: ...

@workflow("benched")
async def benched(number: int) -> None:
    for turn in range(3):
        await work(turn)
    await signal("go")
"""


class PlayedTable:
    """As much of a DynamoDB client as a deploy check asks for. It answers from dictionaries, whatever the size.

    calls: how often each operation was called. read: how often the items of each execution were queried.
    """

    def __init__(self) -> None:
        self._items: dict[str, list[Any]] = {}
        self._index: dict[str, list[Any]] = {}
        self.calls: Counter[str] = Counter()
        self.read: Counter[str] = Counter()

    def add(self, item: Any) -> None:
        self._items.setdefault(item["pk"]["S"], []).append(item)
        if "list_pk" in item:
            listed = {name: item[name] for name in ("pk", "sk", "list_pk", "list_sk")}
            self._index.setdefault(item["list_pk"]["S"], []).append(listed)

    def query(self, **asked: Any) -> dict[str, Any]:
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        on_index = "IndexName" in asked
        self.calls["queries of the index" if on_index else "queries of the table"] += 1
        if not on_index:
            self.read[values[":pk"]] += 1
        sort, held = ("list_sk", self._index) if on_index else ("sk", self._items)
        low, high = values.get(":low", values.get(":first", "")), values.get(":high", values.get(":last", "~"))
        items = sorted((item for item in held.get(values[":pk"], ()) if low <= item[sort]["S"] <= high), key=_by(sort))
        if not asked.get("ScanIndexForward", True):
            items.reverse()
        if (start := asked.get("ExclusiveStartKey")) is not None:
            items = items[[item["pk"] for item in items].index(start["pk"]) + 1 :]
        page = items[: asked.get("Limit", len(items))]
        more = {"LastEvaluatedKey": page[-1]} if page and len(page) < len(items) else {}
        return {"Items": page, "Count": len(page), "ScannedCount": len(page), **more}


def _by(sort: str) -> Any:
    return lambda item: item[sort]["S"]


def main(executions: int) -> int:
    with tempfile.TemporaryDirectory(prefix="stepfast-bench-") as folder:
        workflows = Path(folder) / "benched_workflows"
        workflows.mkdir()
        (workflows / "flows.py").write_text(CODE, encoding="utf-8")
        table = fill(executions)
        filled = peak_megabytes()
        began = time.monotonic()
        store = ReadOnlyStore(table, TABLE, NoBucket(), SystemClock())
        report = deploy_check.check(TableSource(store), deploy_check.CheckRequest(workflows, as_json=True))
        seconds, peak = time.monotonic() - began, peak_megabytes()
    not_once = executions - sum(count == 1 for count in table.read.values())
    calls = ", ".join(f"{count:,} {name}" for name, count in sorted(table.calls.items()))
    print(f"{report.looked_at:,} executions of {STEPS} steps in {seconds:.0f} s: {calls}")
    print(
        f"peak memory {peak:.0f} MB, of which {filled:.0f} MB were taken before, mostly by the played table; the target"
    )
    print(f"is below {TARGET_MEGABYTES} MB")
    print(f"executions that were not read exactly once: {not_once}; the target is 0")
    right = report.looked_at == executions and not_once == 0 and peak < TARGET_MEGABYTES and not report.broken
    return 0 if right else 1


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(executions: int) -> PlayedTable:
    """Executions that wait for a signal, with what the workers and the advancer would have written of them."""
    table, now = PlayedTable(), time.time()
    for number in range(executions):
        execution = Execution(f"bench-{number}", "benched", str(number), now + number / 1000)
        listing = listing_keys(execution.execution_id, "RUNNING", execution.created_at, 8)
        table.add(meta_item(execution, {"input": {"S": str(number)}}, listing, now))
        for turn in range(STEPS):
            id = "work" if turn == 0 else f"work#{turn + 1}"
            record = Record(
                *(id, "step", "work", "SUCCEEDED", 0),
                attempt=1,
                input=f'{{"number":{turn}}}',
                output='"done"',
                first_at=now,
                started_at=now,
                ended_at=now + turn,
            )
            table.add(record_item(execution.execution_id, record, now))
    return table


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else EXECUTIONS))
