"""The Store port on one DynamoDB table: conditional writes only, nothing is read in order to be written.

Calls are made synchronously, as a Lambda handles one invocation at a time. items.py has the layout.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.dynamodb import item_keys, items, order_items, showing
from stepfast.backends.dynamodb.calls import ABSENT, Condition, changes_to
from stepfast.backends.dynamodb.children import linked
from stepfast.backends.dynamodb.deletion import passed
from stepfast.backends.dynamodb.forks import Forks
from stepfast.backends.dynamodb.labels import both, has_labels
from stepfast.backends.dynamodb.listing_keys import kind_of, listing_keys
from stepfast.backends.dynamodb.reads import DynamoReads
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.transactions import follows, has_hand, stands, under_way
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, same, text
from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.messages import Message
from stepfast.engine.ports import NOT_COMMITTED, Commit, Committed, End, NextRun
from stepfast.engine.start_items import Hold, TurnedAway
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
)
from stepfast.shown import ShownState
from stepfast.standing import StartInfo


class DynamoStore(DynamoReads):
    """Executions in a table that is made as table.py::definition says.

    client: a DynamoDB client. queue: where the messages of `append` go. retention: seconds that SUCCEEDED and CANCELLED
    executions are kept, None for ever; FAILED ones wait to be resumed. listing_shards: how many partitions the listing
    is spread over; may grow, never shrink. `deleting` is what deletes executions.
    """

    async def create(self, execution: Execution) -> Execution:
        item = await self._new(execution)
        if execution.labels:
            stored = await self._put_labelled(execution, item)
        else:
            stored = await self._table.put(item, _free(execution))
        if stored is None or same(stored, item):
            return execution
        if stored and items.is_tombstone(stored):
            raise passed(stored)
        held = await self.read(execution.execution_id) if not stored else self._executions([stored])[0]
        if held is None:
            raise Unavailable(f"execution {execution.execution_id!r} was just deleted; try again")
        return held

    async def _put_labelled(self, execution: Execution, item: Item) -> Item | None:
        """Puts a meta with the entries of its labels; None when it is written, else what is there ({} for none)."""
        put = self._table.put_action(item, _free(execution))
        if await self._table.transact([put, *self._labels.puts(execution, self._clock.now())]) is None:
            return None
        return self._table.get(item_keys.key_of(item)) or {}

    async def create_in_turn(self, execution: Execution, hold: Hold | None) -> Execution | None:
        item = await self._new(execution)
        actions = self.starts.create(execution, self._table.put_action(item, _free(execution)), hold)
        actions += self._labels.puts(execution, self._clock.now())
        if await self._table.transact(actions) is None:
            return execution
        key = item_keys.key(execution.execution_id, item_keys.META)
        if (stored := self._table.get(key)) is None:
            return None
        if items.is_tombstone(stored):
            if int_in(stored, "gen") < execution.first_generation:
                return None  # The id is free: it was the key that was not.
            raise passed(stored)
        return execution if same(stored, item) else self._executions([stored])[0]

    async def fork(self, fork: ForkCopy, children: Sequence[ForkCopy] = ()) -> Execution:
        forks = Forks(self._table, self._texts, self._packs, self._new, _free, self._labels.items)
        held = await forks.put(fork, children, self._clock.now())
        return fork.execution if held is None else self._executions([held])[0]

    async def _new(self, execution: Execution) -> Item:
        """The meta of a new execution; puts its input first where that has an item of its own."""
        now = self._clock.now()
        meta = items.meta_item(execution, await self._inputs.place(execution, now), self._keys(execution), now)
        return self._texts.fit(execution.execution_id, meta) | {"by": text(secrets.token_hex(8))}

    async def fold(self, execution: Execution, start: StartInfo, input: str, turned: TurnedAway | None) -> bool:
        place = await self._inputs.place(replace(execution, input=input), self._clock.now())
        return await self.starts.fold(execution, start, self._texts.fit(execution.execution_id, place), turned)

    async def begin(self, execution: Execution, start: StartInfo) -> bool:
        return await self.starts.begin(execution, start)

    async def commit(self, run_id: str, commit: Commit) -> Committed:
        record = commit.record
        item = items.record_item(run_id, record, self._clock.now(), wake=commit.wake)
        if not await self._put(run_id, item, follows(record.revision, record.generation)):
            return NOT_COMMITTED
        if commit.shown is not None:
            await self.show(*commit.shown)
        # Two writes: DynamoDB charges a write in a transaction as two. If the process dies in between, SQS delivers
        # the step's message again, and the worker finds the code finished and writes the end.
        return Committed(True, commit.end is not None and await self.finish(commit.end))

    async def report(self, run_id: str, record: Record, generation: int) -> bool:
        return await self._children.report(run_id, record, generation)

    async def relink(self, execution: Execution, link: Link) -> bool:
        moved = replace(execution, link=link)
        sets = {"list_pk": self._keys(moved)["list_pk"], **self._expires(moved, self._clock.now())}
        return await self._children.relink(execution, link, sets)

    async def note(self, execution: Execution, progress: str) -> bool:
        key, condition = item_keys.key(execution.execution_id, item_keys.META), stands("RUNNING", execution.generation)
        changes = changes_to({"prog": text(progress)}, items.MARKS)
        return await self._table.update(key, changes, condition) is None

    async def show(self, execution: Execution, shown: ShownState) -> bool:
        key = item_keys.key(execution.execution_id, item_keys.META)
        changes, condition = changes_to(showing.attributes(shown), items.MARKS), showing.condition(execution, shown)
        if shown.labels is None:
            return await self._table.update(key, changes, condition) is None
        if shown.labels == execution.labels:
            # If the stored labels are these as well, they have their entries.
            same_labels = both(condition, has_labels(shown.labels))
            if await self._table.update(key, changes, same_labels) is None:
                return True
        await self._labels.before(execution, shown, self._clock.now())
        if await self._table.update(key, changes, condition) is not None:
            return False
        self._labels.after(execution, shown)
        return True

    async def append(
        self, run_id: str, entry: OrderEntry, messages: Sequence[tuple[Message, float | None]] = ()
    ) -> bool:
        if messages:
            await self._queue.send(messages)
        item = self._texts.fit(run_id, order_items.entry_item(run_id, entry, self._clock.now()))
        if await self._put(run_id, item, ABSENT):
            return True
        if entry.seal:
            # Another entry stands there, so nobody needs the bytes of this one. Bytes that an outage leaves are
            # deleted with the execution.
            with suppress(Unavailable, Misconfigured):
                self._texts.discard(item)
        return False

    async def finish(self, end: End) -> bool:
        execution = end.execution
        key, condition = item_keys.key(execution.execution_id, item_keys.META), stands("RUNNING", execution.generation)
        change = self._turn(execution, self._clock.now(), _marks(end))
        await self._before_labels(end)
        if await self._table.update(key, change, condition) is not None:
            return False
        self._after_labels(end)
        await self._figures.add(end)
        return True

    async def _before_labels(self, end: End) -> None:
        if end.shown is not None and end.shown.labels is not None:
            await self._labels.before(end.execution, end.shown, self._clock.now())

    def _after_labels(self, end: End) -> None:
        if end.shown is not None:
            self._labels.after(end.execution, end.shown)

    async def cancel(self, end: End, records: Sequence[Record], order: int = 0) -> bool:
        execution, now = end.execution, self._clock.now()
        key, condition = item_keys.key(execution.execution_id, item_keys.META), under_way(execution.generation)
        change = self._table.update_action(key, self._turn(execution, now, _marks(end)), condition)
        await self._before_labels(end)
        if not await self._transactions.cancel(execution, change, records, order, now):
            return False
        self._after_labels(end)
        await self._figures.add(end)
        return True

    async def rewind(
        self,
        execution: Execution,
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        link: Link | None = None,
        hold: Hold | None = None,
    ) -> bool:
        now = self._clock.now()
        reopened = sum(record.generation >= execution.generation for record in records)
        marks = {"reopened": number(reopened), "cut": number(cut.number + 1), "wake": number(1)}
        key = item_keys.key(execution.execution_id, item_keys.META)
        condition = stands("FAILED", execution.generation - 1)
        if link is not None:
            condition = linked(condition, execution)
            marks["link"], execution = items.link_value(link), replace(execution, link=link)
        change = self._table.update_action(key, self._turn(execution, now, marks), condition)
        turn = [change] if hold is None else [change, self.starts.take(hold, execution.execution_id)]
        return await self._transactions.rewind(execution, turn, cut, records, history, now)

    async def intervene(self, turn: StatusTurn) -> bool:
        now, before = self._clock.now(), turn.before
        key, condition = item_keys.key(before.execution_id, item_keys.META), stands(before.status, before.generation)
        if turn.untouched:
            condition = has_hand(condition, before.intervention)
        marks = {"wake": number(items.WAKE)} if turn.wake else {}
        if turn.entry is not None:
            marks["cut"] = number(turn.entry.number + 1)  # so that a read which misses the entry is noticed
        if turn.after.generation != before.generation:
            marks["reopened"] = number(0)  # no record of the new generation is missing
        changes = self._turn(turn.after, now, marks, turned=turn.after.status != before.status)
        if turn.entry is None and not turn.events:
            return await self._table.update(key, changes, condition) is None
        change = self._table.update_action(key, changes, condition)
        return await self._transactions.intervene(change, turn, now)

    async def add_signal(self, execution_id: str, signal: Signal, limits: SignalLimits = SIGNAL_LIMITS) -> Signal:
        return await self._signals.add(execution_id, signal, limits, self._clock.now())

    async def erase(self, execution: Execution) -> bool:
        if execution.status not in ENDED:
            return False
        return await self.deleting.delete(execution.execution_id, execution.status, execution.generation)

    async def continue_as_new(self, turn: NextRun) -> bool:
        if not await self._runs.turn(turn, self._clock.now()):
            return False
        await self._figures.add(End(turn.ended, turn.counts))
        return True

    async def _put(self, run_id: str, item: Item, condition: Condition) -> bool:
        item = self._texts.fit(run_id, item)
        stored = await self._table.put(item, condition)
        # A write whose answer was lost is sent again, by botocore before anybody else. Its condition then fails on the
        # very item that it has written, which DynamoDB returns (ReturnValuesOnConditionCheckFailure).
        return stored is None or same(stored, item)

    def _turn(
        self, execution: Execution, now: float, marks: Mapping[str, Any] | None = None, turned: bool = True
    ) -> dict[str, Any]:
        """The update of a meta that makes it stand as given; wakes only if `marks` say so.

        turned: whether its status changes.
        """
        standing = self._texts.fit(execution.execution_id, items.standing(execution))
        sets = standing | {"wrote": number(now)} | dict(marks or {})
        sets["list_pk"] = self._keys(execution)["list_pk"]
        sets |= self._expires(execution, now)
        removes = sorted((items.STANDING | {EXPIRES, "wake"} | (set() if turned else {items.CAME})) - sets.keys())
        return changes_to(sets, removes, {items.CAME: "stat"} if turned else None)

    def _keys(self, execution: Execution) -> Item:
        status = kind_of(execution) + execution.status
        return listing_keys(execution.execution_id, status, execution.created_at, self._shards)

    def _expires(self, execution: Execution, now: float) -> Item:
        """When the execution expires. A child is deleted with its parent."""
        if execution.status not in ENDED_FOR_GOOD or self._retention is None or execution.is_child:
            return {}
        return {EXPIRES: number(math.ceil((execution.ended_at or now) + self._retention))}


def _marks(end: End) -> Item:
    wake = {"wake": number(items.WAKE_TO_REPORT if end.childless else items.WAKE)} if end.wake else {}
    return wake if end.shown is None else wake | showing.attributes(end.shown)


def _free(execution: Execution) -> Condition:
    """No execution holds the id, and none of this generation ever did."""
    if not execution.first_generation:
        return ABSENT
    values = {":deleted": text(item_keys.DELETED), ":if_gen": number(execution.first_generation)}
    return Condition(
        "attribute_not_exists(pk) OR (stat = :deleted AND gen < :if_gen AND attribute_exists(erased))", values
    )
