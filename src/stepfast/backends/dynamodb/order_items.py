"""Entries of the order's log to items of the table and back, and the order of versions before the log. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from stepfast.backends.dynamodb.attempts import json_text
from stepfast.backends.dynamodb.id_runs import Packed, packed, unpacked
from stepfast.backends.dynamodb.item_keys import CURSOR, ENTRY, ITEM_VERSION, checked, entry_sort, head, sort_of
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, text, text_in
from stepfast.model import OrderEntry


def entry_item(execution_id: str, entry: OrderEntry, now: float) -> Item:
    item = head(execution_id, entry_sort(entry.number), now, ITEM_VERSION) | {"gen": number(entry.generation)}
    if entry.applied or entry.dispatched or entry.withdrawn:
        lists = [packed(ids) for ids in (entry.applied, entry.dispatched, entry.withdrawn)]
        # With the seal no two entries have the same bytes, so an entry that was refused may delete its own.
        order = json_text([*lists, entry.seal])
        item["order"] = {"B": zlib.compress(order.encode())}
    if entry.cut is not None:
        item["cut"] = number(entry.cut)
    if entry.ended:
        item["ended"] = {"BOOL": True}
    if entry.seal:
        item["seal"] = text(entry.seal)
    return item


def entry_of(item: Item, unpack: Callable[[Packed], Sequence[str]] = unpacked) -> OrderEntry:
    checked(item)
    applied, dispatched, withdrawn = map(unpack, _order_in(item)[:3]) if "order" in item else ((), (), ())
    return OrderEntry(
        int(sort_of(item)[len(ENTRY) :]),
        int_in(item, "gen"),
        tuple(applied),
        tuple(dispatched),
        tuple(withdrawn),
        int_in(item, "cut") if "cut" in item else None,
        "ended" in item,
        text_in(item, "seal") or "",
    )


def base_item(execution_id: str, cursor: Item | None, now: float) -> Item:
    """Replaces a cursor of version 1, or its absence: no function of version 1 changes it."""
    item = head(execution_id, CURSOR, now, ITEM_VERSION)
    if cursor is None:
        return item | {"upto": number(0)}
    return item | {"upto": cursor["rev"], "gen": cursor["gen"], "order": cursor["order"]}


def base_of(item: Item) -> OrderEntry | None:
    """The order up to its log, as an entry that cuts off all before it; None where there was none."""
    checked(item)
    upto = int_in(item, "upto" if "upto" in item else "rev")
    if not upto:
        return None
    applied, dispatched = _order_in(item)
    return OrderEntry(upto - 1, int_in(item, "gen"), tuple(applied), tuple(dispatched), cut=0)


def _order_in(item: Item) -> Any:
    return json.loads(zlib.decompress(item["order"]["B"]))
