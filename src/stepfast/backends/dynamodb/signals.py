"""Signals in the table: each is numbered and counted by an item of its execution before it is put."""

from __future__ import annotations

from typing import Any

from stepfast.backends.dynamodb import items
from stepfast.backends.dynamodb.calls import ABSENT, Condition, Table, projected
from stepfast.backends.dynamodb.large_values import Texts
from stepfast.backends.dynamodb.typed_json import int_in, number, same, text
from stepfast.errors import TooManySignals
from stepfast.model import Signal, SignalLimits

HEADS = ("pk", "sk", "v", "name", "received", "n")
"""The attributes of a signal without its payload."""


class Signals:
    """The signals of executions. Two that are sent at once are numbered in any order, others as they were sent."""

    def __init__(self, table: Table, texts: Texts) -> None:
        self._table, self._texts = table, texts

    def read(self, execution_id: str, *, payloads: bool = True) -> list[Signal]:
        """All of them: their keys are their ids, so that one that is sent twice is found."""
        parameters: dict[str, Any] = {"ConsistentRead": True}
        if not payloads:
            parameters |= projected(HEADS)
        pages = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": text(items.partition(execution_id)), ":sk": text(items.SIGNAL)},
            **parameters,
        )
        signals = [items.signal_of(item) for page, _ in pages for item in self._texts.fill(page)]
        return sorted(signals, key=lambda signal: (signal.number, signal.received_at, signal.signal_id))

    def one(self, execution_id: str, signal_id: str) -> Signal | None:
        item = self._table.get(items.key(execution_id, items.SIGNAL + signal_id))
        return None if item is None else items.signal_of(self._texts.fill([item])[0])

    async def add(self, execution_id: str, signal: Signal, limits: SignalLimits, now: float) -> Signal:
        """A crash between counting and putting leaves a number out, and so does a signal that was there before."""
        size = len(signal.payload.encode())
        free = Condition(  # #a1 stands for `bytes`, which is a reserved word in DynamoDB's expressions
            "(attribute_not_exists(n) OR n < :most) AND (attribute_not_exists(#a1) OR #a1 <= :left)",
            {":most": number(limits.count), ":left": number(limits.bytes - size)},
        )
        counted = None
        if size <= limits.bytes and limits.count > 0:
            key = items.key(execution_id, items.SIGNALS)
            adds, sets = (
                {"n": number(1), "bytes": number(size)},
                {"wrote": number(now), "v": number(items.FIRST_VERSION)},
            )
            counted = await self._table.count(key, adds, sets, free)
        if counted is None:
            held = self.one(execution_id, signal.signal_id)
            if held is not None:
                return held
            raise TooManySignals.for_execution(execution_id, limits.count, limits.bytes)
        item = self._texts.fit(execution_id, items.signal_item(execution_id, signal, int_in(counted, "n"), now))
        stored = await self._table.put(item, ABSENT)
        if stored is None or same(stored, item):
            return signal
        return items.signal_of(self._texts.fill([stored])[0])
