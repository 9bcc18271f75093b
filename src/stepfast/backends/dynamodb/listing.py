"""Pages of executions and the sweep's rounds, from an index that is spread over shards.

One partition of the index for each status and shard, sorted by time, so that thousands of starts a second do not
meet in one of them. A page merges them. It reads a bounded number of entries: where filters leave little, a page
is short and has a `next` all the same.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.item_keys import partition
from stepfast.backends.dynamodb.label_walk import LabelWalk
from stepfast.backends.dynamodb.labels import label_partition
from stepfast.backends.dynamodb.listing_keys import CHILD, JOB, listing_entry, shards_of, sortable, time_of
from stepfast.backends.dynamodb.table import LISTING
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.ports import Query
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.model import Execution, ExecutionStatus

FILTERED = 200
"""Entries that one query looks at when there are filters."""
USUAL = 4
"""Statuses that most executions have: what is asked of each partition is a share of the page by these."""
ROUNDS = 5
"""How often a page goes back to the index."""
THREADS = 8
LABELS_TRIED = 3
"""Labels of a query whose entries are read; what the metas say of all labels decides."""
FEW = ("RUNNING", "PAUSED", "FAILED", "CLOSED")
"""Statuses that few executions have for long: their partitions may be shorter than those of a label."""
_LOWEST, _HIGHEST = "0", "8"
"""Below and above every time of the epoch, as `sortable` writes it."""


@dataclass(slots=True)
class _Partition:
    """One partition of the index: the sort keys read from it, newest first, and down to where it was read."""

    key: str
    sorts: list[str] = field(default_factory=list)
    seen: str = _HIGHEST
    start: Item | None = None
    done: bool = False


class Listing:
    """The index. shards: the most there ever were; fewer would hide what was written to the others."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._shards = table, shards
        self._walk = LabelWalk(table, shards)

    def page(self, query: Query) -> tuple[list[str], str | None]:
        """Ids of executions, newest first, as the index has them, and the cursor of the next page.

        The index follows the table with a delay, so an id may stand there under an earlier status. With labels they are
        candidates: what their metas say of labels and status decides.
        """
        low = _LOWEST if query.since is None else sortable(query.since)
        high = _HIGHEST if query.until is None else sortable(query.until)
        if query.cursor is not None:
            high = min(high, _position(query.cursor))
        if low >= high:
            return [], None
        if query.labels and self._walk.is_over():
            looks = self._by_labels(query, low, high)
            if query.status in FEW:
                looks.append(self._by_status(query, low, high))
            # All have looked at the same list from the same place. The one that came furthest had the fewest to read.
            page, end = min(looks, key=lambda look: (look[1] or "", len(look[0])))
        else:
            page, end = self._by_status(query, low, high)
        return [_id(sort) for sort in page], None if end is None else _cursor(end)

    def _by_status(self, query: Query, low: str, high: str) -> tuple[list[str], str | None]:
        statuses: list[str] = [query.status] if query.status else list(get_args(ExecutionStatus))
        share = min(len(statuses), USUAL) * self._shards
        names = [name for status in statuses for kind in _kinds(query) for name in self._partitions(kind, status)]
        partitions = [_Partition(name) for name in names]
        asked = _filters(query)
        asked["Limit"] = FILTERED if "FilterExpression" in asked else 2 * query.limit // share + 4
        return self._merged(partitions, query, low, high, asked)

    def _by_labels(self, query: Query, low: str, high: str) -> list[tuple[list[str], str | None]]:
        """What the entries of each of the first labels give."""
        looks = []
        for label in list(query.labels.items())[:LABELS_TRIED]:
            partitions = [_Partition(label_partition(*label, shard)) for shard in range(self._shards)]
            asked = _filters(replace(query, labels={}))
            asked["Limit"] = FILTERED if "FilterExpression" in asked else 2 * query.limit // self._shards + 4
            looks.append(self._merged(partitions, query, low, high, asked))
        return looks

    def _merged(
        self, partitions: Sequence[_Partition], query: Query, low: str, high: str, asked: dict[str, Any]
    ) -> tuple[list[str], str | None]:
        """A page of the entries of these partitions, and down to where it has looked; None where that is all."""
        for _ in range(ROUNDS):
            self._look(partitions, low, high, asked)
            # The filter of DynamoDB looks at the partition key, which has more than the id.
            ready = [sort for sort in _ready(partitions) if query.contains in _id(sort)]
            if len(ready) > query.limit or all(partition.done for partition in partitions):
                break
        page = ready[: query.limit]
        if len(ready) > query.limit:
            return page, page[-1]
        return page, None if all(partition.done for partition in partitions) else _frontier(partitions)

    def _look(self, partitions: Sequence[_Partition], low: str, high: str, asked: dict[str, Any]) -> None:
        """Looks further down those partitions that the page waits for, or that have nothing left to give."""
        frontier = _frontier(partitions)
        behind = [
            partition
            for partition in partitions
            if not partition.done
            and (partition.seen == frontier or not partition.sorts or partition.sorts[-1] >= frontier)
        ]

        def look(partition: _Partition) -> None:
            start = {"ExclusiveStartKey": partition.start} if partition.start else {}
            page = self._query(partition.key, low, high, **asked, **start, ScanIndexForward=False)
            # BETWEEN includes both its limits: it gives the position once more that the page before ended with.
            partition.sorts += [sort for item in page["Items"] if (sort := item["list_sk"]["S"]) < high]
            partition.start = page.get("LastEvaluatedKey")
            partition.done = partition.start is None
            partition.seen = partition.start["list_sk"]["S"] if partition.start else _LOWEST

        if len(behind) == 1:
            look(behind[0])
        else:
            with ThreadPoolExecutor(THREADS, "stepfast-listing") as threads:
                list(threads.map(look, behind))

    def idle(self, before: float, limit: int, after: str) -> tuple[list[str], str]:
        """Ids of RUNNING executions created before a time, shard by shard, and the position to go on from.

        A position of another form starts again at the beginning.
        """
        # The shards of children come after those of roots, and those of jobs are last.
        names = [name for kind in ("", CHILD, JOB) for name in self._partitions(kind, "RUNNING")]
        shard, seen = _sweep_position(after, len(names))
        ids: list[str] = []
        while shard < len(names) and len(ids) < limit:
            # BETWEEN includes both its limits. This is above the entry that was read last, and below any other.
            low = seen + "\x01" if seen else _LOWEST
            page = self._query(names[shard], low, sortable(before), Limit=limit - len(ids))
            ids += [_id(item["list_sk"]["S"]) for item in page["Items"]]
            last = page.get("LastEvaluatedKey")
            shard, seen = (shard, last["list_sk"]["S"]) if last else (shard + 1, "")
        return ids, f"{shard}:{seen}" if shard < len(names) else ""

    def _partitions(self, kind: str, status: str) -> list[str]:
        return [f"{kind}{status}#{shard}" for shard in range(shards_of(kind, self._shards))]

    def _query(self, key: str, low: str, high: str, **parameters: Any) -> dict[str, Any]:
        values = {":pk": text(key), ":low": text(low), ":high": text(high)}
        values |= parameters.pop("ExpressionAttributeValues", {})
        if low > high:
            return {"Items": []}
        return self._table.query_once(
            IndexName=LISTING,
            KeyConditionExpression="list_pk = :pk AND list_sk BETWEEN :low AND :high",
            ExpressionAttributeValues=values,
            **parameters,
        )


