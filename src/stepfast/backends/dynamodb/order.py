"""The log of an execution's order in the table, and the cursor that stood in its place before version 2 of the items.

An execution that version 1 has started may have a cursor, which its functions write whole. Before anything is appended
to its log, a *base* takes the cursor's place: functions of version 1, which may still run, can neither read nor change
it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from stepfast.backends.dynamodb import item_keys, order_items
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table
from stepfast.backends.dynamodb.id_runs import occurrences, unpacked
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.typed_json import Item, int_in, same, text
from stepfast.model import OrderEntry, run_of

BASELESS_KEPT = 10_000
"""Executions at most of which a process knows that their log has no base."""


class OrderLog:
    """Reads the logs of executions; appends are conditional puts of `order_items.entry_item`."""

    def __init__(self, table: Table, texts: Texts) -> None:
        self._table, self._texts = table, texts
        self._baseless: OrderedDict[str, None] = OrderedDict()

    def note(self, meta: Item) -> None:
        """Remembers of an execution that its log has no base, if its meta says so: then none is looked for."""
        execution_id = item_keys.execution_id_of(meta)
        self._baseless.pop(execution_id, None)
        if not needs_base(meta, None):
            self._baseless[execution_id] = None
            if len(self._baseless) > BASELESS_KEPT:
                self._baseless.popitem(last=False)

    def read(self, run_id: str, since: int = 0, of: str | None = None) -> Sequence[OrderEntry]:
        """The entries from this number on, in the order of their numbers; with the ids of one command alone if of is
        given: the worker of each step of a gather reads the entry that names all of its steps.
        """
        unpack = unpacked if of is None else partial(occurrences, id=of)
        pages = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": item_keys.key(run_id, item_keys.ENTRY)["pk"],
                ":first": text(item_keys.in_run(run_id, item_keys.entry_sort(since))),
                ":last": text(item_keys.in_run(run_id, item_keys.ENTRY + "~")),
            },
            ConsistentRead=True,
        )
        entries = [order_items.entry_of(item, unpack) for page, _ in pages for item in self._texts.fill(page)]
        missing = since == 0 and (not entries or entries[0].number > 0)
        if missing and run_of(run_id)[0] not in self._baseless:
            base = self._table.get(item_keys.key(run_id, item_keys.CURSOR))
            if base is not None:
                return in_sequence([*based_on(self._texts.fill([base])[0]), *entries])
        return in_sequence(entries, since)

    async def begin(self, execution_id: str, cursor: Item | None, now: float) -> Item | None:
        """Puts the base in the place of a cursor of version 1, or of none; None where the cursor has changed since."""
        base = order_items.base_item(execution_id, cursor, now)
        condition = ABSENT if cursor is None else Condition("rev = :if_rev", {":if_rev": cursor["rev"]})
        held = await self._table.put(base, condition)
        return base if held is None or same(held, base) else None


def entries_in(by_sort: Mapping[str, Item]) -> Sequence[OrderEntry]:
    """The log of an execution, of all its items by their sort keys; their values are filled in."""
    cursor = by_sort.get(item_keys.CURSOR)
    logged = sorted(sort for sort in by_sort if sort.startswith(item_keys.ENTRY))
    entries = [order_items.entry_of(by_sort[sort]) for sort in logged]
    return in_sequence([*(based_on(cursor) if cursor is not None else ()), *entries])


def based_on(cursor: Item) -> list[OrderEntry]:
    """The order up to the log, as one entry; none where it was empty."""
    base = order_items.base_of(cursor)
    return [] if base is None else [base]


def in_sequence(entries: Iterable[OrderEntry], since: int = 0) -> list[OrderEntry]:
    """The entries without a gap between them.

    A query reads item by item: it may find an entry and not the one before it, which was not there yet when it passed.
    """
    sequence: list[OrderEntry] = []
    for entry in entries:
        if sequence and entry.number != sequence[-1].number + 1:
            break
        if not sequence and entry.number != since and entry.cut != 0:
            break
        sequence.append(entry)
    return sequence


def needs_base(meta: Item, cursor: Item | None) -> bool:
    """Whether version 1 has started the execution, and may still write its cursor."""
    return int_in(meta, "v") < item_keys.ITEM_VERSION and not (cursor is not None and "upto" in cursor)
