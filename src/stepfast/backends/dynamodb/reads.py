"""What the store on DynamoDB reads: executions, their records and order, lists, figures. store.py has the writes."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from stepfast.backends.aws.s3 import Blobs
from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.audit import DynamoAudit
from stepfast.backends.dynamodb.calls import PAUSES, Table
from stepfast.backends.dynamodb.children import ChildWrites
from stepfast.backends.dynamodb.deletion import Deleting, left_over, living
from stepfast.backends.dynamodb.failures import FaultPartitions
from stepfast.backends.dynamodb.inputs import Inputs
from stepfast.backends.dynamodb.labels import LabelIndex
from stepfast.backends.dynamodb.large_values import LATER, Texts, has_moved
from stepfast.backends.dynamodb.limits import DynamoLimits
from stepfast.backends.dynamodb.links import DynamoLinks
from stepfast.backends.dynamodb.listing import Listing, position_after
from stepfast.backends.dynamodb.metrics import Figures
from stepfast.backends.dynamodb.order import OrderLog, entries_in, needs_base
from stepfast.backends.dynamodb.packs import Packs
from stepfast.backends.dynamodb.record_reader import DynamoRecordReader
from stepfast.backends.dynamodb.runs import EarlierRuns
from stepfast.backends.dynamodb.schedules import DynamoSchedules
from stepfast.backends.dynamodb.signals import Signals
from stepfast.backends.dynamodb.starts import DynamoStarts
from stepfast.backends.dynamodb.transactions import Transactions
from stepfast.backends.dynamodb.typed_json import Item, int_in, text, text_in
from stepfast.backends.dynamodb.workflow_pauses import DynamoWorkflowPauses
from stepfast.engine.audit_store import AuditStore
from stepfast.engine.limit_store import LimitStore
from stepfast.engine.link_store import LinkStore
from stepfast.engine.listing import fits
from stepfast.engine.memory import News
from stepfast.engine.metrics import Tallies
from stepfast.engine.order import cursor_of
from stepfast.engine.ports import Clock, Fault, Page, Query, Queue
from stepfast.engine.record_reader import RecordReader
from stepfast.engine.schedule_store import ScheduleStore
from stepfast.engine.workflow_pauses import WorkflowPauseStore
from stepfast.errors import Unavailable
from stepfast.model import (
    ENDED_FOR_GOOD,
    Event,
    Execution,
    OrderEntry,
    Record,
    Signal,
    Snapshot,
    run_id_of,
    run_of,
)

log = logging.getLogger(__name__)

VALUES_READ_AT_ONCE = 25
"""Executions whose values are read at once for a page: each has less than 600 KB in the table."""
EMPTY_LABEL_PAGES = 4
"""How often a page with labels goes on where none of the candidates was one."""
CONTINUED_KEPT = 10_000
"""Executions at most of which a process knows that they have continued as new runs."""
IDLE = 120.0
"""Seconds that an execution is old before the sweep looks at it."""


def _has_status(query: Query, execution: Execution) -> bool:
    return query.status in (None, execution.status)


class DynamoReads:
    """The reading half of DynamoStore, with the same arguments."""

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
        self._packs = Packs(self._table, self._texts)
        self._signals = Signals(self._table, self._texts)
        self._order = OrderLog(self._table, self._texts)
        self._runs = EarlierRuns(self._table, self._texts, self._inputs, self._packs, retention)
        self._continued: OrderedDict[str, None] = OrderedDict()
        self._labels = LabelIndex(self._table, listing_shards)
        self._listing = Listing(self._table, listing_shards)
        self._faults = FaultPartitions(self._table, listing_shards)
        self._transactions = Transactions(self._table, self._texts)
        self._figures = Figures(self._table, listing_shards)
        self.records = DynamoRecordReader(self._table, self._texts, self._packs)
        self.reader: RecordReader = self.records
        self.limits: LimitStore = DynamoLimits(self._table, clock)
        self.starts = DynamoStarts(self._table, clock, retention)
        self.schedules: ScheduleStore = DynamoSchedules(self._table)
        self.audit: AuditStore = DynamoAudit(self._table, clock, listing_shards)
        self.links: LinkStore = DynamoLinks(self._table)
        self.workflow_pauses: WorkflowPauseStore = DynamoWorkflowPauses(self._table, listing_shards)
        self._children = ChildWrites(self._table, self._texts, clock)

    async def read(self, execution_id: str) -> Execution | None:
        meta = living(self._table.get(item_keys.key(execution_id, item_keys.META)))
        return None if meta is None else self._executions([meta])[0]

    async def read_many(self, execution_ids: Sequence[str]) -> list[Execution]:
        return self._metas(dict.fromkeys(execution_ids), values=False)

    async def load(self, execution_id: str, *, signals: bool = True) -> Snapshot | None:
        known: int | None = None
        snapshot = None
        for pause in (*PAUSES, None):
            by_sort, pages = self._all(execution_id, signals)
            if living(by_sort.get(item_keys.META)) is None:
                return None
            meta, cursor = by_sort[item_keys.META], by_sort.get(item_keys.CURSOR)
            if needs_base(meta, cursor) and meta["stat"]["S"] not in ENDED_FOR_GOOD:
                base = await self._order.begin(execution_id, cursor, self._clock.now())
                if base is None:
                    continue  # A function of version 1 has just written the cursor.
                by_sort[item_keys.CURSOR] = base
            snapshot = self._snapshot(by_sort, signals)
            generation = snapshot.execution.generation
            # A consistent Query is consistent item by item, not as a whole: a transaction may be written while it reads
            # ("Isolation levels" of DynamoDB's transactions), and pages are read one after the other. Before the first
            # resume that is harmless, since records may be older than the meta and the order. After a resume or an
            # unpause, the records that it has re-opened, and its entry of the order, must not be missed.
            untouched = generation == snapshot.execution.first_generation and "cut" not in meta
            if untouched or ((pages == 1 or known == generation) and _complete(meta, snapshot)):
                return snapshot
            known = generation
            if pause is not None:
                await self._clock.sleep(pause)
        if snapshot is None:
            raise Unavailable(f"execution {execution_id!r} is just being changed by functions that are being replaced")
        log.warning("execution %s: its records do not tell of its last resume; taken as they are", execution_id)
        return snapshot

    async def peek(self, run_id: str, command_id: str) -> tuple[Execution, Record | None] | None:
        peeked = await self.peek_many(run_id, [command_id])
        return None if peeked is None else (peeked[0], next(iter(peeked[1]), None))

    async def peek_many(self, run_id: str, command_ids: Sequence[str]) -> tuple[Execution, Sequence[Record]] | None:
        """As of port PartialReads; `glimpse` is in SealedDynamoStore."""
        # The items may be read at different moments. A write in between raises a record's revision or its generation,
        # so a write that is made from what was read here is refused.
        execution_id, run = run_of(run_id)
        sorts = list(dict.fromkeys(map(item_keys.command_sort, command_ids)))
        keys = [item_keys.key(execution_id, item_keys.META), *(item_keys.key(run_id, sort) for sort in sorts)]
        held = {item_keys.sort_of(item): item for item in self._table.get_many(keys)}
        meta = living(held.pop(item_keys.META, None))
        if meta is None:
            return None
        self._order.note(meta)
        if (int_in(meta, "run") or 1) != run:
            return self._executions([meta])[0], []
        passed_over = [item for item in held.values() if left_over(item, meta)]
        if passed_over:
            self.deleting.remove(passed_over)
        commands = [held[sort] for sort in sorts if sort in held and not left_over(held[sort], meta)]
        execution, records = self._executions([meta])[0], self._records(commands)
        if len(records) < len(sorts) and (packed := self._packs.of(execution)):
            stored = {record.id for record in records}
            records += [packed[id] for id in dict.fromkeys(command_ids) if id in packed and id not in stored]
        return execution, records

    async def holder(self, execution_id: str) -> str:
        """The token that `hold` has written last (port Holders); "" where it has written none."""
        item = self._table.get(item_keys.key(execution_id, item_keys.MEMORY))
        return "" if item is None else str(item["by"]["S"])

    async def hold(self, execution_id: str, token: str) -> None:
        """Writes a token, in the place of the one before it (port Holders)."""
        await self._table.put(items.memory_item(execution_id, token, self._clock.now()))

    async def glance(self, run_id: str, order: int) -> bool:
        """As of port Glances: an eventually consistent read, which costs half."""
        return self._table.exists(item_keys.key(run_id, item_keys.entry_sort(order)))

    async def differs(self, execution: Execution) -> bool:
        """As of port Glances; at the price of `glance`, as long as the execution's item has less than 4 KB."""
        meta = living(self._table.get(item_keys.key(execution.execution_id, item_keys.META), consistent=False))
        if meta is None:
            return True
        held = (meta["stat"]["S"], int_in(meta, "run") or 1, int_in(meta, "gen"))
        return held != (execution.status, execution.run, execution.generation)

    def news(self, images: Sequence[Item]) -> News:
        """The records and signals that stream records show, which are read only if they show nothing else."""
        sorts = [item_keys.sort_of(image) for image in images]
        if not all(sort.startswith((item_keys.COMMAND, item_keys.SIGNAL)) for sort in sorts):
            metas = [image for image, sort in zip(images, sorts, strict=True) if sort == item_keys.META]
            return News(whole=False, reports=bool(metas) and all(map(items.ends_childless, metas)))
        commands = [image for image, sort in zip(images, sorts, strict=True) if sort.startswith(item_keys.COMMAND)]
        signals = [image for image, sort in zip(images, sorts, strict=True) if sort.startswith(item_keys.SIGNAL)]
        return News(self._records(commands), [items.signal_of(image) for image in self._texts.fill(signals)])

    def _records(self, commands: Iterable[Item]) -> list[Record]:
        """The records of items. Of what was moved out, only inputs and outputs stay where they are."""
        return [items.record_of(item, self._texts.later) for item in self._texts.fill(commands, LATER)]

    async def entries(self, run_id: str, since: int = 0, of: str | None = None) -> Sequence[OrderEntry]:
        return self._order.read(run_id, since, of)

    async def history(self, run_id: str) -> list[Event]:
        return self._runs.history(run_id)

    async def runs(self, execution_id: str, limit: int, before: int | None = None) -> Sequence[Execution]:
        current = await self.read(execution_id)
        return [] if current is None else self._runs.read(current, limit, before)

    async def load_run(self, execution_id: str, run: int) -> Snapshot | None:
        current = await self.read(execution_id)
        earlier = None if current is None else self._runs.one(current, run)
        return None if earlier is None else self._runs.snapshot(earlier)

    async def run_history(self, execution_id: str, run: int) -> list[Event]:
        return self._runs.history(run_id_of(execution_id, run))

    async def page(self, query: Query) -> Page:
        page = self._page(query)
        for _ in range(EMPTY_LABEL_PAGES if query.labels else 0):
            if page.executions or page.next is None:
                break
            page = self._page(replace(query, cursor=page.next))
        return page

    def _page(self, query: Query) -> Page:
        ids, following = self._listing.page(query)
        if not query.values:
            held = {execution.execution_id: execution for execution in self._metas(ids, values=False)}
        else:
            shown, held = self._fitting(ids, query.bytes)
            if len(shown) < len(ids):
                ids, following = shown, position_after(held[shown[-1]])
        # A global secondary index follows its table with a delay, and has no consistent reads: by now an execution may
        # be gone, or stand under another status.
        # The entries of labels are candidates.
        executions = (held[id] for id in ids if id in held)
        taken = fits if query.labels else _has_status
        return Page(tuple(execution for execution in executions if taken(query, execution)), following)

    def _fitting(self, ids: Sequence[str], room: int) -> tuple[list[str], dict[str, Execution]]:
        """As many of the ids as fit into a page, and their executions. Values are read a few at a time."""
        shown: list[str] = []
        held: dict[str, Execution] = {}
        for start in range(0, len(ids), VALUES_READ_AT_ONCE):
            asked = ids[start : start + VALUES_READ_AT_ONCE]
            metas = {item_keys.execution_id_of(meta): meta for meta in self._living(asked)}
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

    def _query(self, run_id: str, last: str, first: str = item_keys.COMMAND) -> Any:
        """The items of a run whose sort keys stand between these two. No item has one of them."""
        return self._table.query(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": item_keys.key(run_id, "")["pk"],
                ":first": text(item_keys.in_run(run_id, first)),
                ":last": text(item_keys.in_run(run_id, last)),
            },
            ConsistentRead=True,
        )

    def _all(self, execution_id: str, signals: bool) -> tuple[dict[str, Item], int]:
        """As `_items`, of the current run; the first run's are not read if the execution is known to have continued."""
        meta: Item | None = None
        if execution_id in self._continued:
            meta = self._table.get(item_keys.key(execution_id, item_keys.META))
        by_sort, pages = self._items(execution_id, signals) if meta is None else ({item_keys.META: meta}, 1)
        meta = living(by_sort.get(item_keys.META))
        if meta is None or (int_in(meta, "run") or 1) == 1:
            return by_sort, pages
        self._continued[execution_id] = None
        if len(self._continued) > CONTINUED_KEPT:
            self._continued.popitem(last=False)
        # The meta was read first. The run may have ended since: all that is written then is refused by its generation.
        of_run, pages = self._items(item_keys.run_id_of_meta(meta), False, meta)
        return {**of_run, item_keys.META: meta}, pages

    def _items(self, run_id: str, signals: bool, known: Item | None = None) -> tuple[dict[str, Item], int]:
        """All items but the history, and signals only if wanted, by sort key; and how many pages they took.

        known: the meta, of a run whose items do not stand beside it.
        """
        by_sort: dict[str, Item] = {}
        pages = 0
        for page, _ in self._query(run_id, item_keys.SIGNAL if known or not signals else item_keys.HISTORY[0]):
            pages += 1
            by_sort |= {item_keys.sort_of(item): item for item in page}
        meta = by_sort.get(item_keys.META) if known is None else known
        if known is None and meta is not None and int_in(meta, "run") > 1:
            return by_sort, pages  # These items of the first run are no leftovers: they are those of an earlier run.
        if living(meta) is not None and meta is not None and any(left_over(item, meta) for item in by_sort.values()):
            kept = (page for page, _ in self._query(run_id, item_keys.HISTORY + "~", item_keys.HISTORY))
            everything = [*by_sort.values(), *(item for page in kept for item in page)]
            self.deleting.remove([item for item in everything if left_over(item, meta)])
            by_sort = {sort: item for sort, item in by_sort.items() if not left_over(item, meta)}
        return by_sort, pages

    def _snapshot(self, by_sort: Mapping[str, Item], has_signals: bool) -> Snapshot:
        commands = self._records(item for sort, item in by_sort.items() if sort.startswith(item_keys.COMMAND))
        others = (item for sort, item in by_sort.items() if not sort.startswith((item_keys.COMMAND, item_keys.PACK)))
        filled = {item_keys.sort_of(item): item for item in self._texts.fill(others)}
        execution = self._executions([filled[item_keys.META]])[0]
        if execution.run > 1 and has_signals:
            signals = self._signals.read(execution.execution_id, execution.run)
        else:
            signals = [items.signal_of(item) for sort, item in filled.items() if sort.startswith(item_keys.SIGNAL)]
        self._inputs.remember(item for sort, item in filled.items() if sort.startswith(item_keys.INPUT))
        packs = [item for sort, item in by_sort.items() if sort.startswith(item_keys.PACK)]
        packed = self._packs.unpacked(execution, packs) if packs else {}
        return Snapshot(
            execution,
            cursor_of(entries_in(filled)),
            {**packed, **{record.id: record for record in commands}},
            tuple(sorted(signals, key=lambda signal: (signal.number, signal.received_at, signal.signal_id))),
            has_signals=has_signals,
            holder=text_in(by_sort.get(item_keys.MEMORY, {}), "by") or "",
        )

    async def signals(self, run_id: str, after: int = 0, *, payloads: bool = True) -> Sequence[Signal]:
        return self._signals.read(*run_of(run_id), payloads=payloads)

    async def signal(self, execution_id: str, signal_id: str) -> Signal | None:
        return self._signals.one(execution_id, signal_id)

    def _metas(self, ids: Iterable[str], values: bool) -> list[Execution]:
        """Those of the executions that exist, in any order, with or without their input and result."""
        if values:
            return self._executions(self._living(ids))
        metas = self._texts.fill(map(item_keys.checked, self._living(ids, items.BRIEF)))
        return [items.execution_of(meta, "") for meta in metas]

    def _living(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[Item]:
        """The metas of those executions that exist, as they stand in the table."""
        keys = [item_keys.key(id, item_keys.META) for id in ids]
        return [meta for meta in self._table.get_many(keys, names) if living(meta)]

    def _executions(self, metas: Sequence[Item]) -> list[Execution]:
        filled = self._texts.fill(map(item_keys.checked, metas))
        return [items.execution_of(*pair) for pair in zip(filled, self._inputs.of(filled), strict=True)]


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


def _complete(meta: Item, snapshot: Snapshot) -> bool:
    """True when the records and the order are those of the last rewind, or later ones."""
    since = sum(record.generation >= snapshot.execution.generation for record in snapshot.records.values())
    return since >= int_in(meta, "reopened") and snapshot.cursor.revision >= int_in(meta, "cut")
