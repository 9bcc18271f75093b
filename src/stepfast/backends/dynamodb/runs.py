"""Earlier runs in the table. Their commands, order and history stay where they are: the keys carry the run.

One transaction turns the meta, whose condition decides, and puts what the meta was as the item of the earlier run. The
signals that the earlier run has taken are copied before, each under a key by which it is found whatever run asks, and
deleted after. So a crash in between leaves copies that say nothing new, or signals that were taken: a later run that
reads a signal of before its own time asks whether there is such a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table, changes_to
from stepfast.backends.dynamodb.inputs import Inputs
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.order import entries_in
from stepfast.backends.dynamodb.packs import Packs
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.transactions import stands
from stepfast.backends.dynamodb.typed_json import Item, number, text
from stepfast.engine.order import cursor_of
from stepfast.engine.ports import NextRun
from stepfast.model import Event, Execution, Signal, Snapshot

PRESENT = Condition("attribute_exists(pk)")


class EarlierRuns:
    """Turns executions to their next runs, and reads what is kept of the earlier ones.

    retention: seconds that an earlier run is kept, None for as long as the execution.
    """

    def __init__(self, table: Table, texts: Texts, inputs: Inputs, packs: Packs, retention: float | None) -> None:
        self._table, self._texts, self._inputs, self._packs = table, texts, inputs, packs
        self._retention = retention

    # -- the turn ------------------------------------------------------------------------------------------

    async def turn(self, turn: NextRun, now: float) -> bool:
        """Begins the next run; False if the execution does not stand as it did."""
        old, new = turn.ended, turn.execution
        key = item_keys.key(old.execution_id, item_keys.META)
        taken = await self._copy(old, turn.taken, now)
        change = self._table.update_action(key, await self._begin(new, now), stands("RUNNING", old.generation))
        actions = [change, self._table.put_action(await self._archived(old, now), ABSENT)]
        if taken:
            size = sum(len(items.signal_of(item).payload.encode()) for item in self._texts.fill(taken))
            actions.append(self._uncount(new, len(taken), size, now))
        if await self._table.transact(actions) is not None:
            return False
        for item in taken:
            signal_id = items.signal_of(item).signal_id
            self._table.delete(item_keys.key(old.execution_id, item_keys.SIGNAL + signal_id), PRESENT)
        return True

    async def _begin(self, new: Execution, now: float) -> dict[str, Any]:
        """The update of the meta, with wake."""
        placed = self._texts.fit(new.run_id, await self._inputs.place(new, now))
        sets = items.standing(new) | placed | {"wrote": number(now), "wake": number(1)}
        sets |= {
            "v": number(item_keys.RUN_VERSION),
            "run": number(new.run),
            "began": number(new.run_began_at),
            "first": number(new.first_generation),
        }
        removed = sorted((items.STANDING | {EXPIRES, "reopened", "cut", "prog"}) - sets.keys())
        return changes_to(sets, removed, {items.CAME: "stat"})

    async def _archived(self, old: Execution, now: float) -> Item:
        """The item of the run that ends."""
        placed = self._texts.fit(old.run_id, await self._inputs.place(old, now))
        item = item_keys.key(old.execution_id, item_keys.run_sort(old.run)) | items.standing(old) | placed
        item |= {"v": number(item_keys.RUN_VERSION), "wrote": number(now), "flow": text(old.workflow)}
        item |= {"made": number(old.created_at), "run": number(old.run), "first": number(old.first_generation)}
        if old.began_at is not None:
            item["began"] = number(old.began_at)
        return item | self._expiry(now)

    def _expiry(self, now: float) -> Item:
        return {} if self._retention is None else {EXPIRES: number(math.ceil(now + self._retention))}

    async def _copy(self, old: Execution, taken: Sequence[str], now: float) -> list[Item]:
        """Copies the signals that the run has taken, as they stand in the table. Safe to repeat."""
        held = self._table.get_many([item_keys.key(old.execution_id, item_keys.SIGNAL + id) for id in taken])
        for item in held:
            sort = item_keys.TAKEN + str(item["sk"]["S"])[len(item_keys.SIGNAL) :]
            copy = {name: value for name, value in item.items() if name != "wake"} | {"sk": text(sort)}
            await self._table.put(copy | {"taken": number(old.run), "wrote": number(now)} | self._expiry(now))
        return held

    def _uncount(self, new: Execution, count: int, size: int, now: float) -> dict[str, Any]:
        """Takes the signals that stay behind off the counter, whose numbers go on where they were."""
        expression = "SET #past = if_not_exists(#past, :none) + :count, #n = #n - :count, #bytes = #bytes - :size, "
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": item_keys.key(new.execution_id, item_keys.SIGNALS),
                "UpdateExpression": expression + "#run = :run, #wrote = :wrote",
                "ConditionExpression": "attribute_exists(pk)",
                "ExpressionAttributeNames": {f"#{name}": name for name in ("past", "n", "bytes", "run", "wrote")},
                "ExpressionAttributeValues": {
                    ":none": number(0),
                    ":count": number(count),
                    ":size": number(size),
                    ":run": number(new.run),
                    ":wrote": number(now),
                },
            }
        }

    # -- reading -------------------------------------------------------------------------------------------

    def read(self, current: Execution, limit: int, before: int | None) -> list[Execution]:
        """Earlier runs, the latest first."""
        page = (
            self._table.query_once(
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": text(item_keys.partition(current.execution_id)),
                    ":first": text(item_keys.run_sort(1)),
                    ":last": text(item_keys.run_sort((current.run if before is None else before) - 1)),
                },
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=limit,
            )
            if limit > 0 and (current.run if before is None else before) > 1
            else {"Items": []}
        )
        return self._executions(page["Items"], current)

    def one(self, current: Execution, run: int) -> Execution | None:
        """The execution as this earlier run has left it."""
        item = self._table.get(item_keys.key(current.execution_id, item_keys.run_sort(run)))
        return None if item is None else self._executions([item], current)[0]

    def _executions(self, archived: Sequence[Item], current: Execution) -> list[Execution]:
        filled = self._texts.fill(map(item_keys.checked, archived))
        return [items.archived_of(*pair, current) for pair in zip(filled, self._inputs.of(filled), strict=True)]

    def snapshot(self, execution: Execution) -> Snapshot:
        """An earlier run with its commands, its order and the signals that it took."""
        by_sort: dict[str, Item] = {}
        for prefix in (item_keys.COMMAND, item_keys.CURSOR, item_keys.ENTRY):
            by_sort |= {item_keys.sort_of(item): item for item in self._of(execution.run_id, prefix)}
        records = [items.record_of(item) for sort, item in by_sort.items() if sort.startswith(item_keys.COMMAND)]
        by_id = {**self._packs.of(execution), **{record.id: record for record in records}}
        ids = [record.signal for record in by_id.values() if record.signal is not None]
        return Snapshot(
            execution,
            cursor_of(entries_in(by_sort)),
            by_id,
            tuple(self.taken(execution.execution_id, ids, execution.run)),
        )

    def taken(self, execution_id: str, ids: Sequence[str], run: int | None = None) -> list[Signal]:
        """Those of the signals that earlier runs have taken, or that this one has, in the order of their numbers."""
        copies = self._table.get_many([item_keys.key(execution_id, item_keys.TAKEN + id) for id in dict.fromkeys(ids)])
        held = [item for item in copies if run is None or item["taken"] == number(run)]
        return sorted(map(items.signal_of, self._texts.fill(held)), key=lambda signal: signal.number)

    def history(self, run_id: str) -> list[Event]:
        return [items.event_of(item) for item in self._of(run_id, item_keys.HISTORY)]

    def _of(self, run_id: str, prefix: str) -> list[Item]:
        pages = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": item_keys.key(run_id, prefix)["pk"],
                ":sk": item_keys.key(run_id, prefix)["sk"],
            },
            ConsistentRead=True,
        )
        return [item for page, _ in pages for item in self._texts.fill(page)]
