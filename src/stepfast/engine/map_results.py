"""The results of the items of an execution's maps, page by page, as its batches have recorded them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from stepfast.engine.arguments import foreign_cursor
from stepfast.engine.builtin_steps import items_of
from stepfast.engine.ports import Store
from stepfast.errors import ExecutionNotFound
from stepfast.language.map_batches import MAP_WORKFLOW
from stepfast.language.map_steps import map_failures
from stepfast.model import CommandStatus, Failure, Record
from stepfast.records import dataclass
from stepfast.stored_text import text_of

MAX_PAGE_CHARS = 2_000_000
"""A page ends early where its results would be more than this, and has one item at least."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """An item of a batch: what it came to, and where that is recorded.

    item: its position in the list, from 0, or its line in the file, from 1. output: JSON text. batch_id: the execution
    of its batch. command_id: its command there; None for an item that was never run.
    """

    item: int
    status: CommandStatus
    output: str | None
    error: Failure | None
    batch_id: str
    command_id: str | None


@dataclass(frozen=True, slots=True)
class ItemResults:
    """A page. next: the cursor of the page that follows, None after the last."""

    items: tuple[ItemResult, ...]
    next: str | None


async def page(store: Store, execution_id: str, limit: int, cursor: str | None, failed: bool) -> ItemResults:
    """Items in the order of their batches. A page is of one batch, so it may be shorter than `limit`, even empty.

    Raises ExecutionNotFound, and InvalidRequest for a cursor that no page gave.
    """
    batch, after = _place(cursor)
    snapshot = await store.load(execution_id, signals=False)
    if snapshot is None:
        raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
    ids = batches_of(snapshot.records)
    if batch >= len(ids):
        return ItemResults((), None)
    following = f"{batch + 1}.-1" if batch + 1 < len(ids) else None
    held = await store.load(ids[batch], signals=False)
    items, size = list[ItemResult](), 0
    for item in _items(ids[batch], held.records if held is not None else {}, failed):
        if item.item <= after:
            continue
        size += len(item.output or "")
        if len(items) >= limit or (items and size > MAX_PAGE_CHARS):
            return ItemResults(tuple(items), f"{batch}.{items[-1].item}")
        items.append(item)
    return ItemResults(tuple(items), following)


def batches_of(records: Mapping[str, Record]) -> list[str]:
    """The ids of the batches that an execution has started, in the order of their items."""
    commands = [record for record in records.values() if record.kind == "child" and record.name == MAP_WORKFLOW]
    commands = [record for record in commands if record.children]
    return [record.children[-1] for record in sorted(commands, key=lambda record: _order(record.id))]


def _order(id: str) -> tuple[str, int]:
    """The name of the map in the id of a batch, and the batch's number: 12 in child:map-charge#12."""
    name, _, number = id.rpartition("#")
    return (name, int(number)) if number.isdecimal() else (id, 1)


def _items(batch_id: str, records: Mapping[str, Record], failed: bool) -> Iterator[ItemResult]:
    results = [
        ItemResult(number, record.status, text_of(record.output), record.error, batch_id, record.id)
        for number, record in items_of(records)
        if not failed or record.status == "FAILED"
    ]
    for record in records.values():
        if record.name == map_failures.name and record.status == "SUCCEEDED":
            for failure in json.loads(text_of(record.input) or "{}").get("failures", ()):
                if failure["command"] is None:
                    error = Failure(failure["type"], failure["message"])
                    results.append(ItemResult(failure["item"], "FAILED", None, error, batch_id, None))
    return iter(sorted(results, key=lambda result: result.item))


def _place(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, -1
    batch, separator, after = cursor.partition(".")
    if separator and batch.isdecimal() and (after == "-1" or after.isdecimal()):
        return int(batch), int(after)
    raise foreign_cursor()
