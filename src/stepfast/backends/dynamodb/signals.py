"""Signals in the table: each is numbered and counted by an item of its execution before it is put."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table, projected
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.typed_json import int_in, number, same, text
from stepfast.errors import TooManySignals
from stepfast.model import Signal, SignalLimits

HEADS = ("pk", "sk", "v", "name", "received", "n", "run")
"""The attributes of a signal without its payload."""


class Signals:
    """The signals of executions. Two that are sent at once are numbered in any order, others as they were sent."""

    def __init__(self, table: Table, texts: Texts) -> None:
        self._table, self._texts = table, texts

    def read(self, execution_id: str, run: int = 1, *, payloads: bool = True) -> list[Signal]:
        """All that no earlier run has taken: their keys are their ids, so that one that is sent twice is found."""
        parameters: dict[str, Any] = {"ConsistentRead": True}
        if not payloads:
            parameters |= projected(HEADS)
        pages = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": text(item_keys.partition(execution_id)), ":sk": text(item_keys.SIGNAL)},
            **parameters,
        )
        signals = [items.signal_of(item) for page, _ in pages for item in self._texts.fill(page)]
        signals.sort(key=lambda signal: (signal.number, signal.received_at, signal.signal_id))
        return self.left(execution_id, signals, run)

    def left(self, execution_id: str, signals: Sequence[Signal], run: int) -> list[Signal]:
        """Those that no run before this one has taken.

        A signal that was sent during this run was looked up then. An older signal may be left over: deleting it is the
        last thing that the turn to a new run does, and a sender may have been slow.
        """
        older = [signal for signal in signals if signal.run < run]
        keys = [item_keys.key(execution_id, item_keys.TAKEN + signal.signal_id) for signal in older]
        taken = {str(item["sk"]["S"])[len(item_keys.TAKEN) :] for item in self._table.get_many(keys, ("sk",))}
        for signal_id in taken:
            self._table.delete(
                item_keys.key(execution_id, item_keys.SIGNAL + signal_id), Condition("attribute_exists(pk)")
            )
        return [signal for signal in signals if signal.signal_id not in taken]

    def one(self, execution_id: str, signal_id: str) -> Signal | None:
        """The signal of this id, also where a run has taken it that has ended: `run` is that run then."""
        keys = [item_keys.key(execution_id, prefix + signal_id) for prefix in (item_keys.SIGNAL, item_keys.TAKEN)]
        stored = self._table.get_many(keys)
        if not stored:
            return None
        item = self._texts.fill(stored)[0]
        signal = items.signal_of(item)
        return replace(signal, run=int_in(item, "taken")) if "taken" in item else signal

    async def add(self, execution_id: str, signal: Signal, limits: SignalLimits, now: float) -> Signal:
        """A crash between counting and putting leaves a number out, and so does a signal that was there before."""
        size = len(signal.payload.encode())
        free = Condition(  # #a1 stands for `bytes`, which is a reserved word in DynamoDB's expressions
            "(attribute_not_exists(n) OR n < :most) AND (attribute_not_exists(#a1) OR #a1 <= :left)",
            {":most": number(limits.count), ":left": number(limits.bytes - size)},
        )
        counted = None
        if size <= limits.bytes and limits.count > 0:
            key = item_keys.key(execution_id, item_keys.SIGNALS)
            adds, sets = (
                {"n": number(1), "bytes": number(size)},
                {"wrote": number(now), "v": number(item_keys.FIRST_VERSION)},
            )
            counted = await self._table.count(key, adds, sets, free)
        if counted is None:
            held = self.one(execution_id, signal.signal_id)
            if held is not None:
                return held
            raise TooManySignals.for_execution(execution_id, limits.count, limits.bytes)
        run, place = int_in(counted, "run") or 1, int_in(counted, "n") + int_in(counted, "past")
        if (
            run > 1
            and (taken := self._table.get(item_keys.key(execution_id, item_keys.TAKEN + signal.signal_id))) is not None
        ):
            return items.signal_of(self._texts.fill([taken])[0])
        item = self._texts.fit(execution_id, items.signal_item(execution_id, signal, place, now, run))
        stored = await self._table.put(item, ABSENT)
        if stored is None or same(stored, item):
            return signal
        return items.signal_of(self._texts.fill([stored])[0])
