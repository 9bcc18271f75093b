"""The index of labels: an item for each label of an execution, in the execution's own partition.

| item | sk | attributes |
|---|---|---|
| label | `zl#<digest>` | flow, mark (of what code shows, as in shown.py), list_pk `label#<digest>#<shard>`, list_sk |

In the table's index, the entries of one label stand together, spread over shards and in the order of lists. They are
candidates: the meta decides whether an execution has a label. So entries are written before the meta, or with it, and
deleted after it, and one too many is harmless. Deletion and retention take them along, as all items of the partition.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.listing_keys import listing_entry, shard_of
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.model import Execution
from stepfast.shown import ShownState

LABELLED = "label"
"""What the partitions of the index begin with that have the entries of labels."""
LABEL = "zl#"
"""Behind all that a load reads of a first run."""


def label_partition(key: str, value: str, shard: int) -> str:
    """The partition of the index that has the executions with this label."""
    return f"{LABELLED}#{_digest(key, value)}#{shard}"


def _digest(key: str, value: str) -> str:
    """A label may have more bytes than a key of the table."""
    return hashlib.sha256(json.dumps([key, value]).encode()).hexdigest()[:32]


class LabelIndex:
    """Writes the entries of executions. shards as the Listing has them."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._shards = table, shards

    def items(self, execution: Execution, now: float) -> list[Item]:
        """The entries of a new execution."""
        return [self._item(execution, label, "", now) for label in execution.labels.items()]

    def puts(self, execution: Execution, now: float) -> list[dict[str, Any]]:
        """The same as actions of the transaction that puts the meta."""
        return [{"Put": {"TableName": self._table.name, "Item": item}} for item in self.items(execution, now)]

    async def before(self, execution: Execution, shown: ShownState, now: float) -> None:
        """Puts the entries of the labels that a write of the meta is about to show."""
        for label in (shown.labels or {}).items():
            item = self._item(execution, label, shown.mark, now)
            condition = "attribute_not_exists(pk) OR mark <= :if_mark"
            await self._table.put(item, Condition(condition, {":if_mark": text(shown.mark)}))

    def after(self, execution: Execution, shown: ShownState) -> None:
        """Deletes the entries of labels that the execution had, and does not have by what is shown now.

        An entry that a later call of set_labels() has put stays. execution: as it was read before.
        """
        if shown.labels is None:
            return
        for label in execution.labels.items() - shown.labels.items():
            earlier = Condition("mark < :if_mark", {":if_mark": text(shown.mark)})
            self._table.delete(self._key(execution.execution_id, *label), earlier)

    async def add(self, id: str, workflow: str, created_at: float, labels: Mapping[str, str], now: float) -> int:
        """Puts the entries that an execution lacks, which functions of an earlier version have made; how many."""
        execution = Execution(id, workflow, "", created_at, labels=labels)
        return sum([await self._table.put(item, ABSENT) is None for item in self.items(execution, now)])

    def _item(self, execution: Execution, label: tuple[str, str], mark: str, now: float) -> Item:
        id = execution.execution_id
        head = item_keys.head(id, LABEL + _digest(*label), now)
        listed = {
            "list_pk": text(label_partition(*label, shard_of(id, self._shards))),
            "list_sk": text(listing_entry(execution.created_at, id)),
        }
        return {**head, **listed, "flow": text(execution.workflow), "mark": text(mark)}

    def _key(self, execution_id: str, key: str, value: str) -> Item:
        return item_keys.key(execution_id, LABEL + _digest(key, value))


def has_labels(labels: Mapping[str, str]) -> Condition:
    """The meta has these very labels, as its index has."""
    if not labels:
        return Condition("attribute_not_exists(labels)", {})
    held = {"M": {key: text(value) for key, value in labels.items()}}
    return Condition("labels = :if_labels", {":if_labels": held})


def both(first: Condition, second: Condition) -> Condition:
    return Condition(f"({first.expression}) AND ({second.expression})", {**first.values, **second.values})


def labels_in(item: Item) -> Iterable[tuple[str, str]]:
    """The labels of a meta, or of its entry in the listing."""
    return [(key, value["S"]) for key, value in item.get("labels", {"M": {}})["M"].items()]
