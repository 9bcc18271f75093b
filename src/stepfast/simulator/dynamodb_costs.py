"""What moto's DynamoDB does in proportion to the whole table, it does here in proportion to what is asked for.

A query looks at every item there is, and a transaction copies the table for each of its items, to take it back.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from stepfast.simulator.patching import Patches


def patch(patches: Patches) -> None:
    _patch_queries(patches)
    _patch_transactions(patches)


def _patch_queries(patches: Patches) -> None:
    query, all_items = Table.query, Table.all_items
    signature = inspect.signature(query)
    asked: list[DynamoType | None] = []

    def one_partition(self: Table, *arguments: Any, **options: Any) -> Any:
        given = signature.bind(self, *arguments, **options).arguments
        asked.append(given["hash_key"] if given.get("index_name") is None else None)
        try:
            return query(self, *arguments, **options)
        finally:
            asked.pop()

    def items(self: Table) -> list[Item]:
        if not asked:
            return all_items(self)
        if asked[-1] is not None:  # of one partition; put in order by the query itself
            return list(self.items.get(asked[-1], {}).values())
        return [item for partition in self.items.values() for item in partition.values()]

    patches.put(Table, "query", one_partition)
    patches.put(Table, "all_items", items)


def _patch_transactions(patches: Patches) -> None:
    transact = DynamoDBBackend.transact_write_items
    touched: set[DynamoType] = set()
    copies: dict[int, Table] = {}

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        for item in transact_items:
            (one,) = item.values()
            key = one.get("Key") or one["Item"]
            touched.add(DynamoType(key[self.get_table(one["TableName"]).hash_key_attr]))
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
