"""Puts the labels of executions from before the index of labels into it: a walk of the sweep through the listing.

It begins an hour after the first sweep of a version that has the index, when no function of an earlier version runs
any more. It is over once a pass through all partitions has added nothing: an execution that changes its status may move
from a partition that is still to be read to one that was read. Until then lists with labels read the listing and
filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.labels import LabelIndex, labels_in
from stepfast.backends.dynamodb.listing_keys import CHILD, time_of
from stepfast.backends.dynamodb.table import LISTING
from stepfast.backends.dynamodb.typed_json import Item, float_in, int_in, number, text, text_in
from stepfast.engine.ports import Clock
from stepfast.model import ExecutionStatus
from stepfast.records import dataclass

SETTLED_SECONDS = 3600.0
"""Functions of an earlier version have ended this long after a deployment: Lambda stops them after 15 minutes."""
WALK_PAGE = 200
NOBODY = ":labels"
"""Stands where the id of an execution would, of which it has a character that no id has."""


@dataclass(frozen=True, slots=True)
class WalkProgress:
    """How far the walk has come.

    first: when a sweep first knew of it. place: of the partition; after: in it. added: labels that this pass has added.
    """

    first: float
    place: int = 0
    after: str = ""
    added: int = 0
    over: bool = False

    def item(self) -> Item:
        counts = {"place": number(self.place), "added": number(self.added), "over": number(int(self.over))}
        return {**_KEY, **counts, "first": number(self.first), "after": text(self.after)}


_KEY = item_keys.key(NOBODY, "walk")


class LabelWalk:
    """shards as the Listing has them."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._index, self._shards = table, LabelIndex(table, shards), shards
        self._over = False

    def is_over(self) -> bool:
        """Whether the index has the labels of all executions; asked of the table until it does."""
        if not self._over:
            held = self._table.get(_KEY, consistent=False)
            self._over = held is not None and bool(int_in(held, "over"))
        return self._over

    async def go_on(self, clock: Clock, has_time: Callable[[], bool]) -> int:
        """Goes on with the walk while there is time; returns how many labels it has put into the index."""
        held, now = self._table.get(_KEY), clock.now()
        walk = WalkProgress(now) if held is None else _progress(held)
        if walk.over:
            return 0
        added, partitions = 0, self._partitions()
        while now >= walk.first + SETTLED_SECONDS and not walk.over and has_time():
            more, after = await self._page(partitions[walk.place], walk.after, now)
            added += more
            place = walk.place if after else walk.place + 1
            walk = replace(walk, place=place, after=after, added=walk.added + more)
            if place == len(partitions):
                walk = replace(walk, place=0, added=0, over=walk.added == 0)
        if held is None or walk != _progress(held):
            await self._table.put(walk.item())
        return added

    def _partitions(self) -> list[str]:
        statuses = get_args(ExecutionStatus)
        kinds = [*statuses, *(CHILD + status for status in statuses)]
        return [f"{kind}#{shard}" for kind in kinds for shard in range(self._shards)]

    async def _page(self, partition: str, after: str, now: float) -> tuple[int, str]:
        """Indexes a page of a partition; returns how many labels were added, and the place after it, "" at the end."""
        values = {":pk": text(partition), ":after": text(after or "!")}
        page: dict[str, Any] = self._table.query_once(
            IndexName=LISTING,
            KeyConditionExpression="list_pk = :pk AND list_sk > :after",
            ExpressionAttributeValues=values,
            Limit=WALK_PAGE,
        )
        added = 0
        for entry in page["Items"]:
            labels = dict(labels_in(entry))
            if labels:
                id, made = item_keys.execution_id_of(entry), time_of(entry["list_sk"]["S"])
                added += await self._index.add(id, entry["flow"]["S"], made, labels, now)
        return added, page["LastEvaluatedKey"]["list_sk"]["S"] if "LastEvaluatedKey" in page else ""


def _progress(item: Item) -> WalkProgress:
    first = float_in(item, "first") or 0.0
    place, added = int_in(item, "place"), int_in(item, "added")
    return WalkProgress(first, place, text_in(item, "after") or "", added, bool(int_in(item, "over")))