def _kinds(query: Query) -> list[str]:
    """The partitions that a query reads."""
    if query.jobs or query.workflow == JOB_WORKFLOW:
        return [JOB] if query.jobs is not False else []
    others = [""] if query.roots else ["", CHILD]
    return others if query.jobs is False or query.workflow is not None else [*others, JOB]


def _filters(query: Query) -> dict[str, Any]:
    """What is asked of workflow, id and labels; names of labels may hold anything."""
    clauses, names, values = [], {}, {}
    if query.prefix:
        clauses.append("begins_with(pk, :prefix) AND pk <> :prefix")
        values[":prefix"] = text(partition(query.prefix))
    if query.contains:
        clauses.append("contains(pk, :part)")
        values[":part"] = text(query.contains)
    if query.workflow is not None:
        clauses.append("flow = :flow")
        values[":flow"] = text(query.workflow)
    terms = []
    for number, name in enumerate(query.patterns):
        terms.append(f"begins_with(flow, :f{number})" if name.endswith("*") else f"flow = :f{number}")
        values[f":f{number}"] = text(name.removesuffix("*"))
    if terms:
        clauses.append(f"({' OR '.join(terms)})")
    for number, (label, value) in enumerate(query.labels.items()):
        clauses.append(f"labels.#l{number} = :l{number}")
        names[f"#l{number}"] = label
        values[f":l{number}"] = text(value)
    if not clauses:
        return {}
    named = {"ExpressionAttributeNames": names} if names else {}
    return {"FilterExpression": " AND ".join(clauses), "ExpressionAttributeValues": values, **named}


def _frontier(partitions: Iterable[_Partition]) -> str:
    """Down to here every partition has been looked at."""
    return max((partition.seen for partition in partitions if not partition.done), default=_LOWEST)


def _ready(partitions: Sequence[_Partition]) -> list[str]:
    """What was found down to the frontier, in order; an entry that changes its status may be there twice."""
    frontier = _frontier(partitions)
    return sorted({sort for partition in partitions for sort in partition.sorts if sort >= frontier}, reverse=True)


def _id(entry: str) -> str:
    return entry.partition("#")[2]


def position_after(execution: Execution) -> str:
    """The cursor of a page that begins after an execution."""
    return _cursor(listing_entry(execution.created_at, execution.execution_id))


def _cursor(position: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(["listing", position]).encode()).decode()


def _position(cursor: str) -> str:
    try:
        kind, position = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        at = time_of(position)
        if kind != "listing" or not position.startswith(sortable(at) + "#"):
            raise ValueError("not a position")
        position.encode()  # half a surrogate pair is valid JSON, but DynamoDB takes only texts that are valid UTF-8
        return str(position)
    except (ValueError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise foreign_cursor() from error


def _sweep_position(after: str, shards: int) -> tuple[int, str]:
    shard, colon, seen = after.partition(":")
    if not colon or not shard.isdecimal() or int(shard) >= shards:
        return 0, ""
    return int(shard), seen
