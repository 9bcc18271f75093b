"""What is known of failed executions, from the listing's index alone: nothing of the table itself is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from stepfast.backends.dynamodb import items
from stepfast.backends.dynamodb.calls import Table, projected
from stepfast.backends.dynamodb.listing import THREADS
from stepfast.backends.dynamodb.listing_keys import time_of
from stepfast.backends.dynamodb.table import LISTING
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.engine.ports import Fault

_NAMES = ("pk", "list_sk", "flow", "fault")


class FaultPartitions:
    """The FAILED partitions of the index; shards as the Listing has them."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._shards = table, shards

    def read(self, workflow: str | None, limit: int) -> tuple[list[Fault], bool]:
        """Looks at so many entries, spread over the partitions, each from its newest on.

        One more tells whether there are more: False then.
        """
        parts: list[tuple[str, Item | None]] = [(f"FAILED#{shard}", None) for shard in range(self._shards)]
        faults: list[Fault] = []
        left = limit + 1
        with ThreadPoolExecutor(THREADS, "stepfast-faults") as threads:
            while parts and left:
                asked, rest = parts[:left], parts[left:]
                query = partial(self._query, workflow, left // len(asked))
                pages = list(threads.map(query, asked))
                left -= sum(page["ScannedCount"] for page in pages)
                faults += [_fault(item) for page in pages for item in page["Items"]]
                ends = [(key, page.get("LastEvaluatedKey")) for (key, _), page in zip(asked, pages, strict=True)]
                parts = [*rest, *((key, end) for key, end in ends if end is not None)]
        faults.sort(key=lambda fault: (fault.created_at, fault.execution_id), reverse=True)
        return faults[:limit], not parts and left > 0

    def _query(self, workflow: str | None, limit: int, part: tuple[str, Item | None]) -> dict[str, Any]:
        key, start = part
        parameters, values = projected(_NAMES), {":pk": text(key)}
        if workflow is not None:
            parameters["FilterExpression"] = "flow = :flow"
            values[":flow"] = text(workflow)
        if start is not None:
            parameters["ExclusiveStartKey"] = start
        return self._table.query_once(
            IndexName=LISTING,
            KeyConditionExpression="list_pk = :pk",
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
            **parameters,
        )


def _fault(item: Item) -> Fault:
    return items.fault_of(item, time_of(item["list_sk"]["S"]))
