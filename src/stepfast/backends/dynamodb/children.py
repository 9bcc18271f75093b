"""The two writes of children: a report into the parent's partition, and the link in the child's meta."""

from __future__ import annotations

from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.calls import Condition, Table, changes_to
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.table import EXPIRES
from stepfast.backends.dynamodb.transactions import follows, stands
from stepfast.backends.dynamodb.typed_json import Item, text_in
from stepfast.engine.ports import Clock
from stepfast.model import Execution, Link, Record, run_of


def linked(condition: Condition, execution: Execution) -> Condition:
    """The condition, and that the stored link is that of the execution as it was read."""
    before = {":if_link": items.link_value(execution.link)}
    return Condition(f"{condition.expression} AND link = :if_link", {**condition.values, **before})


class ChildWrites:
    """As of the port Store. The caller reads what is stored after a refusal, which a lost answer looks like."""

    def __init__(self, table: Table, texts: Texts, clock: Clock) -> None:
        self._table, self._texts, self._clock = table, texts, clock

    async def report(self, run_id: str, record: Record, generation: int) -> bool:
        """Writes a record, with wake, together with a check of the meta: one transaction."""
        item = self._texts.fit(run_id, items.record_item(run_id, record, self._clock.now(), wake=True))
        runs = self._table.check_action(item_keys.key(run_of(run_id)[0], item_keys.META), stands("RUNNING", generation))
        put = self._table.put_action(item, follows(record.revision, record.generation))
        return await self._table.transact([runs, put]) is None

    async def relink(self, execution: Execution, link: Link, sets: Item) -> bool:
        """Writes the link, and what follows from it: sets has the place in the index, and when the meta expires."""
        wanted = items.link_value(link)
        condition = linked(stands(execution.status, execution.generation), execution)
        changes = changes_to({"link": wanted, **sets}, sorted({*items.MARKS, EXPIRES} - sets.keys()))
        stored = await self._table.update(item_keys.key(execution.execution_id, item_keys.META), changes, condition)
        return stored is None or text_in(stored, "link") == wanted["S"]
