"""The port RecordReader on the table: queries with a limit, by ranges of the sort key, and no read of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from stepfast.backends.dynamodb import item_keys, items, order_items
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.deletion import LEFT_OVER
from stepfast.backends.dynamodb.id_runs import last_unpacked
from stepfast.backends.dynamodb.large_values import BLOB_BYTES, LATER, Texts, has_moved
from stepfast.backends.dynamodb.packs import Packs, merged
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, text
from stepfast.engine.record_reader import LAST_IDS, PAGE_BYTES, RecordPage, RecordQuery
from stepfast.errors import InvalidRequest
from stepfast.model import Execution, OrderEntry, Record, run_of

COUNTED_AT_ONCE = 2500
"""Records that a megabyte holds, as a query reads at most; those that are small."""
MAX_ORDER = 16 * 1024
"""Bytes of the packed ids of an entry up to which it is read."""


class DynamoRecordReader:
    def __init__(self, table: Table, texts: Texts, packs: Packs) -> None:
        self._table, self._texts, self._packs = table, texts, packs

    async def page(self, execution: Execution, query: RecordQuery) -> RecordPage:
        page, packed = self._stored(execution, query), self._packs.of(execution)
        return page if not packed else merged(page, query, packed, partial(self._overwritten, execution))

    def _overwritten(self, execution: Execution, ids: Sequence[str]) -> set[str]:
        """Those of packed records that have an item of their own, whatever its status."""
        by_sort = {item_keys.command_sort(id): id for id in ids}
        keys = [item_keys.key(execution.run_id, sort) for sort in by_sort]
        return {by_sort[item_keys.sort_of(item)] for item in self._table.get_many(keys, ("pk", "sk"))}

    def _stored(self, execution: Execution, query: RecordQuery) -> RecordPage:
        parameters = self._range(execution.run_id, item_keys.COMMAND) | {"ConsistentRead": True}
        parameters = _filtered(parameters, query)
        if query.after:
            if len(query.after.encode()) > item_keys.LONGEST_KEY:
                raise InvalidRequest("this is no position of a page", (("cursor", "unknown"),))
            parameters["ExclusiveStartKey"] = item_keys.key(execution.run_id, item_keys.COMMAND + query.after)
        matching: list[Item] = []
        looked_at, room = 0, PAGE_BYTES
        while True:
            many = query.reads - looked_at if _is_filtered(query) else query.limit - len(matching)
            answer = self._table.query_once(Limit=many, **parameters)
            looked_at += answer["ScannedCount"]
            for item in answer["Items"]:
                if _left_over(item, execution):
                    continue
                room -= _values_of(item, query.largest)
                if len(matching) == query.limit or (matching and room < 0):
                    return self._page(matching, _place(matching[-1]))
                matching.append(item)
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return self._page(matching, None)
            if looked_at >= query.reads or len(matching) == query.limit:
                return self._page(matching, _place(last))
            parameters["ExclusiveStartKey"] = last

    def _page(self, matching: Sequence[Item], following: str | None) -> RecordPage:
        return RecordPage(tuple(self._records(matching)), following)

    async def named(self, execution: Execution, ids: Sequence[str], consistent: bool = True) -> Mapping[str, Record]:
        """As of port RecordReader. consistent: as of Table.get."""
        sorts = dict.fromkeys(map(item_keys.command_sort, ids))
        keys = [item_keys.key(execution.run_id, sort) for sort in sorts]
        matching = self._table.get_many(keys, consistent=consistent)
        records = self._records([item for item in matching if not _left_over(item, execution)])
        by_id = {record.id: record for record in records}
        if len(by_id) < len(sorts) and (packed := self._packs.of(execution)):
            by_id |= {id: packed[id] for id in ids if id in packed and id not in by_id}
        return by_id

    async def is_longer(self, run_id: str, records: int) -> bool:
        """True also for records that are more bytes than so many small ones have: a query reads a megabyte."""
        parameters = self._range(run_id, item_keys.COMMAND) | {"Select": "COUNT"}
        count, queries = self._packs.count(run_id), 0
        while count <= records:
            answer = self._table.query_once(Limit=records + 1 - count, **parameters)
            count, queries = count + answer["Count"], queries + 1
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return bool(count > records)
            if queries > 4 + records // COUNTED_AT_ONCE:
                return True
            parameters["ExclusiveStartKey"] = last
        return True

    async def last_entries(self, run_id: str, limit: int) -> Sequence[OrderEntry]:
        parameters = self._range(run_id, item_keys.ENTRY) | {"ConsistentRead": True, "ScanIndexForward": False}
        entries: list[OrderEntry] = []
        for item in self._table.query_once(Limit=limit, **parameters)["Items"]:
            if has_moved(item) or len(item.get("order", {"B": b""})["B"]) > MAX_ORDER:
                break
            entries.append(order_items.entry_of(item, partial(last_unpacked, most=LAST_IDS)))
        return entries

    def _records(self, matching: Sequence[Item]) -> list[Record]:
        return [items.record_of(item, self._texts.later) for item in self._texts.fill(matching, LATER)]

    def _range(self, run_id: str, beginning: str) -> dict[str, Any]:
        values = {":pk": text(item_keys.partition(run_of(run_id)[0])), ":sk": text(item_keys.in_run(run_id, beginning))}
        condition = "pk = :pk AND begins_with(sk, :sk)"
        return {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}


def _is_filtered(query: RecordQuery) -> bool:
    return bool(query.statuses or query.name or query.kind)


def _filtered(parameters: dict[str, Any], query: RecordQuery) -> dict[str, Any]:
    values, names, conditions = dict(parameters["ExpressionAttributeValues"]), {}, []
    if query.statuses:
        marks = {f":status{place}": text(status) for place, status in enumerate(sorted(query.statuses))}
        values |= marks
        names["#stat"] = "stat"
        conditions.append(f"#stat IN ({', '.join(marks)})")
    if query.name is not None:
        values[":name"] = text(query.name)
        names["#name"] = "name"
        conditions.append("#name = :name")
    if query.kind is not None:
        values[":kind"] = text(query.kind)
        names["#kind"] = "kind"
        conditions.append("#kind = :kind")
    if not conditions:
        return parameters
    more = {"FilterExpression": " AND ".join(conditions), "ExpressionAttributeNames": names}
    return {**parameters, "ExpressionAttributeValues": values, **more}


def _place(key: Item) -> str:
    return item_keys.sort_of(key)[len(item_keys.COMMAND) :]


def _left_over(item: Item, execution: Execution) -> bool:
    """Whether an earlier execution of the same id has left it: see deletion.py::left_over."""
    if int_in(item, "gen") < execution.first_generation:
        return True
    return float(item.get("wrote", number(execution.created_at))["N"]) < execution.created_at - LEFT_OVER


def _values_of(item: Item, largest: int | None) -> int:
    """Bytes of the values that a page shows of a record."""
    sizes = [_size(item[name]) for name in LATER if name in item]
    return sum(size for size in sizes if largest is None or size <= largest)


def _size(value: Item) -> int:
    if "S" in value:
        return len(value["S"])
    return int_in(value["M"], "n", BLOB_BYTES)
