"""Cancel and rewind: many items at once, in one transaction where they fit and in a safe order where they do not.

A transaction takes 100 items. A rewind that needs more re-opens records first, a chunk at a time together with
the history that they replace, each chunk only while the execution is FAILED in the generation before; the meta
turns with the last. After a crash in between the execution is still FAILED, and the next resume goes on from there. A
cancel needs the meta first: once that is CANCELLED, nothing starts any more, and the rest of the records follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stepfast.backends.dynamodb import item_keys, items, order_items
from stepfast.backends.dynamodb.calls import ABSENT, TRANSACTION, TRANSACTION_BYTES, Condition, Table
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.typed_json import number, size_of, text
from stepfast.engine.intervention_store import StatusTurn
from stepfast.model import Event, Execution, OrderEntry, Record
from stepfast.records import dataclass
from stepfast.standing import Intervention

Action = dict[str, Any]


def follows(revision: int, generation: int) -> Condition:
    """The write of this revision comes right after what is stored, which is of no later generation.

    Of an execution that was deleted and one that was started under its id, records have the same revisions.
    """
    if revision == 1:
        return ABSENT
    values = {":if_rev": number(revision - 1), ":if_gen": number(generation)}
    return Condition("rev = :if_rev AND gen <= :if_gen", values)


def stands(status: str, generation: int) -> Condition:
    """The meta has this status in this generation."""
    return Condition("stat = :if_stat AND gen = :if_gen", {":if_stat": text(status), ":if_gen": number(generation)})


def has_hand(condition: Condition, hand: Intervention | None) -> Condition:
    """The condition, and this is the last intervention."""
    if hand is None:
        return Condition(f"{condition.expression} AND attribute_not_exists(hand)", condition.values)
    values = {**condition.values, ":if_hand": text(items.hand_text(hand))}
    return Condition(f"{condition.expression} AND hand = :if_hand", values)


def under_way(generation: int) -> Condition:
    """The meta is RUNNING or PAUSED, in this generation."""
    values = {":if_runs": text("RUNNING"), ":if_rests": text("PAUSED"), ":if_gen": number(generation)}
    return Condition("stat IN (:if_runs, :if_rests) AND gen = :if_gen", values)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Actions of one transaction that must not be parted, and how many bytes they write."""

    actions: tuple[Action, ...]

    @property
    def bytes(self) -> int:
        return sum(size_of(action["Put"]["Item"]) for action in self.actions if "Put" in action)


