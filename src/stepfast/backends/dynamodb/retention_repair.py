"""Takes the time to live off FAILED executions, which version 0.1 gave them: they wait to be resumed.

A walk through the FAILED partitions of the index, a page at a time. It is over for good once a walk has found none
that began a day after the first: by then no function of version 0.1 runs any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepfast.backends.dynamodb import item_keys
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.items import CAME
from stepfast.backends.dynamodb.table import EXPIRES, LISTING
from stepfast.backends.dynamodb.transactions import stands
from stepfast.backends.dynamodb.typed_json import Item, float_in, int_in, number, text, text_in

DAY_SECONDS = 86400.0
PAGE = 100
NAMES = ("pk", "stat", "gen", EXPIRES)


@dataclass(slots=True)
class RepairProgress:
    """How far the walk has come: kept in the table from one sweep to the next.

    first: when the very first walk began. began: when this one did; None between two. after: the index's key to go on
    from. mortals: how many had a time to live; `found` in the table.
    """

    first: float
    began: float | None = None
    shard: int = 0
    after: str = ""
    mortals: int = 0
    rests_until: float = 0.0
    over: bool = False

    def item(self) -> Item:
        began = {} if self.began is None else {"began": number(self.began)}
        counts = {"shard": number(self.shard), "found": number(self.mortals), "over": number(int(self.over))}
        times = {"first": number(self.first), "rests": number(self.rests_until)}
        return {**began, **counts, **times, "after": text(self.after)}


def walk_of(item: Item | None, now: float) -> RepairProgress:
    if item is None:
        return RepairProgress(now)
    return RepairProgress(
        float_in(item, "first") or now,
        float_in(item, "began"),
        int_in(item, "shard"),
        text_in(item, "after") or "",
        int_in(item, "found"),
        float_in(item, "rests") or 0.0,
        bool(int_in(item, "over")),
    )


class Keeping:
    """shards as the Listing has them."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table, self._shards = table, shards

    async def go_on(self, walk: RepairProgress, now: float, has_time: Callable[[], bool]) -> int:
        """Goes on with a walk, which this changes; returns how many executions it has freed of their time to live."""
        if walk.over or now < walk.rests_until:
            return 0
        if walk.began is None:
            walk.began, walk.shard, walk.after, walk.mortals = now, 0, "", 0
        freed = 0
        while walk.shard < self._shards and has_time():
            freed += await self._page(walk)
        if walk.shard >= self._shards:
            walk.over = walk.mortals == 0 and walk.began >= walk.first + DAY_SECONDS
            walk.rests_until, walk.began = walk.began + DAY_SECONDS, None
        return freed

    async def _page(self, walk: RepairProgress) -> int:
        values = {":pk": text(f"FAILED#{walk.shard}"), ":after": text(walk.after)}
        condition = "list_pk = :pk AND list_sk > :after" if walk.after else "list_pk = :pk"
        if not walk.after:
            del values[":after"]
        page = self._table.query_once(
            IndexName=LISTING, KeyConditionExpression=condition, ExpressionAttributeValues=values, Limit=PAGE
        )
        entries: list[dict[str, Any]] = page["Items"]
        metas = self._table.get_many([item_keys.key_of(entry) for entry in entries], NAMES)
        mortal = [meta for meta in metas if text_in(meta, "stat") == "FAILED" and EXPIRES in meta]
        for meta in mortal:
            await self._free(meta)
        walk.mortals += len(mortal)
        if "LastEvaluatedKey" in page:
            walk.after = entries[-1]["list_sk"]["S"]
        else:
            walk.shard, walk.after = walk.shard + 1, ""
        return len(mortal)

    async def _free(self, meta: Item) -> None:
        key = item_keys.key(item_keys.execution_id_of(meta), item_keys.META)
        changes = {
            "UpdateExpression": f"REMOVE #{EXPIRES}, #{CAME}",
            "ExpressionAttributeNames": {f"#{name}": name for name in (EXPIRES, CAME)},
        }
        await self._table.update(key, changes, stands("FAILED", int_in(meta, "gen")))
