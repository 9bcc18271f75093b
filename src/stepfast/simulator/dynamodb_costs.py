"""Makes the work of moto's DynamoDB proportional to the items of a request, not to the whole table.

By itself, moto looks at every item of the table for a query, and adds up the sizes of all items of its partition. For a
transaction it copies the table once for each item, to be able to undo it. It fits each answer to the service's model,
attribute by attribute, though items are in their wire form already.
"""

from __future__ import annotations

import base64
import copy
import inspect
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoResult

from stepfast.simulator.partitions import SortedPartition
from stepfast.simulator.patching import Patches

ANSWERS_WITH_ITEMS = frozenset({"Query", "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan"})


def patch(patches: Patches) -> None:
    _patch_answers(patches)
    _patch_queries(patches)
    _patch_transactions(patches)


def _patch_answers(patches: Patches) -> None:
    execute = DynamoResult.execute_result

    def execute_result(self: DynamoResult, context: Any) -> Any:
        operation, result = context.operation_model, self.result
        if operation.name not in ANSWERS_WITH_ITEMS or not isinstance(result, dict):
            return execute(self, context)
        members = operation.output_shape.members
        answer = {name: value for name, value in result.items() if name in members and value is not None}
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(answer, default=_base64)

    patches.put(DynamoResult, "execute_result", execute_result)


def _base64(value: Any) -> str:
    """Binary attributes, which are the only ones that JSON has no form for."""
    return base64.b64encode(value).decode()


def _patch_queries(patches: Patches) -> None:
    prepare, query, all_items = Table.__init__, Table.query, Table.all_items
    signature = inspect.signature(query)
    asked: list[list[Item] | None] = []

    def prepared(self: Table, *arguments: Any, **options: Any) -> None:
        prepare(self, *arguments, **options)
        if self.range_key_attr is not None:
            self.items = defaultdict(SortedPartition)

    def one_range(self: Table, *arguments: Any, **options: Any) -> Any:
        bound = signature.bind(self, *arguments, **options)
        bound.apply_defaults()
        asked.append(_in_range(self, bound.arguments))
        try:
            return query(self, *arguments, **options)
        finally:
            asked.pop()

    def items(self: Table) -> list[Item]:
        if not asked:
            return all_items(self)
        if asked[-1] is not None:
            return asked[-1]
        return [item for partition in self.items.values() for item in partition.values()]

    patches.put(Table, "__init__", prepared)
    patches.put(Table, "query", one_range)
    patches.put(Table, "all_items", items)


def _in_range(table: Table, query: Mapping[str, Any]) -> list[Item] | None:
    """The items that a query of the table itself has to look at; None for a query of an index."""
    if query["index_name"] is not None or query["hash_key"] is None:
        return None
    partition = table.items.get(query["hash_key"])
    if not isinstance(partition, SortedPartition):
        return list((partition or {}).values())
    start = query["exclusive_start_key"]
    return partition.asked(
        query["range_comparison"],
        query["range_objs"],
        start[table.range_key_attr] if start else None,
        None if query["filter_kwargs"] else query["limit"],
        query["scan_index_forward"] is not False,
    )


def _patch_transactions(patches: Patches) -> None:
    transact = DynamoDBBackend.transact_write_items
    touched: set[DynamoType] = set()
    copies: dict[int, Table] = {}

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        for item in transact_items:
            (action,) = item.values()
            key = action.get("Key") or action["Item"]
            touched.add(DynamoType(key[self.get_table(action["TableName"]).hash_key_attr]))
        try:
            transact(self, transact_items)
        finally:
            touched.clear()
            copies.clear()

    def copied(self: Table, memo: dict[int, Any]) -> Table:
        if not touched:
            made = copy.copy(self)
            vars(made).update(copy.deepcopy(vars(self), memo))
            return made
        if id(self) not in copies:
            copies[id(self)] = _snapshot(self, touched)
        return copies[id(self)]

    patches.put(DynamoDBBackend, "transact_write_items", transact_write_items)
    patches.put(Table, "__deepcopy__", copied)


def _snapshot(table: Table, touched: set[DynamoType]) -> Table:
    """A copy that shares every partition which the transaction leaves alone."""
    made = copy.copy(table)
    made.items = copy.copy(table.items)
    for key in touched & table.items.keys():
        made.items[key] = copy.deepcopy(table.items[key])
    if table.stream_shard is not None:
        made.stream_shard = copy.copy(table.stream_shard)
        made.stream_shard.items = list(table.stream_shard.items)
        made.stream_shard.table = made
    return made
