"""Deleting executions from the table and the bucket: by hand, and what time to live has left.

The meta decides: a conditional write puts a *tombstone* in its place, and from then on nobody sees the execution.
The tombstone keeps the generation, above which an execution of the same id begins: a message or a worker of the
deleted one then acts on nothing. Items and values are deleted after that; nothing may start under the id meanwhile.
The tombstone stands in the index under DELETED until the sweep has seen it twice: once to finish what a crash
has left, and once more when whatever was running must have ended, for what that has written since. It expires later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stepfast.backends.aws.s3 import Blobs
from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table, changes_to
from stepfast.backends.dynamodb.listing_keys import listing_entry, shard_of, sortable
from stepfast.backends.dynamodb.table import EXPIRES, LISTING
from stepfast.backends.dynamodb.transactions import stands
from stepfast.backends.dynamodb.typed_json import Item, float_in, int_in, number, same, text, text_in
from stepfast.engine.ports import Clock
from stepfast.errors import ExecutionDeleted, Unavailable
from stepfast.model import run_id_of

THREADS = 8
DIRECT_DELETION_SECONDS = 10.0
"""Seconds that the deletion of one execution takes at most by itself; the sweep does the rest."""
ALONE = 60.0
"""Seconds for which nobody else goes on with a deletion, longer than whoever began it can run; and for which a start
may be under way that has put a value and not yet its meta."""
SECOND_DELETION_SECONDS = 3600.0
"""Seconds after which what was still running has ended: a step in Lambda runs for 15 minutes at most."""
TOMBSTONE_SECONDS = 400 * 86400
"""Seconds that a tombstone is kept: longer than messages are, but for timers of more than a year."""
KEYS_AT_ONCE = 20_000
"""Keys of one execution's items that are held in memory at once, some 10 MB."""
LEFT_OVER = 3600.0
"""Seconds that an item must be older than its execution to be what an earlier one of the same id has left."""