class Transactions:
    """The writes of an execution that reach over many of its items.

    `change` is the action that turns the meta, under the condition that decides.
    """

    def __init__(self, table: Table, texts: Texts) -> None:
        self._table, self._texts = table, texts

    async def cancel(
        self, execution: Execution, change: Action, records: Sequence[Record], order: int, now: float
    ) -> bool:
        """Turns the meta together with the records and the last entry of the log. Records that do not fit follow.

        Of those that follow, the ones whose record has gone on meanwhile are left as they are.
        """
        run_id, generation = execution.run_id, execution.generation
        units = [_Unit((self._put_record(run_id, record, now),)) for record in records]
        first, *rest = _chunks(units, room=2)
        last = order_items.entry_item(run_id, OrderEntry(order, generation, ended=True), now)
        if await self._table.transact([change, self._table.put_action(last, ABSENT), *first]) is not None:
            return False
        for chunk in rest:
            while chunk and (codes := await self._table.transact(chunk)) is not None:
                chunk = [action for action, code in zip(chunk, codes, strict=True) if code == "None"]
        return True

    async def rewind(
        self,
        execution: Execution,
        meta: Sequence[Action],
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        now: float,
    ) -> bool:
        """Turns the meta together with the cut, records and history; what does not fit is written before it.

        meta: the actions that turn it, under the conditions that decide.

        False when anything was refused; what an earlier chunk has written then stays.
        """
        chunks = self._rewind(execution, meta, cut, records, history, 0, now)
        if len(chunks) == 1:
            refused = await self._refused(chunks)
            if not refused or not all(_adds_history(action) for action in refused):
                return not refused
        # An earlier resume of this failure may have died between two chunks, and left events. Those of this resume get
        # the numbers after them.
        position = self._next_position(execution)
        return not await self._refused(self._rewind(execution, meta, cut, records, history, position, now))

    async def intervene(self, change: Action, turn: StatusTurn, now: float) -> bool:
        """Turns the meta together with the entry and the events, which come after those that are kept."""
        actions, id = [change], turn.after.run_id
        if turn.entry is not None:
            actions.append(self._table.put_action(order_items.entry_item(id, turn.entry, now), ABSENT))
        position = self._next_position(turn.after) if turn.events else 0
        for place, event in enumerate(turn.events, start=position):
            item = items.event_item(id, event, item_keys.history_sort(turn.after.generation, place), now)
            actions.append(self._table.put_action(self._texts.fit(id, item), ABSENT))
        return await self._table.transact(actions) is None

    async def _refused(self, chunks: Sequence[Sequence[Action]]) -> list[Action]:
        """The actions that stopped it, of the first chunk that was refused."""
        for chunk in chunks:
            codes = await self._table.transact(chunk)
            if codes is not None:
                return [action for action, code in zip(chunk, codes, strict=True) if code != "None"]
        return []

    def _rewind(
        self,
        execution: Execution,
        meta: Sequence[Action],
        cut: OrderEntry,
        records: Sequence[Record],
        history: Sequence[Event],
        position: int,
        now: float,
    ) -> list[list[Action]]:
        """The transactions in order; events are numbered from `position`."""
        id, generation = execution.run_id, execution.generation
        events: dict[str | None, list[Action]] = {record.id: [] for record in records} | {None: []}
        for place, event in enumerate(history, start=position):
            item = items.event_item(id, event, item_keys.history_sort(generation, place), now)
            action = self._table.put_action(self._texts.fit(id, item), ABSENT)
            events[event.command if event.command in events else None].append(action)
        turn = [*meta, self._table.put_action(order_items.entry_item(id, cut, now), ABSENT)]
        units = [_Unit((*events[record.id], self._put_record(id, record, now))) for record in records]
        units += [_Unit((event,)) for event in events[None]]
        *before, last = _chunks(list(_parted(units)), room=len(turn))
        key = item_keys.key(execution.execution_id, item_keys.META)
        check = self._table.check_action(key, stands("FAILED", generation - 1))
        return [*([check, *chunk] for chunk in before), [*turn, *last]]

    def _put_record(self, run_id: str, record: Record, now: float) -> Action:
        item = self._texts.fit(run_id, items.record_item(run_id, record, now))
        return self._table.put_action(item, follows(record.revision, record.generation))

    def _next_position(self, execution: Execution) -> int:
        """The number after the last event that is kept of this generation."""
        prefix = f"{item_keys.HISTORY}{execution.generation:06}#"
        newest = self._table.query_once(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": text(item_keys.partition(execution.execution_id)),
                ":sk": text(item_keys.in_run(execution.run_id, prefix)),
            },
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        return int(item_keys.sort_of(newest[0])[len(prefix) :]) + 1 if newest else 0


def _adds_history(action: Action) -> bool:
    return bool("Put" in action and item_keys.sort_of(action["Put"]["Item"]).startswith(item_keys.HISTORY))


def _parted(units: Sequence[_Unit]) -> Iterator[_Unit]:
    """Units that fit into a transaction; one that does not is written action by action, its record last."""
    for unit in units:
        if len(unit.actions) <= TRANSACTION // 2:
            yield unit
        else:
            yield from (_Unit((action,)) for action in unit.actions)


def _chunks(units: Sequence[_Unit], room: int) -> list[list[Action]]:
    """The units' actions in as few transactions as hold them, each with room for that many actions more."""
    chunks: list[list[Action]] = [[]]
    bytes = 0
    for unit in units:
        full = len(chunks[-1]) + len(unit.actions) + room > TRANSACTION or bytes + unit.bytes > TRANSACTION_BYTES
        if full and chunks[-1]:
            chunks.append([])
            bytes = 0
        chunks[-1].extend(unit.actions)
        bytes += unit.bytes
    return chunks
