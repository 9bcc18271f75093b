"""Puts forks into the table: one transaction has the fork, its packed records, its order, and copies of its children.

Large values, and packs that are large, are put into the bucket before it, as those of every start are. Signals that the
transaction has no room for follow after it. If a crash leaves them out, they are missing in lists alone: the records of
the waits have what was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from stepfast.backends.dynamodb import item_keys, items, order_items
from stepfast.backends.dynamodb.calls import ABSENT, TRANSACTION, TRANSACTION_BYTES, Condition, Table
from stepfast.backends.dynamodb.deletion import passed
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.packs import Packs
from stepfast.backends.dynamodb.typed_json import Item, int_in, number, same, size_of
from stepfast.engine.fork_store import ForkCopy
from stepfast.errors import ExecutionConflict, InvalidRequest, StepfastError, Unavailable
from stepfast.model import Execution, OrderEntry

NewMeta = Callable[[Execution], Coroutine[Any, Any, Item]]
FreeId = Callable[[Execution], Condition]
LabelItems = Callable[[Execution, float], list[Item]]


class Forks:
    """new: makes the meta of an execution. free: the condition under which its id is free. labels: makes the entries
    of its labels.
    """

    def __init__(
        self, table: Table, texts: Texts, packs: Packs, new: NewMeta, free: FreeId, labels: LabelItems
    ) -> None:
        self._table, self._texts, self._packs, self._new, self._free = table, texts, packs, new, free
        self._labels = labels

    async def put(self, fork: ForkCopy, children: Sequence[ForkCopy], now: float) -> Item | None:
        """None if the fork was put, else the meta that holds its id. Raises as ForkStore.fork."""
        meta = await self._new(fork.execution)
        together = [self._table.put_action(meta, self._free(fork.execution))]
        together += [_put(self._table, item) for item in self._parts(fork, now)]
        for child in children:
            below = await self._new(child.execution)
            below.pop("wake", None)  # it has ended, and its parent has its outcome
            together.append(self._table.put_action(below, self._free(child.execution)))
            parts = [*self._parts(child, now), *self._signals(child, now)]
            together += [_put(self._table, item) for item in parts]
        room = TRANSACTION_BYTES - sum(size_of(action["Put"]["Item"]) for action in together)
        if len(together) > TRANSACTION or room < 0:
            raise _too_many(len(children))
        signals = list(self._signals(fork, now))
        while signals and len(together) < TRANSACTION and (room := room - size_of(signals[0])) > 0:
            together.append(_put(self._table, signals.pop(0)))
        if await self._table.transact(together) is not None:
            held = self._table.get(item_keys.key_of(meta))
            if held is None or not same(held, meta):
                return (
                    held if held is not None and not items.is_tombstone(held) else self._refused(held, fork, children)
                )
        for item in signals:
            await self._table.put(item, ABSENT)
        return None

    def _parts(self, copy: ForkCopy, now: float) -> Iterator[Item]:
        execution = copy.execution
        yield from self._packs.items(execution, copy.records, now)
        yield from self._labels(execution, now)
        if copy.applied:
            entry = OrderEntry(0, execution.generation, applied=copy.applied)
            yield self._texts.fit(execution.run_id, order_items.entry_item(execution.run_id, entry, now))

    def _signals(self, copy: ForkCopy, now: float) -> Iterator[Item]:
        id = copy.execution.execution_id
        if not copy.signals:
            return
        size = sum(len(signal.payload.encode()) for signal in copy.signals)
        counter = item_keys.head(id, item_keys.SIGNALS, now)
        yield counter | {"n": number(len(copy.signals)), "bytes": number(size)}
        for place, signal in enumerate(copy.signals, start=1):
            item = items.signal_item(id, signal, place, now)
            item.pop("wake")
            yield self._texts.fit(id, item)

    def _refused(self, held: Item | None, fork: ForkCopy, children: Sequence[ForkCopy]) -> Item:
        """Raises why nothing was written, although no execution holds the id of the fork."""
        if held is not None and int_in(held, "gen") >= fork.execution.first_generation:
            raise passed(held)
        for child in children:
            id = child.execution.execution_id
            stored = self._table.get(item_keys.key(id, item_keys.META))
            if stored is None:
                continue
            if not items.is_tombstone(stored):
                raise ExecutionConflict(
                    f"execution {id!r} exists, so the copy of a child cannot have this id: use another id"
                )
            if int_in(stored, "gen") >= child.execution.first_generation:
                raise passed(stored)
        raise Unavailable(f"execution {fork.execution.execution_id!r} was just changed by another; try again")


def _put(table: Table, item: Item) -> dict[str, Any]:
    """Unconditional: whatever an earlier execution of the id has left there is overwritten. The meta decides."""
    return {"Put": {"TableName": table.name, "Item": item}}


def _too_many(children: int) -> StepfastError:
    wrong = (
        f"the copies of {children} children do not fit into one transaction of DynamoDB, which takes 100 items: "
        'fork with "children": "relink", which takes over their outcomes alone'
    )
    return InvalidRequest(wrong, (("children", wrong),))