class Deleting:
    """Deletes executions; shards as the Listing has them."""

    def __init__(self, table: Table, blobs: Blobs, clock: Clock, shards: int) -> None:
        self._table, self._blobs, self._clock, self._shards = table, blobs, clock, shards
        self.on_child_deleted: Callable[[str, str | None], Awaitable[None]] = _nothing
        """Called with a child's id and fingerprint once it is deleted with its parent."""
        self.on_gone_on: Callable[[str], Awaitable[None]] = _nothing
        """Called with the id of an execution whose deletion was gone on with."""

    def note(self, execution_id: str) -> None:
        """Writes that an execution has values in the bucket: its deletion looks there only then."""
        self._table.put_plain(items.note_item(execution_id, self._clock.now()))

    async def delete(self, execution_id: str, status: str, generation: int) -> bool:
        """Puts the tombstone if the meta stands like this; then deletes what there is time for."""
        now = self._clock.now()
        tombstone = self._tombstone(execution_id, generation, now)
        held = await self._table.put(tombstone, stands(status, generation))
        if held is not None and not same(held, tombstone):
            return False
        await self._finish(execution_id, generation, now, until=now + DIRECT_DELETION_SECONDS)
        return True

    async def purge(self, execution_id: str) -> None:
        """Deletes what is left of an execution whose meta has expired; safe to repeat.

        Does nothing while there is an execution of this id: then its readers delete what an earlier one has left.
        """
        if self._table.get(item_keys.key(execution_id, item_keys.META)) is not None:
            return
        left: list[Item] = []
        generation = 0
        for page in self._pages(execution_id):
            generation = max([generation, *(int_in(item, "gen") for item in page)])
            if len(left) <= KEYS_AT_ONCE:  # An execution that has continued as new may have any number of items.
                left += page
        children = any("kids" in item for item in left)
        timers = any(item.get("kind") == text("timer") and item.get("stat") == text("CANCELLED") for item in left)
        noted = any(item_keys.sort_of(item) == item_keys.NOTE for item in left)
        if not timers and not children and not noted and len(left) <= KEYS_AT_ONCE:
            self.remove(left)
            return
        # The tombstone keeps the values of this execution apart from those of an execution that starts meanwhile, and
        # it keeps the generation: the message of a timer may still come in a year.
        now = self._clock.now()
        if await self._table.put(self._tombstone(execution_id, generation, now), ABSENT) is None:
            await self._finish(execution_id, generation, now, until=now + DIRECT_DELETION_SECONDS)

    async def purge_run(self, execution_id: str, run: int) -> None:
        """Deletes what is left of an earlier run whose item has expired; safe to repeat.

        Does nothing where there is such a run again: that is of another execution of this id.
        """
        meta = living(self._table.get(item_keys.key(execution_id, item_keys.META)))
        if meta is None or int_in(meta, "run") <= run:
            return
        if self._table.get(item_keys.key(execution_id, item_keys.run_sort(run))) is not None:
            return
        run_id = run_id_of(execution_id, run)
        for page in self._pages(execution_id, run_id):
            await self._delete_children(execution_id, page, math.inf)
            if run > 1 and any(item_keys.sort_of(item) == item_keys.NOTE for item in page):
                self._blobs.delete(run_id)
            self.remove([item for item in page if item_keys.sort_of(item).startswith(item_keys.OF_A_RUN) or run > 1])

    async def sweep(self, until: float, limit: int = 50) -> int:
        """Goes on with deletions that are due for it; returns how many it saw. until: when to stop."""
        now, seen = self._clock.now(), 0
        for shard in range(self._shards):
            page = self._table.query_once(
                IndexName=LISTING,
                KeyConditionExpression="list_pk = :pk AND list_sk < :now",
                ExpressionAttributeValues={":pk": text(f"{item_keys.DELETED}#{shard}"), ":now": text(sortable(now))},
                Limit=limit,
            )
            for entry in page["Items"]:
                if self._clock.now() >= until:
                    return seen
                seen += 1
                await self._go_on(item_keys.execution_id_of(entry), until)
        return seen

    async def _go_on(self, execution_id: str, until: float) -> None:
        meta = self._table.get(item_keys.key(execution_id, item_keys.META))
        if meta is None or not items.is_tombstone(meta):
            return  # a global secondary index follows its table with a delay: the tombstone is gone by now
        deleted, generation = float_in(meta, "deleted") or 0.0, int_in(meta, "gen")
        await self.on_gone_on(execution_id)
        await self._finish(execution_id, generation, deleted, until, again="erased" in meta)

    async def _finish(
        self, execution_id: str, generation: int, deleted: float, until: float, again: bool = False
    ) -> None:
        """Deletes values and items and writes into the tombstone that it is done, if there is time for all of it.

        again: it was done before, so that another execution may be starting.
        """
        for left in self._pages(execution_id):
            # Children go before the records that name them, which a crash must not make forgotten either.
            if not await self._delete_children(execution_id, left, until) or not self._removed(left, until, again):
                return
        key, condition = item_keys.key(execution_id, item_keys.META), stands(item_keys.DELETED, generation)
        once_more = deleted + SECOND_DELETION_SECONDS
        if self._clock.now() < once_more:
            changes = changes_to({"erased": number(1), "list_sk": text(listing_entry(once_more, execution_id))}, ())
        else:
            changes = changes_to({"erased": number(1)}, ("list_pk", "list_sk"))
        await self._table.update(key, changes, condition)

    async def _delete_children(self, execution_id: str, left: Sequence[Item], until: float) -> bool:
        """Deletes the children that these records name; False if time ran out."""
        ids = dict.fromkeys(id for item in left if "kids" in item for id in json.loads(item["kids"]["S"]))
        for id in ids:
            if self._clock.now() >= until:
                return False
            while (meta := self._table.get(item_keys.key(id, item_keys.META))) is not None:
                if not items.is_child_of(meta, execution_id):
                    break
                if await self.delete(id, meta["stat"]["S"], int_in(meta, "gen")):
                    await self.on_child_deleted(id, text_in(meta, "sent"))
                    break
        return True

    def _removed(self, left: Sequence[Item], until: float, again: bool) -> bool:
        """Deletes the items of a page, and the values of runs whose notes are among them; False if that must wait."""
        # A note is deleted last. It says that there are values in the bucket, which a crash must not make forgotten.
        noted = [item for item in left if item_keys.sort_of(item) == item_keys.NOTE]
        for note in noted:
            if again and self._clock.now() < (float_in(note, "wrote") or 0.0) + ALONE:
                # An execution that starts under this id puts its values before its meta: the note may be of that one.
                return False
            self._blobs.delete(item_keys.run_id_of_item(note))
        if not self.remove([item for item in left if item not in noted], until):
            return False
        self.remove(noted)
        return True

    def remove(self, left: Sequence[Item], until: float = math.inf) -> bool:
        """Deletes items as they were read, but leaves those that were written anew since; False if time ran out."""

        def delete(item: Item) -> bool:
            if self._clock.now() >= until:
                return False
            written = Condition("wrote = :wrote", {":wrote": item["wrote"]}) if "wrote" in item else None
            self._table.delete(item_keys.key_of(item), written or Condition("attribute_not_exists(wrote)"))
            return True

        if not left:
            return True
        with ThreadPoolExecutor(THREADS, "stepfast-purge") as threads:
            return all(list(threads.map(delete, left)))

    def _pages(self, execution_id: str, run_id: str | None = None) -> Iterator[list[Item]]:
        """The keys of all items but the meta, or of those of a run alone, and what tells how to delete them."""
        first, last = ("", "~") if run_id is None else (item_keys.in_run(run_id, ""), item_keys.in_run(run_id, "~"))
        names = {"#pk": "pk", "#sk": "sk", "#wrote": "wrote", "#gen": "gen", "#kind": "kind", "#stat": "stat"}
        names["#kids"] = "kids"
        pages: Iterable[tuple[list[Item], bool]] = self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": text(item_keys.partition(execution_id)),
                ":first": text(first or "!"),
                ":last": text(last),
            },
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ConsistentRead=True,
        )
        for page, _ in pages:
            yield [item for item in page if item["sk"]["S"] != item_keys.META]

    def _tombstone(self, execution_id: str, generation: int, now: float) -> Item:
        shard = shard_of(execution_id, self._shards)
        listed = {"list_pk": f"{item_keys.DELETED}#{shard}", "list_sk": listing_entry(now + ALONE, execution_id)}
        keys: dict[str, Any] = {name: text(value) for name, value in listed.items()}
        return (
            items.tombstone_item(execution_id, generation, now)
            | keys
            | {EXPIRES: number(math.ceil(now + TOMBSTONE_SECONDS))}
        )


def left_over(item: Item, meta: Item) -> bool:
    """True for what an earlier execution of the same id has left: it would be taken for this one's.

    It is of a generation before this one's first, or was written long before this one was put.
    """
    if item is meta:
        return False
    if "gen" in item and int_in(item, "gen") < int_in(meta, "first"):
        return True
    written, born = float_in(item, "wrote"), float_in(meta, "born")
    return written is not None and born is not None and written < born - LEFT_OVER


def passed(tombstone: Item) -> ExecutionDeleted:
    """The error for a start under the id of a deleted execution; Unavailable while its deletion is under way."""
    execution_id = item_keys.execution_id_of(tombstone)
    if "erased" not in tombstone:
        raise Unavailable(f"execution {execution_id!r} is just being deleted; try again later")
    return ExecutionDeleted(execution_id, int_in(tombstone, "gen"))


async def _nothing(*about: object) -> None:
    """Has nothing to do after a deletion."""


def living(meta: Item | None) -> Item | None:
    """The meta, unless it is a tombstone."""
    return None if meta is None or items.is_tombstone(meta) else meta
