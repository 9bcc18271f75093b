"""The Store port on one DynamoDB table: conditional writes only, nothing is read in order to be written.

Calls are made synchronously, as a Lambda handles one invocation at a time. items.py has the layout.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepfast.backends.aws.s3 import Blobs
from stepfast.backends.dynamodb import items
from stepfast.backends.dynamodb.calls import ABSENT, PAUSES, Condition, Table, changes_to
from stepfast.backends.dynamodb.children import ChildWrites
from stepfast.backends.dynamodb.deletion import Deleting, left_over, living, passed
from stepfast.backends.dynamodb.failures import FaultPartitions
from stepfast.backends.dynamodb.inputs import Inputs
from stepfast.backends.dynamodb.large_values import Texts, has_moved
from stepfast.backends.dynamodb.listing import CHILD, Listing, listing_keys, position_after
from stepfast.backends.dynamodb.metrics import Figures
from stepfast.backends.dynamodb.order import OrderLog, entries_in, needs_base
from stepfast.backends.dynamodb.signals import Signals
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.transactions import Transactions, follows, stands
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, same, text
from stepfast.engine.memory import News
from stepfast.engine.messages import Message
from stepfast.engine.metrics import Tallies
from stepfast.engine.order import cursor_of
from stepfast.engine.ports import NOT_COMMITTED, Clock, Commit, Committed, End, Fault, Page, Query, Queue
from stepfast.errors import Unavailable
from stepfast.model import (
    ENDED,
    ENDED_FOR_GOOD,
    SIGNAL_LIMITS,
    Event,
    Execution,
    Link,
    OrderEntry,
    Record,
    Signal,
    SignalLimits,
    Snapshot,
)

log = logging.getLogger(__name__)

VALUES_READ_AT_ONCE = 25
"""Executions whose values are read at once for a page: each has less than 600 KB in the table."""
IDLE = 120.0
"""Seconds that an execution is old before the sweep looks at it."""


class DynamoStore:
    """Executions in a table that is made as table.py::definition says.

    client: a DynamoDB client. queue: where the messages of `append` go. retention: seconds that SUCCEEDED and CANCELLED
    executions are kept, None for ever; FAILED ones wait to be resumed. listing_shards: how many partitions the listing
    is spread over; may grow, never shrink. `deleting` is what deletes executions.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        queue: Queue,
        blobs: Blobs,
        clock: Clock,
        *,
        listing_shards: int = 8,
        retention: float | None = 90 * 86400.0,
    ) -> None:
        self._table = Table(client, table, clock)
        self._queue, self._clock, self._shards, self._retention = queue, clock, listing_shards, retention
        self.deleting = Deleting(self._table, blobs, clock, listing_shards)
        self._texts = Texts(blobs, self.deleting.note)
        self._inputs = Inputs(self._table, self._texts)
        self._signals = Signals(self._table, self._texts)
        self._order = OrderLog(self._table, self._texts)
        self._listing = Listing(self._table, listing_shards)
        self._faults = FaultPartitions(self._table, listing_shards)
        self._transactions = Transactions(self._table, self._texts)
        self._figures = Figures(self._table, listing_shards)
        self._children = ChildWrites(self._table, self._texts, clock)

    # -- reading -----------------------------------------------------------------------------------------

    async def read(self, execution_id: str) -> Execution | None:
        meta = living(self._table.get(items.key(execution_id, items.META)))
        return None if meta is None else self._executions([meta])[0]

    async def read_many(self, execution_ids: Sequence[str]) -> list[Execution]:
        return self._metas(dict.fromkeys(execution_ids), values=False)

    async def load(self, execution_id: str, *, signals: bool = True) -> Snapshot | None:
        known: int | None = None
        snapshot = None
        for pause in (*PAUSES, None):
            by_sort, pages = self._items(execution_id, signals)
            if living(by_sort.get(items.META)) is None:
                return None
            meta, cursor = by_sort[items.META], by_sort.get(items.CURSOR)
            if needs_base(meta, cursor) and meta["stat"]["S"] not in ENDED_FOR_GOOD:
                base = await self._order.begin(execution_id, cursor, self._clock.now())
                if base is None:
                    continue  # A function of version 1 has just written the cursor.
                by_sort[items.CURSOR] = base
            snapshot = self._snapshot(by_sort, signals)
            generation = snapshot.execution.generation
            # A consistent Query is consistent item by item, not as a whole: a transaction may be written while it reads
            # ("Isolation levels" of DynamoDB's transactions), and pages are read one after the other. Before the first
            # resume that is harmless, since records may be older than the meta and the order. After a resume, the
            # records that it has re-opened must not be missed.
            if generation == snapshot.execution.first_generation or (
                (pages == 1 or known == generation) and _complete(meta, snapshot)
            ):
                return snapshot
            known = generation
            if pause is not None:
                await self._clock.sleep(pause)
        if snapshot is None:
            raise Unavailable(f"execution {execution_id!r} is just being changed by functions that are being replaced")
        log.warning("execution %s: its records do not tell of its last resume; taken as they are", execution_id)
        return snapshot

    async def peek(self, execution_id: str, command_id: str) -> tuple[Execution, Record | None] | None:
        # The two may be read at different moments. A write in between raises the record's revision or its generation,
        # so a write that is made from what was read here is refused.
        keys = [items.key(execution_id, items.META), items.key(execution_id, items.command_sort(command_id))]
        held = {item["sk"]["S"]: item for item in self._table.get_many(keys)}
        meta, command = living(held.get(items.META)), held.get(keys[1]["sk"]["S"])
        if meta is None:
            return None
        if command is not None and left_over(command, meta):
            self.deleting.remove([command])
            command = None
        if command is None:
            return self._executions([meta])[0], None
        return self._executions([meta])[0], items.record_of(self._texts.fill([command])[0])

    async def holder(self, execution_id: str) -> str:
        """The token that `hold` has written last (port Holders); "" where it has written none."""
        item = self._table.get(items.key(execution_id, items.MEMORY))
        return "" if item is None else str(item["by"]["S"])

    async def hold(self, execution_id: str, token: str) -> None:
        """Writes a token, in the place of the one before it (port Holders)."""
        await self._table.put(items.memory_item(execution_id, token, self._clock.now()))

    def news(self, images: Sequence[Item]) -> News | None:
        """The records and signals that stream records show; None if an image is of anything else."""
        if not all(image["sk"]["S"].startswith((items.COMMAND, items.SIGNAL)) for image in images):
            return None
        filled = self._texts.fill(images)
        return News(
            [items.record_of(image) for image in filled if image["sk"]["S"].startswith(items.COMMAND)],
            [items.signal_of(image) for image in filled if image["sk"]["S"].startswith(items.SIGNAL)],
        )

    async def entries(self, execution_id: str, since: int = 0) -> Sequence[OrderEntry]:
        return self._order.read(execution_id, since)

    async def history(self, execution_id: str) -> list[Event]:
        pages = self._query(execution_id, "begins_with(sk, :sk)", items.HISTORY)
        return [items.event_of(item) for page, _ in pages for item in self._texts.fill(page)]

    async def page(self, query: Query) -> Page:
        ids, following = self._listing.page(query)
        if not query.values:
            held = {execution.execution_id: execution for execution in self._metas(ids, values=False)}
        else:
            shown, held = self._fitting(ids, query.bytes)
            if len(shown) < len(ids):
                ids, following = shown, position_after(held[shown[-1]])
        # A global secondary index follows its table with a delay, and has no consistent reads: by now an execution may
        # be gone, or stand under another status.
        executions = (held[id] for id in ids if id in held)
        return Page(tuple(execution for execution in executions if query.status in (None, execution.status)), following)

    def _fitting(self, ids: Sequence[str], room: int) -> tuple[list[str], dict[str, Execution]]:
        """As many of the ids as fit into a page, and their executions. Values are read a few at a time."""
        shown: list[str] = []
        held: dict[str, Execution] = {}
        for start in range(0, len(ids), VALUES_READ_AT_ONCE):
            asked = ids[start : start + VALUES_READ_AT_ONCE]
            metas = {items.execution_id_of(meta): meta for meta in self._living(asked)}
            for alone in _in_turn([metas[id] for id in asked if id in metas]):
                for execution in self._executions(alone):
                    room -= len(execution.input.encode()) + len((execution.result or "").encode())
                    if held and room < 0:
                        return shown, held
                    shown.append(execution.execution_id)
                    held[execution.execution_id] = execution
        return list(ids), held

    async def figures(self, workflow: str, since: int, until: int) -> Mapping[int, Tallies]:
        return self._figures.read(workflow, since, until)

    async def faults(self, workflow: str | None, limit: int) -> tuple[Sequence[Fault], bool]:
        return self._faults.read(workflow, limit)

    async def idle(self, limit: int, after: str = "") -> tuple[Sequence[str], str]:
        return self._listing.idle(self._clock.now() - IDLE, limit, after)

    def _query(self, execution_id: str, condition: str, sort: str) -> Any:
        return self._table.query(
            KeyConditionExpression=f"pk = :pk AND {condition}",
            ExpressionAttributeValues={":pk": text(items.partition(execution_id)), ":sk": text(sort)},
            ConsistentRead=True,
        )

    def _items(self, execution_id: str, signals: bool) -> tuple[dict[str, Item], int]:
        """All items but the history, and signals only if wanted, by sort key; and how many pages they took."""
        by_sort: dict[str, Item] = {}
        pages = 0
        for page, _ in self._query(execution_id, "sk < :sk", items.HISTORY[0] if signals else items.SIGNAL):
            pages += 1
            by_sort |= {item["sk"]["S"]: item for item in page}
        meta = by_sort.get(items.META)
        if living(meta) is not None and meta is not None and any(left_over(item, meta) for item in by_sort.values()):
            kept = (page for page, _ in self._query(execution_id, "begins_with(sk, :sk)", items.HISTORY))
            everything = [*by_sort.values(), *(item for page in kept for item in page)]
            self.deleting.remove([item for item in everything if left_over(item, meta)])
            by_sort = {sort: item for sort, item in by_sort.items() if not left_over(item, meta)}
        return by_sort, pages

    def _snapshot(self, by_sort: Mapping[str, Item], has_signals: bool) -> Snapshot:
        filled = {item["sk"]["S"]: item for item in self._texts.fill(by_sort.values())}
        commands = (items.record_of(item) for sort, item in filled.items() if sort.startswith(items.COMMAND))
        signals = (items.signal_of(item) for sort, item in filled.items() if sort.startswith(items.SIGNAL))
        self._inputs.remember(item for sort, item in filled.items() if sort.startswith(items.INPUT))
        return Snapshot(
            self._executions([filled[items.META]])[0],
            cursor_of(entries_in(filled)),
            {record.id: record for record in commands},
            tuple(sorted(signals, key=lambda signal: (signal.number, signal.received_at, signal.signal_id))),
            has_signals=has_signals,
        )

    async def signals(self, execution_id: str, after: int = 0, *, payloads: bool = True) -> Sequence[Signal]:
        return self._signals.read(execution_id, payloads=payloads)

    async def signal(self, execution_id: str, signal_id: str) -> Signal | None:
        return self._signals.one(execution_id, signal_id)

    def _metas(self, ids: Iterable[str], values: bool) -> list[Execution]:
        """Those of the executions that exist, in any order, with or without their input and result."""
        if values:
            return self._executions(self._living(ids))
        metas = self._texts.fill(map(items.checked, self._living(ids, items.BRIEF)))
        return [items.execution_of(meta, "") for meta in metas]

    def _living(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[Item]:
        """The metas of those executions that exist, as they stand in the table."""
        keys = [items.key(id, items.META) for id in ids]
        return [meta for meta in self._table.get_many(keys, names) if living(meta)]

    def _executions(self, metas: Sequence[Item]) -> list[Execution]:
        filled = self._texts.fill(map(items.checked, metas))
        return [items.execution_of(*pair) for pair in zip(filled, self._inputs.of(filled), strict=True)]

    # -- writing -----------------------------------------------------------------------------------------

    async def create(self, execution: Execution) -> Execution:
        now = self._clock.now()
        input = await self._inputs.place(execution, now)
        keys = self._keys(execution)
        meta = items.meta_item(execution, input, keys, now)
        item = self._texts.fit(execution.execution_id, meta) | {"by": text(secrets.token_hex(8))}
        stored = await self._table.put(item, _free(execution))
        if stored is None or same(stored, item):
            return execution
        if stored and items.is_tombstone(stored):
            raise passed(stored)
        held = await self.read(execution.execution_id) if not stored else self._executions([stored])[0]
        if held is None:
            raise Unavailable(f"execution {execution.execution_id!r} was just deleted; try again")
        return held

    async def commit(self, execution_id: str, commit: Commit) -> Committed:
        record = commit.record
        item = items.record_item(execution_id, record, self._clock.now(), wake=commit.wake)
        if not await self._put(execution_id, item, follows(record.revision, record.generation)):
            return NOT_COMMITTED
        # Two writes: DynamoDB charges a write in a transaction as two. If the process dies in between, SQS delivers
        # the step's message again, and the worker finds the code finished and writes the end.
        return Committed(True, commit.end is not None and await self.finish(commit.end))

    async def report(self, execution_id: str, record: Record, generation: int) -> bool:
        return await self._children.report(execution_id, record, generation)

    async def relink(self, execution: Execution, link: Link) -> bool:
        moved = replace(execution, link=link)
        sets = {"list_pk": self._keys(moved)["list_pk"], **self._expires(moved, self._clock.now())}
        return await self._children.relink(execution, link, sets)

    async def note(self, execution: Execution, progress: str) -> bool:
        key, condition = items.key(execution.execution_id, items.META), stands("RUNNING", execution.generation)
        changes = changes_to({"prog": text(progress)}, ["wake"])
        return await self._table.update(key, changes, condition) is None

    async def append(
        self, execution_id: str, entry: OrderEntry, messages: Sequence[tuple[Message, float | None]] = ()
    ) -> bool:
        if messages:
            await self._queue.send(messages)
        return await self._put(execution_id, items.entry_item(execution_id, entry, self._clock.now()), ABSENT)

    async def finish(self, end: End) -> bool:
        execution = end.execution
        key, condition = items.key(execution.execution_id, items.META), stands("RUNNING", execution.generation)
        change = self._turn(execution, self._clock.now(), _marks(end))
        if await self._table.update(key, change, condition) is not None:
            return False
        await self._figures.add(end)
        return True

    async def cancel(self, end: End, records: Sequence[Record], order: int = 0) -> bool:
        execution, now = end.execution, self._clock.now()
        key, condition = items.key(execution.execution_id, items.META), stands("RUNNING", execution.generation)
        change = self._table.update_action(key, self._turn(execution, now, _marks(end)), condition)
        if not await self._transactions.cancel(execution, change, records, order, now):
            return False
        await self._figures.add(end)
        return True

    async def rewind(
        self, execution: Execution, cut: OrderEntry, records: Sequence[Record], history: Sequence[Event]
    ) -> bool:
        now = self._clock.now()
        reopened = sum(record.generation >= execution.generation for record in records)
        marks = {"reopened": number(reopened), "cut": number(cut.number + 1), "wake": number(1)}
        key, condition = items.key(execution.execution_id, items.META), stands("FAILED", execution.generation - 1)
        change = self._table.update_action(key, self._turn(execution, now, marks), condition)
        return await self._transactions.rewind(execution, change, cut, records, history, now)

    async def add_signal(self, execution_id: str, signal: Signal, limits: SignalLimits = SIGNAL_LIMITS) -> Signal:
        return await self._signals.add(execution_id, signal, limits, self._clock.now())

    async def erase(self, execution: Execution) -> bool:
        if execution.status not in ENDED:
            return False
        return await self.deleting.delete(execution.execution_id, execution.status, execution.generation)

    async def _put(self, execution_id: str, item: Item, condition: Condition) -> bool:
        item = self._texts.fit(execution_id, item)
        stored = await self._table.put(item, condition)
        # A write whose answer was lost is sent again, by botocore before anybody else. Its condition then fails on the
        # very item that it has written, which DynamoDB returns (ReturnValuesOnConditionCheckFailure).
        return stored is None or same(stored, item)

    def _turn(self, execution: Execution, now: float, marks: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The update of a meta that makes it stand as given; wakes only if `marks` say so."""
        standing = self._texts.fit(execution.execution_id, items.standing(execution))
        sets = standing | {"wrote": number(now)} | dict(marks or {})
        sets["list_pk"] = self._keys(execution)["list_pk"]
        sets |= self._expires(execution, now)
        removes = sorted((items.STANDING | {EXPIRES, "wake"}) - sets.keys())
        return changes_to(sets, removes)

    def _keys(self, execution: Execution) -> Item:
        status = (CHILD if execution.is_child else "") + execution.status
        return listing_keys(execution.execution_id, status, execution.created_at, self._shards)

    def _expires(self, execution: Execution, now: float) -> Item:
        """When the execution expires. A child is deleted with its parent."""
        if execution.status not in ENDED_FOR_GOOD or self._retention is None or execution.is_child:
            return {}
        return {EXPIRES: number(math.ceil((execution.ended_at or now) + self._retention))}


def _marks(end: End) -> Item:
    return {"wake": number(1)} if end.wake else {}


def _in_turn(metas: Sequence[Item]) -> Iterator[list[Item]]:
    """Those whose values are in the table together, and each whose values are in the bucket by itself."""
    together: list[Item] = []
    for meta in metas:
        if has_moved(meta):
            if together:
                yield together
            yield [meta]
            together = []
        else:
            together.append(meta)
    if together:
        yield together


def _free(execution: Execution) -> Condition:
    """No execution holds the id, and none of this generation ever did."""
    if not execution.first_generation:
        return ABSENT
    values = {":deleted": text(items.DELETED), ":if_gen": number(execution.first_generation)}
    return Condition(
        "attribute_not_exists(pk) OR (stat = :deleted AND gen < :if_gen AND attribute_exists(erased))", values
    )


def _complete(meta: Item, snapshot: Snapshot) -> bool:
    """True when the records and the order are those of the last rewind, or later ones."""
    since = sum(record.generation >= snapshot.execution.generation for record in snapshot.records.values())
    return since >= int_in(meta, "reopened") and snapshot.cursor.revision >= int_in(meta, "cut")
